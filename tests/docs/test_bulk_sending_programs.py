"""docs/bulk-sending.md: its programs run as printed, against a sandbox."""

import re
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from routee_failover.ledger import ClaimRequest, EntryState, MemoryLedger, Transition, TransitionDetails
from routee_failover.sandbox import Sandbox

from .test_python_blocks import ROOT, blocks, environment

PAGE = "docs/bulk-sending.md"
MADE, FLOWS, TABLE, LOGINS, WATCHED = blocks(PAGE, "python")
PEOPLE, ROWS = 200, 120
"""Fewer than on the page, where that is only a number."""
EXPECTED_LOG = ("Executing <", "callback rejected with 503")
"""Development mode logs slow iterations of the loop, of which a loaded machine has some; an inbox logs callbacks that
arrive while it closes, or faster than they are handled, and Routee repeats those."""
WINDOW = "09:00-20:00 Europe/Athens"


def program_output(program: str, folder: Path, sandbox: Sandbox, **more: str) -> list[str]:
    """Return the lines that a program prints; it must exit with 0 and log nothing unexpected."""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", program],
        cwd=folder,
        env=environment(sandbox) | more,
        capture_output=True,
        text=True,
        check=False,
    )
    complaints = [line for line in done.stderr.splitlines() if not line.startswith(EXPECTED_LOG)]
    assert (done.returncode, complaints) == (0, [])
    return done.stdout.splitlines()


def replace_once(program: str, was: str, now: str) -> str:
    """Return a program with one text of its page replaced, which must occur once."""
    assert program.count(was) == 1
    return program.replace(was, now)


def test_program_with_flows_run_twice_sends_each_message_once(tmp_path: Path) -> None:
    """Three people get the message, and a second run of the same program sends nothing."""
    with Sandbox(speed=600) as sandbox:
        for _ in range(2):
            assert program_output(FLOWS, tmp_path, sandbox) == ["3 accepted, 0 unknown"]
        assert sandbox.counts.accepted == 3


def test_program_with_database_run_twice_sends_each_code_once(tmp_path: Path) -> None:
    """Each row of the table gets its code once, however often the program is run."""
    with Sandbox(speed=600) as sandbox:
        program_output(replace_once(TABLE, "2_500", str(ROWS)), tmp_path, sandbox)
        program = replace_once(LOGINS, "LIMIT 1000", "LIMIT 50")
        assert program_output(program, tmp_path, sandbox) == [f"{ROWS} accepted, 0 skipped"]
        assert program_output(program, tmp_path, sandbox) == [f"{ROWS} accepted, {ROWS} skipped"]
        assert len({to for flow in sandbox.accepted for to in flow.to}) == sandbox.counts.accepted == ROWS


async def test_renew_codes_replaces_only_codes_proven_not_delivered() -> None:
    """A message not sent or proven not accepted gets another code; one that may have arrived keeps its own."""
    program: dict[str, Any] = {}
    exec(LOGINS.partition("asyncio.run(main())")[0], program)
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute("CREATE TABLE logins (id INTEGER PRIMARY KEY, phone TEXT, pin TEXT)")
        database.executemany("INSERT INTO logins (pin) VALUES (?)", [("old",)] * 5)
        async with MemoryLedger() as ledger:
            requests = [ClaimRequest(tag, str(tag), f"+30690000000{tag}", tag, b"fingerprint") for tag in range(1, 6)]
            transitions = [
                [Transition.ACCEPT],
                [Transition.MARK_UNKNOWN],
                [Transition.RELEASE],
                [Transition.MARK_UNKNOWN, Transition.CONFIRM_ABSENT],
                [Transition.MARK_UNKNOWN, Transition.RESEND],
            ]
            for claim, sequence in zip(await ledger.claim(requests, lease=60), transitions, strict=True):
                for transition in sequence:
                    assert await ledger.apply(transition, TransitionDetails(claim.number, claim.attempt))
            assert (await ledger.counts()).new == len([one async for one in ledger.entries({EntryState.NEW})]) == 3
            await program["renew_codes"](ledger, database)
        kept = [pin == "old" for (pin,) in database.execute("SELECT pin FROM logins ORDER BY id")]
    assert kept == [True, True, False, False, True]


@pytest.mark.skipif(sys.platform == "win32", reason="its loops take no signal handlers")
def test_program_with_callbacks_sends_all_and_writes_the_report(tmp_path: Path) -> None:
    """Each recipient gets the message, callbacks are accepted, and the report is written."""
    exec(replace_once(MADE, '"people.csv"', repr(str(tmp_path / "people.csv"))).replace("10_000):", f"{PEOPLE}):"), {})
    (flow,) = blocks(PAGE, "json")
    (tmp_path / "otp.json").write_text(flow, "utf-8")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    program = replace_once(replace_once(WATCHED, WINDOW, "00:00-24:00 Europe/Athens"), "8080", port)
    with Sandbox(speed=20) as sandbox:  # so that callbacks minutes apart do not arrive at the same time
        lines = program_output(
            program,
            tmp_path,
            sandbox,
            CALLBACK_KEY="a key that nobody else could ever guess",
            CALLBACK_URL=f"http://127.0.0.1:{port}/routee",
        )
        assert sandbox.counts.accepted == PEOPLE
        assert any(attempt.status == 200 for callback in sandbox.callbacks for attempt in callback.attempts)
    assert f"{PEOPLE} accepted" in lines
    assert lines[-1].endswith(" still in progress")
    assert (tmp_path / "watched.html").is_file()


@pytest.mark.parametrize("page", ["README.md", PAGE])
def test_install_section_names_the_extras_of_bulk_sending(page: str) -> None:
    """The page names the bulk and parquet extras where it shows how to install."""
    text = (ROOT / page).read_text("utf-8")
    assert "pip install" in text
    assert re.search(r"\bbulk\]", text)
    assert re.search(r"\bparquet\b[]`]", text)
