"""Usage errors of bulk commands: one clear line, exit code 2, nothing sent, nothing created or changed."""

import asyncio
import sqlite3
from collections.abc import Callable

import pytest

from routee_failover.ledger import SqliteLedger
from routee_failover.sandbox import Sandbox

from ..conftest import Cli
from .campaign import OTP, SMS, Campaign, number


def _truncate_flow(campaign: Campaign) -> None:
    campaign.flow.write_text('{"endpoint": "otp", "flow": [', "utf-8")


def _remove_endpoint(campaign: Campaign) -> None:
    campaign.flow.write_text('{"flow": []}', "utf-8")


def _misspell_column(campaign: Campaign) -> None:
    campaign.write(3, flow=SMS | {"flow": [SMS["flow"][0] | {"message": {"body": "Hello {nmae}"}}]})


def _remove_header(campaign: Campaign) -> None:
    campaign.people.write_text(f"{number(1)},Ada,1\n", "utf-8")


def _write_latin_1(campaign: Campaign) -> None:
    campaign.people.write_bytes(b"phone,n\xe4me\n")


def _remove_people(campaign: Campaign) -> None:
    campaign.people.unlink()


def _write_foreign_file(campaign: Campaign) -> None:
    campaign.invalid_rows.write_text("dear diary\n", "utf-8")


INVALID_FILES: list[tuple[Callable[[Campaign], None], str]] = [
    (_truncate_flow, "flow.json is not JSON"),
    (_remove_endpoint, "endpoint"),
    (_misspell_column, "did you mean name?"),
    (_remove_header, "line 1 holds a number where it must name the columns"),
    (_write_latin_1, "UTF-8"),
    (_remove_people, "people.csv"),
]


@pytest.mark.parametrize(("damage", "message"), INVALID_FILES, ids=lambda value: getattr(value, "__name__", ""))
def test_invalid_file_exits_with_2_before_a_ledger(
    damage: Callable[[Campaign], None], message: str, campaign: Campaign, sandbox: Sandbox, cli: Cli
) -> None:
    """An invalid file is an error before a ledger is created."""
    campaign.write(3)
    damage(campaign)
    result = cli(*campaign.run(), at=sandbox)
    assert (result.exit_code, result.out, sandbox.accepted) == (2, "", []), result
    assert message in result.err
    assert "nothing was sent" in result.err
    assert not campaign.ledger.exists()


def test_invalid_rows_do_not_overwrite_a_foreign_file(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """The file of invalid rows does not overwrite a file that is not one."""
    campaign.write(3)
    _write_foreign_file(campaign)
    result = cli(*campaign.run(), at=sandbox)
    assert (result.exit_code, sandbox.accepted) == (2, []), result
    assert campaign.invalid_rows.read_text("utf-8") == "dear diary\n"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--rate", "0"], "rate"),
        (["--concurrency", "0"], "concurrency"),
        (["--deadline", "soon"], "--deadline takes a duration, such as 90s, 5m, 2h or 1d"),
        (["--reconcile-after", "0s"], "--reconcile-after takes a duration"),
        (["--hours", "always"], "09:00-20:00"),
        (["--key", "nmae"], "did you mean name?"),
        (["--key", "pin"], "codes"),
        (["--region", "Greece"], "Greece"),
        (["--format", "xls"], "xls"),
        (["--callbacks", "https://example.test/routee"], "ROUTEE_CALLBACK_KEY is not set"),
        (["--listen", "127.0.0.1:9000"], "--listen needs --callbacks URL"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_invalid_option_exits_with_2_before_a_ledger(
    more: list[str], message: str, campaign: Campaign, sandbox: Sandbox, cli: Cli
) -> None:
    """An invalid option is named, before a ledger is created."""
    result = cli(*campaign.write(3).run(*more), at=sandbox)
    assert (result.exit_code, result.out, sandbox.accepted) == (2, "", []), result
    assert message in result.err
    assert not campaign.ledger.exists()


def test_missing_credentials_exit_with_2_before_a_ledger(campaign: Campaign, cli: Cli) -> None:
    """Without credentials no run starts, and the error names the variables."""
    result = cli(*campaign.write(3).run())
    assert result.exit_code == 2
    assert "ROUTEE_APPLICATION_ID" in result.err
    assert not campaign.ledger.exists()


@pytest.mark.parametrize("kind", ["garbage", "database", "recipients"])
def test_file_that_is_not_a_ledger_exits_with_2_unchanged(
    kind: str, campaign: Campaign, sandbox: Sandbox, cli: Cli
) -> None:
    """A file that is not a ledger is an error in every command, and is left unchanged."""
    campaign.write(3)
    path = campaign.people if kind == "recipients" else campaign.ledger
    if kind == "garbage":
        path.write_bytes(b"SQLite format 3\x00" + b"x" * 5000)
    elif kind == "database":
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE mine (a)")
        connection.close()
    before = path.read_bytes()
    ledger = str(path)
    commands = [["bulk", name, ledger] for name in ("resume", "status", "reconcile", "export", "report")]
    for arguments in (campaign.run("--ledger", ledger), *commands):
        result = cli(*arguments, at=sandbox)
        assert (result.exit_code, result.out) == (2, ""), (arguments, result)
        assert "internal error" not in result.err
    assert (path.read_bytes(), sandbox.accepted) == (before, [])


def test_missing_ledger_exits_with_2_and_is_not_created(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """A missing ledger is named, with the command that starts a run, and is not created."""
    for name in ("resume", "status", "reconcile", "export", "report"):
        result = cli("bulk", name, str(campaign.ledger), at=sandbox)
        assert result.exit_code == 2
        assert "routee-failover bulk run RECIPIENTS --flow FLOW" in result.err
    assert list(campaign.folder.iterdir()) == []


def test_ledger_of_a_program_cannot_be_resumed(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """A ledger that a program has created cannot be resumed from the command line, but its status can be read."""

    async def create() -> None:
        async with SqliteLedger(campaign.ledger):
            pass

    asyncio.run(create())
    for name in ("resume", "reconcile"):
        result = cli("bulk", name, str(campaign.ledger), at=sandbox)
        assert result.exit_code == 2
        assert "the command line has started no run in this ledger" in result.err
    assert cli("bulk", "status", str(campaign.ledger)).exit_code == 0


def test_ledger_in_use_can_only_be_read(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """While one run has the ledger open, a second one is an error, and status, export and report can read it."""
    campaign.write(3)
    assert cli(*campaign.run(), at=sandbox).exit_code == 0

    async def meanwhile() -> None:
        async with SqliteLedger(campaign.ledger):
            for arguments in (campaign.run(), ["bulk", "resume", str(campaign.ledger)]):
                result = await asyncio.to_thread(cli, *arguments, at=sandbox)
                assert (result.exit_code, result.out) == (2, ""), result
                assert "a run has it open" in result.err
            for name in ("status", "export", "report"):
                assert (await asyncio.to_thread(cli, "bulk", name, str(campaign.ledger))).exit_code == 0

    asyncio.run(meanwhile())
    assert len(sandbox.accepted) == 3


@pytest.mark.parametrize("command", ["run", "resume"])
def test_changed_flow_exits_with_2(command: str, campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """With a changed flow neither command continues: some people would get one text and some another."""
    campaign.write(3)
    assert cli(*campaign.run(), at=sandbox).exit_code == 0
    campaign.write(4, flow=OTP | {"callback": {"url": "https://example.test/cb"}})
    arguments = campaign.run() if command == "run" else ["bulk", "resume", str(campaign.ledger)]
    result = cli(*arguments, at=sandbox)
    assert (result.exit_code, result.out, len(sandbox.accepted)) == (2, "", 3), result
    assert "flow.json has changed since" in result.err
    assert "With another --ledger everyone who already has a message would get a second one" in result.err


@pytest.mark.parametrize(("option", "value"), [("--key", "name"), ("--region", "GR")])
def test_changed_key_option_exits_with_2(
    option: str, value: str, campaign: Campaign, sandbox: Sandbox, cli: Cli
) -> None:
    """A change of the key would send rows twice, so it is an error."""
    campaign.write(3)
    assert cli(*campaign.run(), at=sandbox).exit_code == 0
    result = cli(*campaign.run(option, value), at=sandbox)
    assert (result.exit_code, len(sandbox.accepted)) == (2, 3)
    assert f"started without {option}" in result.err


@pytest.mark.parametrize("command", ["resume", "reconcile"])
@pytest.mark.parametrize(
    ("variable", "value"),
    [("ROUTEE_API_URL", "https://connect.routee.net"), ("ROUTEE_APPLICATION_ID", "another")],
)
def test_changed_account_exits_with_2(
    command: str, variable: str, value: str, campaign: Campaign, sandbox: Sandbox, cli: Cli
) -> None:
    """Another Routee or application does not know these messages: it would prove each one absent."""
    campaign.write(3)
    assert cli(*campaign.run(), at=sandbox).exit_code == 0
    result = cli("bulk", command, str(campaign.ledger), at=sandbox, **{variable: value})
    assert result.exit_code == 2
    assert "only that one knows its messages" in result.err
