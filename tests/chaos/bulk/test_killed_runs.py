"""A run that is killed at random, over and over, against a server with faults of every kind."""

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


async def test_killed_at_random_nothing_is_sent_twice_and_nothing_is_lost(
    server_loop: ServerLoop, tmp_path: Path
) -> None:
    """Whatever a kill interrupts: each row is taken at most once, stands in one outcome, and the outcome is true."""
    rows = scaled(1_500, maximum=100_000)
    async with ListingServer(server_loop, lag=0.3) as server:
        server.next_fault = random_faults(SEED)
        storm = KillLoop(server, tmp_path / "run.sqlite", rows, reconcile_after=1.2)
        await storm.run(SEED, max_kills=scaled(4, maximum=300))
        await server.drained()
        states = await check_ledger_against_server(server, storm.path, rows)
    assert sum(states.values()) == rows
    assert states[EntryState.NEW] == states[EntryState.SENDING] == 0
    assert states[EntryState.UNKNOWN] == 0
    assert states[EntryState.ACCEPTED] == sum(server.accepted.values())
    assert storm.kills > 0


async def test_killed_among_links_lost_logs_and_copies_nothing_is_sent_twice(
    server_loop: ServerLoop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever is done to its files after a kill: a loss is refused, asked for at Routee, and nobody is written twice.

    Every row stands in one outcome at the end, each outcome is true, and a kill alone is never taken for a loss.
    """
    rows = scaled(500, maximum=20_000)
    async with ListingServer(server_loop, lag=0.3) as server:
        server.next_fault = random_faults(SEED)
        storm = KillLoop(server, tmp_path / "run.sqlite", rows, reconcile_after=1.2)
        mishaps = LedgerFileFaults(storm)
        await storm.run(SEED, max_kills=scaled(6, maximum=150), delay_range=(0.05, 0.8), after_kill=mishaps)
        await server.drained()
        states = await check_ledger_against_server(server, storm.path, rows)
    with capsys.disabled():
        sys.stdout.write(f"\n{storm.kills} kills: {mishaps.happened}; refused: {mishaps.refused}; {states}\n")
    assert sum(states.values()) == rows
    assert states[EntryState.NEW] == states[EntryState.SENDING] == 0
    assert states[EntryState.UNKNOWN] == 0
    assert states[EntryState.ACCEPTED] == sum(server.accepted.values())
    assert storm.kills > 0
