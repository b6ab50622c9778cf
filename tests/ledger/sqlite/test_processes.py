"""Several processes and one ledger: a second process, a killed one, and one whose disk is full."""

import asyncio
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from routee_failover import LedgerError
from routee_failover.ledger import EntryState, SqliteLedger, StateCounts

from ..factories import claim_lines

ROOT = Path(__file__).parents[3]

WRITER = """
import asyncio, resource, sys
sys.path.insert(0, {root!r})
from routee_failover.ledger import Transition, SqliteLedger
from tests.ledger.factories import transition_details, claim_request

async def worker(ledger, start):
    line = start
    while True:
        (found,) = await ledger.claim([claim_request(line)], lease=60)
        assert found.claimed
        print("claimed", line, flush=True)
        line += 20
        if line % 3:
            await ledger.apply(Transition.ACCEPT, transition_details(found))
            print("accepted", line - 20, flush=True)

async def main():
    async with SqliteLedger({path!r}) as ledger:
        print("open", flush=True)
        {more}
        await asyncio.gather(*(worker(ledger, start) for start in range(20)))

asyncio.run(main())
"""


def _start_writer(path: Path, more: str = "") -> "subprocess.Popen[str]":
    code = textwrap.dedent(WRITER).format(root=str(ROOT), path=str(path), more=more)
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )


def _kill(process: "subprocess.Popen[str]", after: int) -> list[tuple[str, int]]:
    """Kill a writer after it has printed `after` lines; return all the lines that it has printed."""
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout, process.stderr:
        lines = [process.stdout.readline() for _ in range(after)]
        process.kill()
        rest = process.stdout.read()
    process.wait(30)
    # The last line may be incomplete.
    printed = [line.split() for line in "".join([*lines, rest]).split("\n")[1:-1]]
    return [(word, int(line)) for word, line in printed]


@pytest.mark.parametrize("after", [50, 400, 1500])
async def test_killed_run_keeps_every_acknowledged_claim_and_transition(path: Path, after: int) -> None:
    """Every claim and every transition that was acknowledged is in the file, and no claim is open."""
    printed = await asyncio.to_thread(_kill, _start_writer(path), after)
    assert len(printed) >= after - 1
    async with SqliteLedger(path) as ledger:
        states = {entry.line: entry.state async for entry in ledger.entries()}
        assert {line for word, line in printed if word == "claimed"} <= set(states)
        assert all(states[line] is EntryState.ACCEPTED for word, line in printed if word == "accepted")
        assert set(states.values()) <= {EntryState.ACCEPTED, EntryState.UNKNOWN}
        counts = await ledger.counts()
        assert counts == StateCounts(
            accepted=sum(state is EntryState.ACCEPTED for state in states.values()),
            unknown=sum(state is EntryState.UNKNOWN for state in states.values()),
        )
        await claim_lines(ledger, 10**7)


async def test_second_process_can_only_read_until_the_first_is_gone(path: Path) -> None:
    """It is refused at once because the file is in use, may read it meanwhile, and opens it when the first is gone."""
    process = _start_writer(path)
    try:
        assert process.stdout is not None
        await asyncio.to_thread(process.stdout.readline)
        with pytest.raises(LedgerError, match="a run has it open, here or in another process"):
            await SqliteLedger(path).__aenter__()
        async with SqliteLedger.read(path) as read:
            first = (await read.counts()).total
            while (await read.counts()).total <= first:
                assert process.stdout.readline()
    finally:
        await asyncio.to_thread(_kill, process, 1)
    async with SqliteLedger(path) as ledger:
        assert (await ledger.counts()).sending == 0


@pytest.mark.skipif(sys.platform == "win32", reason="the system has no such limit")
async def test_run_on_a_full_disk_ends_with_the_reason_and_keeps_what_it_acknowledged(path: Path) -> None:
    """A run whose file may not grow ends with the reason, and all that it had acknowledged is in the file."""
    process = _start_writer(path, "resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))")
    out, err = await asyncio.to_thread(process.communicate, None, 30)
    assert process.returncode == 1
    assert process.returncode != -signal.SIGXFSZ
    assert f"LedgerError: the ledger {path} cannot be written any more: the disk" in err
    printed = [line.split() for line in out.splitlines()[1:]]
    async with SqliteLedger(path) as ledger:
        lines = {entry.line async for entry in ledger.entries()}
        assert {int(line) for word, line in printed if word == "claimed"} <= lines
        await claim_lines(ledger, 10**7)
