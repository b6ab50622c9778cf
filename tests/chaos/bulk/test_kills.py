"""A run that is killed at random, over and over, against a server with faults of every kind."""

from pathlib import Path

from routee_failover.ledger import State
from tests.chaos.backstage import Backstage
from tests.chaos.scale import SEED, many

from .judging import held_against
from .listing import ListingServer, stormy
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
