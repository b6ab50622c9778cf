"""What a run is refused for: each time one clear line, status 2, nothing sent, and nothing made or changed."""

import asyncio
import sqlite3
from collections.abc import Callable

import pytest

from routee_failover.ledger import SqliteLedger
from routee_failover.sandbox import Sandbox

from ..conftest import Cli
from .campaign import OTP, SMS, Campaign, number


def _spoil_flow(campaign: Campaign) -> None:
    campaign.flow.write_text('{"endpoint": "otp", "flow": [', "utf-8")


def _no_endpoint(campaign: Campaign) -> None:
    campaign.flow.write_text('{"flow": []}', "utf-8")


def _typo(campaign: Campaign) -> None:
    campaign.write(3, flow=SMS | {"flow": [SMS["flow"][0] | {"message": {"body": "Hello {nmae}"}}]})


def _no_header(campaign: Campaign) -> None:
    campaign.people.write_text(f"{number(1)},Ada,1\n", "utf-8")


def _not_utf8(campaign: Campaign) -> None:
    campaign.people.write_bytes(b"phone,n\xe4me\n")


def _no_people(campaign: Campaign) -> None:
    campaign.people.unlink()


def _foreign_refused(campaign: Campaign) -> None:
    campaign.invalid_rows.write_text("dear diary\n", "utf-8")


SPOILT: list[tuple[Callable[[Campaign], None], str]] = [
    (_spoil_flow, "flow.json is not JSON"),
    (_no_endpoint, "endpoint"),
    (_typo, "did you mean name?"),
    (_no_header, "line 1 holds a number where it must name the columns"),
    (_not_utf8, "UTF-8"),
    (_no_people, "people.csv"),
]


@pytest.mark.parametrize(("spoil", "words"), SPOILT, ids=lambda value: getattr(value, "__name__", ""))
def test_files(spoil: Callable[[Campaign], None], words: str, campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """A file that cannot be used is refused before there is a ledger."""
    campaign.write(3)
    spoil(campaign)
    result = cli(*campaign.run(), at=sandbox)
    assert (result.exit_code, result.out, sandbox.accepted) == (2, "", []), result
    assert words in result.err
    assert "nothing was sent" in result.err
    assert not campaign.ledger.exists()


def test_somebody_elses_file(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """A list of refused rows is not written over a file that is none."""
    campaign.write(3)
    _foreign_refused(campaign)
    result = cli(*campaign.run(), at=sandbox)
    assert (result.exit_code, sandbox.accepted) == (2, []), result
    assert campaign.invalid_rows.read_text("utf-8") == "dear diary\n"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--rate", "0"], "rate"),
        (["--concurrency", "0"], "concurrency"),
        (["--deadline", "soon"], "--deadline takes a length of time, such as 90s, 5m, 2h or 1d"),
        (["--reconcile-after", "0s"], "--reconcile-after takes a length of time"),
        (["--hours", "always"], "09:00-20:00"),
        (["--key", "nmae"], "did you mean name?"),
        (["--key", "pin"], "codes"),
        (["--region", "Greece"], "Greece"),
        (["--format", "xls"], "xls"),
        (["--callbacks", "https://example.test/routee"], "ROUTEE_CALLBACK_KEY is not set"),
        (["--listen", "127.0.0.1:9000"], "give --callbacks URL too"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_options(more: list[str], words: str, campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """An option that cannot work is named, before there is a ledger."""
    result = cli(*campaign.write(3).run(*more), at=sandbox)
    assert (result.exit_code, result.out, sandbox.accepted) == (2, "", []), result
    assert words in result.err
    assert not campaign.ledger.exists()


def test_without_settings(campaign: Campaign, cli: Cli) -> None:
    """Without credentials nothing begins, and the line names the variables."""
    result = cli(*campaign.write(3).run())
    assert result.exit_code == 2
    assert "ROUTEE_APPLICATION_ID" in result.err
    assert not campaign.ledger.exists()


@pytest.mark.parametrize("kind", ["garbage", "database", "recipients"])
def test_no_ledger(kind: str, campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """What is no ledger is refused by every command, and left as it is."""
    campaign.write(3)
    where = campaign.people if kind == "recipients" else campaign.ledger
    if kind == "garbage":
        where.write_bytes(b"SQLite format 3\x00" + b"x" * 5000)
    elif kind == "database":
        connection = sqlite3.connect(where)
        connection.execute("CREATE TABLE mine (a)")
        connection.close()
    before = where.read_bytes()
    ledger = str(where)
    commands = [["bulk", name, ledger] for name in ("resume", "status", "reconcile", "export", "report")]
    for arguments in (campaign.run("--ledger", ledger), *commands):
        result = cli(*arguments, at=sandbox)
        assert (result.exit_code, result.out) == (2, ""), (arguments, result)
        assert "this should not happen" not in result.err
    assert (where.read_bytes(), sandbox.accepted) == (before, [])


def test_no_such_ledger(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """A ledger that is not there is named, with the command that begins one, and none is made."""
    for name in ("resume", "status", "reconcile", "export", "report"):
        result = cli("bulk", name, str(campaign.ledger), at=sandbox)
        assert result.exit_code == 2
        assert "routee-failover bulk run RECIPIENTS --flow FLOW" in result.err
    assert list(campaign.folder.iterdir()) == []


def test_a_ledger_of_a_program(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """A ledger that the command line did not begin has no files to go on with, and may be looked at."""

    async def begin() -> None:
        async with SqliteLedger(campaign.ledger):
            pass

    asyncio.run(begin())
    for name in ("resume", "reconcile"):
        result = cli("bulk", name, str(campaign.ledger), at=sandbox)
        assert result.exit_code == 2
        assert "no run was begun in this ledger from the command line" in result.err
    assert cli("bulk", "status", str(campaign.ledger)).exit_code == 0


def test_two_at_once(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """While one run has the ledger, a second one is refused, and status, export and report read it."""
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
def test_another_flow(command: str, campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """Once the flow has changed, neither command goes on: some would get one text and some another."""
    campaign.write(3)
    assert cli(*campaign.run(), at=sandbox).exit_code == 0
    campaign.write(4, flow=OTP | {"callback": {"url": "https://example.test/cb"}})
    arguments = campaign.run() if command == "run" else ["bulk", "resume", str(campaign.ledger)]
    result = cli(*arguments, at=sandbox)
    assert (result.exit_code, result.out, len(sandbox.accepted)) == (2, "", 3), result
    assert "flow.json has changed since" in result.err
    assert "With another --ledger everyone who has a message already would get a second one" in result.err


@pytest.mark.parametrize(("option", "value"), [("--key", "name"), ("--region", "GR")])
def test_another_way_to_know_rows(option: str, value: str, campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """Rows that would be known by something else now would be sent twice, so that is refused."""
    campaign.write(3)
    assert cli(*campaign.run(), at=sandbox).exit_code == 0
    result = cli(*campaign.run(option, value), at=sandbox)
    assert (result.exit_code, len(sandbox.accepted)) == (2, 3)
    assert f"begun without {option}" in result.err


@pytest.mark.parametrize("command", ["resume", "reconcile"])
@pytest.mark.parametrize(
    ("variable", "value"),
    [("ROUTEE_API_URL", "https://connect.routee.net"), ("ROUTEE_APPLICATION_ID", "another")],
)
def test_another_account(
    command: str, variable: str, value: str, campaign: Campaign, sandbox: Sandbox, cli: Cli
) -> None:
    """Another Routee, or another application, knows nothing of these messages: it would prove each was not taken."""
    campaign.write(3)
    assert cli(*campaign.run(), at=sandbox).exit_code == 0
    result = cli("bulk", command, str(campaign.ledger), at=sandbox, **{variable: value})
    assert result.exit_code == 2
    assert "which alone knows what became of it" in result.err
