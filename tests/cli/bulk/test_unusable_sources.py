"""Sources that are pipes or have no rows: exit code 2 with the reason, before a ledger is created."""

import os

import pytest

from routee_failover.sandbox import Sandbox

from ..conftest import Cli
from .campaign import Campaign


@pytest.mark.parametrize("more", [[], ["--dry-run"]], ids=["run", "dry run"])
@pytest.mark.parametrize("text", ["phone,name,pin\n", "phone,name,pin\n\n\n", "phone,name,pin"])
def test_source_without_rows_exits_with_2(
    text: str, more: list[str], campaign: Campaign, sandbox: Sandbox, cli: Cli
) -> None:
    """A file with a header alone is reported to have no rows: that is not a success."""
    campaign.write(0).people.write_text(text, "utf-8")
    result = cli(*campaign.run(*more), at=sandbox)
    assert (result.exit_code, result.out) == (2, ""), result
    assert "people.csv has no rows; nothing was sent" in result.err
    assert not campaign.ledger.exists()


@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
def test_pipe_as_source_or_flow_exits_with_2(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """Recipients or a flow from a pipe are an error, before anything is read from it."""
    campaign.write(3)
    pipe = campaign.folder / "pipe"
    os.mkfifo(pipe)
    ledger = ["--ledger", str(campaign.ledger)]
    for arguments, message in (
        (["bulk", "run", str(pipe), "--flow", str(campaign.flow), *ledger], "a run reads its source several times"),
        (["bulk", "run", str(campaign.people), "--flow", str(pipe), *ledger], "a run reads its flow more than once"),
    ):
        result = cli(*arguments, at=sandbox)
        assert (result.exit_code, sandbox.accepted) == (2, []), result
        assert message in result.err
    assert not campaign.ledger.exists()
