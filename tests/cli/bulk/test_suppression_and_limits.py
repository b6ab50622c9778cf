"""Suppression lists, --max-messages and the balance at the start of a run."""

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


def _write_suppression_list(campaign: Campaign, *indexes: int, name: str = "optout.csv") -> Path:
    path = campaign.folder / name
    path.write_text("\n".join(["phone", *(number(index) for index in indexes), ""]))
    return path


def _done(out: str) -> dict[str, Any]:
    done: dict[str, Any] = json.loads(out.splitlines()[-1])
    return done


def test_suppressed_rows_are_not_sent_and_counted_apart(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """Two lists are merged; suppressed rows are counted apart everywhere, and are no failure."""
    campaign.write(20)
    lists = [
        "--suppress", str(_write_suppression_list(campaign, 3, 4)),
        "--suppress", str(_write_suppression_list(campaign, 4, 50, name="more.txt")),
    ]  # fmt: skip
    dry = cli(*campaign.run(*lists, "--dry-run"))
    assert (dry.exit_code, "18 can be sent, 2 on the suppression list." in dry.out) == (0, True)
    assert json.loads(cli(*campaign.run(*lists, "--dry-run", "--json")).out)["suppressed"] == 2
    result = cli(*campaign.run(*lists), at=sandbox)
    assert result.exit_code == 0, result
    assert sorted(recipients(sandbox)) == [to for to in everyone(20) if to not in {number(3), number(4)}]
    assert "Suppression list: 3 numbers, to which nothing is sent." in result.out
    assert "18 of 20 rows accepted" in result.out
    assert "2 are on the suppression list and not sent." in result.out
    status = cli("bulk", "status", str(campaign.ledger))
    assert (status.exit_code, "suppressed" in status.out) == (0, True)
    counted = json.loads(cli("bulk", "status", str(campaign.ledger), "--json").out)
    assert (counted["suppressed"], counted["accepted"], counted["not_sent"], counted["duplicates"]) == (2, 18, 0, 0)
    again = cli(*campaign.run("--json"), at=sandbox)
    assert (again.exit_code, len(recipients(sandbox)), _done(again.out)["suppressed"]) == (0, 18, 2)
    assert json.loads(again.out.splitlines()[0])["suppression_list"] == 3


def test_growing_list_applies_to_the_resumed_run(campaign: Campaign, sandbox: Sandbox) -> None:
    """A run is killed, people opt out, and it is resumed: no one who is then on a list gets the message."""
    optout = _write_suppression_list(campaign, 0)
    with start_run(campaign.write(150), sandbox, "--rate", "100", "--suppress", str(optout)) as process:
        wait_until(lambda: len(sandbox.accepted) > 20)
        process.kill()
    reached = {*recipients(sandbox)}
    _write_suppression_list(campaign, *range(0, 150, 3))
    more = _write_suppression_list(campaign, *range(0, 150, 5), name="more.csv")
    reconcile = ["--reconcile-after", "0.3s"]
    resumed = run(
        "bulk",
        "resume",
        str(campaign.ledger),
        "--rate",
        "5000",
        "--suppress",
        str(more),
        *reconcile,
        "--json",
        at=sandbox,
    )
    assert resumed.exit_code == 0, resumed
    suppressed = {number(index) for index in range(150) if index % 3 == 0 or index % 5 == 0}
    assert {*recipients(sandbox)} - reached == {*everyone(150)} - reached - suppressed
    assert len(recipients(sandbox)) == len({*recipients(sandbox)})
    done = _done(resumed.out)
    assert done["accepted"] + done["suppressed"] == done["total"] == 150
    status = json.loads(run("bulk", "status", str(campaign.ledger), "--json").out)
    assert (status["suppressed"], status["not_sent"]) == (done["suppressed"], 0)


@pytest.mark.parametrize("text", [f"{number(1)}\nAda\n", "", "phone\n"])
def test_invalid_list_exits_with_2_and_sends_nothing(campaign: Campaign, sandbox: Sandbox, cli: Cli, text: str) -> None:
    """Neither a new run nor a resumed one sends anything with an invalid list; no ledger is created."""
    optout = _write_suppression_list(campaign, 1)
    optout.write_text(text)
    rejected = cli(*campaign.write(3).run("--suppress", str(optout)), at=sandbox)
    assert (rejected.exit_code, campaign.ledger.exists(), len(sandbox.accepted)) == (2, False, 0)
    assert "nothing was sent" in rejected.err
    assert cli(*campaign.run("--suppress", str(optout), "--dry-run")).exit_code == 2
    _write_suppression_list(campaign, 1)
    assert cli(*campaign.run("--suppress", str(optout), "--max-messages", "1"), at=sandbox).exit_code == 3
    optout.unlink()
    missing = cli("bulk", "resume", str(campaign.ledger), "--max-messages", "all", at=sandbox)
    assert (missing.exit_code, len(sandbox.accepted)) == (2, 1)
    assert "optout.csv does not exist" in missing.err


def test_invalid_rows_file_cannot_replace_a_list(campaign: Campaign, cli: Cli) -> None:
    """The file of invalid rows cannot replace a suppression list."""
    optout = str(_write_suppression_list(campaign, 1))
    result = cli(*campaign.write(3).run("--suppress", optout, "--invalid-rows", optout, "--dry-run"))
    assert result.exit_code == 2
    assert "is a suppression list of this run" in result.err


def test_max_messages_stops_and_resume_sends_the_rest(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """Exactly N messages are sent, the summary has the reason and the resume command, and that sends the rest."""
    campaign.write(120)
    first = cli(*campaign.run("--max-messages", "40", "--concurrency", "100"), at=sandbox)
    assert (first.exit_code, len(sandbox.accepted)) == (3, 40), first
    assert "At most 40 messages are sent (--max-messages), including those of earlier runs." in first.out
    assert "Stopped before every row was sent: reached --max-messages 40." in first.out
    assert "80 not sent because of --max-messages" in first.out
    again = cli(*campaign.run(), at=sandbox)
    assert (again.exit_code, len(sandbox.accepted)) == (3, 40)
    more = cli("bulk", "resume", str(campaign.ledger), "--max-messages", "50", "--json", at=sandbox)
    assert (more.exit_code, len(sandbox.accepted)) == (3, 50)
    assert _done(more.out)["stop_reason"] == "reached --max-messages 50"
    assert "--max-messages all" in _done(more.out)["resume"]
    status = cli("bulk", "status", str(campaign.ledger))
    assert status.exit_code == 3
    rest = cli(*resume_command(status.out), at=sandbox)
    assert (rest.exit_code, sorted(recipients(sandbox))) == (0, everyone(120)), rest


def test_max_messages_holds_through_kills(campaign: Campaign, sandbox: Sandbox) -> None:
    """However often the process is killed and restarted, Routee never has more messages than the limit."""
    assert run(*campaign.write(400).run("--max-messages", "5"), at=sandbox).exit_code == 3  # search canaries
    sandbox.script(fault="reset", times=10)
    limit = ["--max-messages", "60", "--rate", "200", "--reconcile-after", "0.3s"]
    for reached in (10, 30, 50):
        with start_run(campaign, sandbox, *limit) as process:
            wait_until(lambda: len(sandbox.accepted) >= reached or process.poll() is not None)  # noqa: B023
            process.kill()
        assert len(sandbox.accepted) <= 60
    end = run(*campaign.run(*limit, "--json"), at=sandbox)
    assert end.exit_code == 3, end
    assert len(sandbox.accepted) == len({*recipients(sandbox)}) == 60
    assert _done(end.out)["accepted"] == 60


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "x", "", "9" * 30])
def test_invalid_max_messages_exits_with_2(campaign: Campaign, cli: Cli, text: str) -> None:
    """An invalid limit is an error, and so is a limit with the policy that may send twice."""
    result = cli(*campaign.write(3).run(f"--max-messages={text}", "--dry-run"))
    assert (
        result.exit_code,
        "--max-messages takes a whole number of at least 1, or all; nothing was sent" in result.err,
    ) == (
        2,
        True,
    )
    both = cli(*campaign.run("--max-messages", "5", "--unknown", "resend", "--dry-run"))
    assert (both.exit_code, "max_messages cannot be combined" in both.err) == (2, True)


def test_startup_shows_the_balance(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """The startup summary has the balance."""
    result = cli(*campaign.write(1, flow=SMS).run(), at=sandbox)
    assert "Account balance: 100.00 EUR." in result.out


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b"nonsense",
        b"",
        None,
    ],
)
async def test_unavailable_balance_is_omitted_without_delay(
    sandbox: Sandbox, response: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the account may not see the balance, or no response arrives, it is omitted without a wait."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(response or b"")
            await writer.drain()
            if response is None:
                await reader.read()
        writer.close()

    monkeypatch.setattr(startup_summary, "BALANCE_TIMEOUT", 0.5)
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        config = attrs.evolve(sandbox.config(), api_url=f"http://{host}:{port}", auth_url=sandbox.url)
        async with asyncio.timeout(20):
            assert await startup_summary.fetch_balance(config) is None
    assert (await startup_summary.fetch_balance(sandbox.config())) is not None


def test_run_without_a_balance_does_not_mention_it(
    campaign: Campaign, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that cannot read the balance does not mention it."""

    async def no_balance(_config: Config) -> None:
        return None

    monkeypatch.setattr(runner, "fetch_balance", no_balance)
    campaign.write(2)
    for json_option in ([], ["--json"]):
        result = CliRunner().invoke(app, campaign.run(*json_option), env=settings(sandbox))
        assert result.exit_code == 0
        assert "balance:" not in result.stdout
    assert json.loads(result.stdout.splitlines()[0])["balance"] is None


def test_report_counts_suppressed_rows(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """The report has the number of suppressed rows, and does not promise that resume sends them."""
    sandbox.script(to=number(2), fault="reset-before")
    campaign.write(4)
    assert cli(*campaign.run("--unknown", "keep"), at=sandbox).exit_code == 4
    options = [
        "--suppress",
        str(_write_suppression_list(campaign, 2)),
        "--unknown",
        "reconcile",
        "--reconcile-after",
        "0.3s",
    ]
    result = cli(*campaign.run(*options, "--json"), at=sandbox)
    assert (result.exit_code, _done(result.out)["suppressed"], _done(result.out)["not_sent"]) == (0, 1, 0), result
    assert number(2) not in recipients(sandbox)
    assert cli("bulk", "report", str(campaign.ledger)).exit_code == 0
    page = campaign.ledger.with_suffix(".html").read_text("utf-8")
    assert "1 row is on the suppression list." in page
    assert "not sent" not in page.lower().partition("</header>")[0]
    status = json.loads(cli("bulk", "status", str(campaign.ledger), "--json").out)
    assert (status["suppressed"], status["not_sent"], status["accepted"]) == (1, 0, 3)
