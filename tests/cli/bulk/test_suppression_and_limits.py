"""What limits a run from the command line: numbers that are never written to, a cap on messages; and the balance."""

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

import attrs
import pytest
from typer.testing import CliRunner

from routee_failover import Config
from routee_failover.cli.app import app
from routee_failover.cli.bulk import runner, startup_summary
from routee_failover.sandbox import Sandbox

from ..conftest import Cli
from ..shell import run, settings
from .campaign import SMS, Campaign, everyone, number, recipients
from .test_interrupted_runs import resume_command, start_run, wait_until


def _optout(campaign: Campaign, *places: int, name: str = "optout.csv") -> Path:
    path = campaign.folder / name
    path.write_text("\n".join(["phone", *(number(place) for place in places), ""]))
    return path


def _done(out: str) -> dict[str, Any]:
    done: dict[str, Any] = json.loads(out.splitlines()[-1])
    return done


def test_nobody_on_a_list_is_written_to(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """Two lists are one; those on them are counted apart everywhere, and are no failure."""
    campaign.write(20)
    lists = [
        "--suppress", str(_optout(campaign, 3, 4)), "--suppress", str(_optout(campaign, 4, 50, name="more.txt")),
    ]  # fmt: skip
    dry = cli(*campaign.run(*lists, "--dry-run"))
    assert (dry.exit_code, "18 can be sent, 2 are on the suppression list." in dry.out) == (0, True)
    assert json.loads(cli(*campaign.run(*lists, "--dry-run", "--json")).out)["suppressed"] == 2
    result = cli(*campaign.run(*lists), at=sandbox)
    assert result.exit_code == 0, result
    assert sorted(recipients(sandbox)) == [to for to in everyone(20) if to not in {number(3), number(4)}]
    assert "3 numbers are on the suppression list, and not written to." in result.out
    assert "18 of 20 rows are accepted" in result.out
    assert "2 are on the suppression list, and not written to." in result.out
    status = cli("bulk", "status", str(campaign.ledger))
    assert (status.exit_code, "suppressed" in status.out) == (0, True)
    counted = json.loads(cli("bulk", "status", str(campaign.ledger), "--json").out)
    assert (counted["suppressed"], counted["accepted"], counted["not_sent"], counted["duplicates"]) == (2, 18, 0, 0)
    again = cli(*campaign.run("--json"), at=sandbox)
    assert (again.exit_code, len(recipients(sandbox)), _done(again.out)["suppressed"]) == (0, 18, 2)
    assert json.loads(again.out.splitlines()[0])["suppression_list"] == 3


def test_a_list_that_grows(campaign: Campaign, sandbox: Sandbox) -> None:
    """A run is killed, people opt out, and it is resumed: none of those who are on a list by then gets the message."""
    optout = _optout(campaign, 0)
    with start_run(campaign.write(150), sandbox, "--rate", "100", "--suppress", str(optout)) as process:
        wait_until(lambda: len(sandbox.accepted) > 20)
        process.kill()
    reached = {*recipients(sandbox)}
    _optout(campaign, *range(0, 150, 3))
    more = _optout(campaign, *range(0, 150, 5), name="more.csv")
    late = ["--reconcile-after", "0.3s"]
    resumed = run(
        "bulk", "resume", str(campaign.ledger), "--rate", "5000", "--suppress", str(more), *late, "--json", at=sandbox
    )
    assert resumed.exit_code == 0, resumed
    listed = {number(place) for place in range(150) if place % 3 == 0 or place % 5 == 0}
    assert {*recipients(sandbox)} - reached == {*everyone(150)} - reached - listed
    assert len(recipients(sandbox)) == len({*recipients(sandbox)})
    done = _done(resumed.out)
    assert done["accepted"] + done["suppressed"] == done["total"] == 150
    status = json.loads(run("bulk", "status", str(campaign.ledger), "--json").out)
    assert (status["suppressed"], status["not_sent"]) == (done["suppressed"], 0)


@pytest.mark.parametrize("text", [f"{number(1)}\nAda\n", "", "phone\n"])
def test_a_broken_list_sends_nothing(campaign: Campaign, sandbox: Sandbox, cli: Cli, text: str) -> None:
    """Neither a new run nor a resumed one sends anything with a list that cannot be read whole; no ledger is made."""
    optout = _optout(campaign, 1)
    optout.write_text(text)
    refused = cli(*campaign.write(3).run("--suppress", str(optout)), at=sandbox)
    assert (refused.exit_code, campaign.ledger.exists(), len(sandbox.accepted)) == (2, False, 0)
    assert "nothing was sent" in refused.err
    assert cli(*campaign.run("--suppress", str(optout), "--dry-run")).exit_code == 2
    _optout(campaign, 1)
    assert cli(*campaign.run("--suppress", str(optout), "--max-messages", "1"), at=sandbox).exit_code == 3
    optout.unlink()
    gone = cli("bulk", "resume", str(campaign.ledger), "--max-messages", "all", at=sandbox)
    assert (gone.exit_code, len(sandbox.accepted)) == (2, 1)
    assert "optout.csv cannot be read" in gone.err


def test_a_list_is_no_output(campaign: Campaign, cli: Cli) -> None:
    """The list of refused rows never takes the place of a suppression list."""
    optout = str(_optout(campaign, 1))
    result = cli(*campaign.write(3).run("--suppress", optout, "--invalid-rows", optout, "--dry-run"))
    assert result.exit_code == 2
    assert "is a suppression list of this run" in result.err


def test_a_cap(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """Exactly so many are sent, the end says why and how to go on, and that command sends the rest."""
    campaign.write(120)
    first = cli(*campaign.run("--max-messages", "40", "--concurrency", "100"), at=sandbox)
    assert (first.exit_code, len(sandbox.accepted)) == (3, 40), first
    assert "At most 40 messages are sent (--max-messages), those of earlier runs included." in first.out
    assert "It ended before all was sent: stopped at --max-messages 40." in first.out
    assert "80 not sent yet because of --max-messages" in first.out
    again = cli(*campaign.run(), at=sandbox)
    assert (again.exit_code, len(sandbox.accepted)) == (3, 40)
    more = cli("bulk", "resume", str(campaign.ledger), "--max-messages", "50", "--json", at=sandbox)
    assert (more.exit_code, len(sandbox.accepted)) == (3, 50)
    assert _done(more.out)["stop_reason"] == "stopped at --max-messages 50"
    assert "--max-messages all" in _done(more.out)["resume"]
    status = cli("bulk", "status", str(campaign.ledger))
    assert status.exit_code == 3
    rest = cli(*resume_command(status.out), at=sandbox)
    assert (rest.exit_code, sorted(recipients(sandbox))) == (0, everyone(120)), rest


def test_a_cap_through_kills(campaign: Campaign, sandbox: Sandbox) -> None:
    """However often the process is killed and the command said again, Routee never has more than the cap."""
    assert run(*campaign.write(400).run("--max-messages", "5"), at=sandbox).exit_code == 3  # what a search is proven by
    sandbox.script(fault="reset", times=10)
    cap = ["--max-messages", "60", "--rate", "200", "--reconcile-after", "0.3s"]
    for reached in (10, 30, 50):
        with start_run(campaign, sandbox, *cap) as process:
            wait_until(lambda: len(sandbox.accepted) >= reached or process.poll() is not None)  # noqa: B023
            process.kill()
        assert len(sandbox.accepted) <= 60
    end = run(*campaign.run(*cap, "--json"), at=sandbox)
    assert end.exit_code == 3, end
    assert len(sandbox.accepted) == len({*recipients(sandbox)}) == 60
    assert _done(end.out)["accepted"] == 60


@pytest.mark.parametrize("words", ["0", "-1", "1.5", "x", "", "9" * 30])
def test_a_cap_that_is_none(campaign: Campaign, cli: Cli, words: str) -> None:
    """What is no number is refused, and so is a cap beside a policy that sends twice."""
    result = cli(*campaign.write(3).run(f"--max-messages={words}", "--dry-run"))
    assert (result.exit_code, "--max-messages takes a whole number from 1, or all; nothing was sent" in result.err) == (
        2,
        True,
    )
    both = cli(*campaign.run("--max-messages", "5", "--unknown", "resend", "--dry-run"))
    assert (both.exit_code, "max_messages cannot be kept" in both.err) == (2, True)


def test_the_balance_is_shown(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """The start says what the account holds."""
    result = cli(*campaign.write(1, flow=SMS).run(), at=sandbox)
    assert "The account holds 100.00 EUR." in result.out


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b"nonsense",
        b"",
        None,
    ],
)
async def test_a_balance_that_cannot_be_seen(
    sandbox: Sandbox, answer: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the account may not see it, or no answer comes, there is none, and nobody is kept waiting for it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer or b"")
            await writer.drain()
            if answer is None:
                await reader.read()
        writer.close()

    monkeypatch.setattr(startup_summary, "BALANCE_TIMEOUT", 0.5)
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        config = attrs.evolve(sandbox.config(), api_url=f"http://{host}:{port}", auth_url=sandbox.url)
        async with asyncio.timeout(20):
            assert await startup_summary.fetch_balance(config) is None
    assert (await startup_summary.fetch_balance(sandbox.config())) is not None


def test_a_run_without_a_balance(campaign: Campaign, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is not told the balance says nothing of it."""

    async def none(_config: Config) -> None:
        return None

    monkeypatch.setattr(runner, "balance_of", none)
    campaign.write(2)
    for json_too in ([], ["--json"]):
        result = CliRunner().invoke(app, campaign.run(*json_too), env=settings(sandbox))
        assert result.exit_code == 0
        assert "holds" not in result.stdout
    assert json.loads(result.stdout.splitlines()[0])["balance"] is None


def test_the_report_tells_of_suppressed_rows(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """The page says how many rows are on the list, and does not promise that resume sends those that were begun."""
    sandbox.script(to=number(2), fault="reset-before")
    campaign.write(4)
    assert cli(*campaign.run("--unknown", "keep"), at=sandbox).exit_code == 4
    listed = ["--suppress", str(_optout(campaign, 2)), "--unknown", "reconcile", "--reconcile-after", "0.3s"]
    result = cli(*campaign.run(*listed, "--json"), at=sandbox)
    assert (result.exit_code, _done(result.out)["suppressed"], _done(result.out)["not_sent"]) == (0, 1, 0), result
    assert number(2) not in recipients(sandbox)
    assert cli("bulk", "report", str(campaign.ledger)).exit_code == 0
    page = campaign.ledger.with_suffix(".html").read_text("utf-8")
    assert "1 row is on the suppression list." in page
    assert "not sent" not in page.lower().partition("</header>")[0]
    status = json.loads(cli("bulk", "status", str(campaign.ledger), "--json").out)
    assert (status["suppressed"], status["not_sent"], status["accepted"]) == (1, 0, 3)
