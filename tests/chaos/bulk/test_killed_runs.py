"""Bulk runs that are killed at random, repeatedly, against a server with faults of every kind."""

import sys
from pathlib import Path

import pytest

from routee_failover.ledger import EntryState
from tests.chaos.scale import SEED, scaled
from tests.chaos.server_loop import ServerLoop

from .kill_loop import KillLoop
from .ledger_consistency import check_ledger_against_server
from .ledger_file_faults import LedgerFileFaults
from .listing_server import ListingServer, random_faults


async def test_run_killed_at_random_sends_nothing_twice_and_loses_nothing(
    server_loop: ServerLoop, tmp_path: Path
) -> None:
    """Whatever a kill interrupts: each row is accepted at most once, has one outcome, and the outcome is true."""
    rows = scaled(1_500, maximum=100_000)
    async with ListingServer(server_loop, lag=0.3) as server:
        server.next_fault = random_faults(SEED)
        kill_loop = KillLoop(server, tmp_path / "run.sqlite", rows, reconcile_after=1.2)
        await kill_loop.run(SEED, max_kills=scaled(4, maximum=300))
        await server.drained()
        states = await check_ledger_against_server(server, kill_loop.path, rows)
    assert sum(states.values()) == rows
    assert states[EntryState.NEW] == states[EntryState.SENDING] == 0
    assert states[EntryState.UNKNOWN] == 0
    assert states[EntryState.ACCEPTED] == sum(server.accepted.values())
    assert kill_loop.kills > 0


async def test_killed_run_with_damaged_ledger_files_sends_nothing_twice(
    server_loop: ServerLoop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever is done to its files after a kill: a loss is refused, reconciled with Routee, and nothing sent twice.

    Every row has one outcome at the end, each outcome is true, and a kill alone is never reported as a loss.
    """
    rows = scaled(500, maximum=20_000)
    async with ListingServer(server_loop, lag=0.3) as server:
        server.next_fault = random_faults(SEED)
        kill_loop = KillLoop(server, tmp_path / "run.sqlite", rows, reconcile_after=1.2)
        file_faults = LedgerFileFaults(kill_loop)
        await kill_loop.run(SEED, max_kills=scaled(6, maximum=150), delay_range=(0.05, 0.8), after_kill=file_faults)
        await server.drained()
        states = await check_ledger_against_server(server, kill_loop.path, rows)
    with capsys.disabled():
        sys.stdout.write(
            f"\n{kill_loop.kills} kills: {file_faults.happened}; refused: {file_faults.refused}; {states}\n"
        )
    assert sum(states.values()) == rows
    assert states[EntryState.NEW] == states[EntryState.SENDING] == 0
    assert states[EntryState.UNKNOWN] == 0
    assert states[EntryState.ACCEPTED] == sum(server.accepted.values())
    assert kill_loop.kills > 0
