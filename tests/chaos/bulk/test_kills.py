"""A run that is killed at random, over and over, against a server with faults of every kind."""

import sys
from pathlib import Path

import pytest

from routee_failover.ledger import State
from tests.chaos.backstage import Backstage
from tests.chaos.scale import SEED, many

from .judging import held_against
from .listing import ListingServer, stormy
from .mishaps import Mishaps
from .storm import Storm


async def test_killed_at_random_nothing_is_sent_twice_and_nothing_is_lost(stage: Backstage, tmp_path: Path) -> None:
    """Whatever a kill interrupts: each row is taken at most once, stands in one outcome, and the outcome is true."""
    rows = many(1_500, most=100_000)
    async with ListingServer(stage, lag=0.3) as server:
        server.fate = stormy(SEED)
        storm = Storm(server, tmp_path / "run.sqlite", rows, settle_after=1.2)
        await storm.rage(SEED, most=many(4, most=300))
        await server.drained()
        states = await held_against(server, storm.path, rows)
    assert sum(states.values()) == rows
    assert states[State.NEW] == states[State.SENDING] == 0
    assert states[State.UNKNOWN] == 0
    assert states[State.ACCEPTED] == sum(server.taken.values())
    assert storm.kills > 0


async def test_killed_among_links_lost_logs_and_copies_nothing_is_sent_twice(
    stage: Backstage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever is done to its files after a kill: a loss is refused, asked for at Routee, and nobody is written twice.

    Every row stands in one outcome at the end, each outcome is true, and a kill alone is never taken for a loss.
    """
    rows = many(500, most=20_000)
    async with ListingServer(stage, lag=0.3) as server:
        server.fate = stormy(SEED)
        storm = Storm(server, tmp_path / "run.sqlite", rows, settle_after=1.2)
        mishaps = Mishaps(storm)
        await storm.rage(SEED, most=many(6, most=150), between=(0.05, 0.8), afterwards=mishaps)
        await server.drained()
        states = await held_against(server, storm.path, rows)
    with capsys.disabled():
        sys.stdout.write(f"\n{storm.kills} kills: {mishaps.happened}; refused: {mishaps.refused}; {states}\n")
    assert sum(states.values()) == rows
    assert states[State.NEW] == states[State.SENDING] == 0
    assert states[State.UNKNOWN] == 0
    assert states[State.ACCEPTED] == sum(server.taken.values())
    assert storm.kills > 0
