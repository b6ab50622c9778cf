"""A source that is a pipe or has no rows ends a run before it begins, with the reason and status 2."""

import os

import pytest

from routee_failover.sandbox import Sandbox

from ..conftest import Cli
from .campaign import Campaign


@pytest.mark.parametrize("more", [[], ["--dry-run"]], ids=["run", "dry run"])
@pytest.mark.parametrize("text", ["phone,name,pin\n", "phone,name,pin\n\n\n", "phone,name,pin"])
def test_no_rows(text: str, more: list[str], campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """A file with a header alone is said to have no rows: nothing is to be sent, and that is no success."""
    campaign.write(0).people.write_text(text, "utf-8")
    result = cli(*campaign.run(*more), at=sandbox)
    assert (result.exit_code, result.out) == (2, ""), result
    assert "people.csv has no rows: there is nothing to send" in result.err
    assert not campaign.ledger.exists()


@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
def test_pipes(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """Recipients or a flow out of a pipe are refused in words, before anything is read from it."""
    campaign.write(3)
    pipe = campaign.folder / "pipe"
    os.mkfifo(pipe)
    ledger = ["--ledger", str(campaign.ledger)]
    for arguments, words in (
        (["bulk", "run", str(pipe), "--flow", str(campaign.flow), *ledger], "a run reads its source several times"),
        (["bulk", "run", str(campaign.people), "--flow", str(pipe), *ledger], "a run reads its flow again"),
    ):
        result = cli(*arguments, at=sandbox)
        assert (result.exit_code, sandbox.accepted) == (2, []), result
        assert words in result.err
    assert not campaign.ledger.exists()
