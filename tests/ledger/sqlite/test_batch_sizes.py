"""Batches of any size: statements are compiled for a few sizes, and a batch is filled up with empty rows."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from routee_failover.ledger import EntryState, SqliteLedger, StateCounts, Transition
from routee_failover.ledger.sqlite.schema import STATE_CODES

from ..factories import LEASE, claim_lines, claim_request, transition_details
from ..killed_ledger import UNKNOWN, KilledLedger

SIZES = [1, 2, 3, 5, 7, 9, 33, 65, 100, 129, 255, 256, 257, 300, 513]


@pytest.mark.parametrize("size", SIZES)
async def test_batch_of_any_size_has_one_entry_and_one_outcome_per_message(tmp_path: Path, size: int) -> None:
    """A batch is claimed in order, and its outcomes are recorded in any order, with no entry more or less."""
    path = tmp_path / "run.sqlite"
    async with SqliteLedger(path) as ledger:
        claims = await claim_lines(ledger, *range(1, size + 1))
        assert [(one.number, one.line) for one in claims] == [(line, line) for line in range(1, size + 1)]
        for one in random.Random(size).sample(claims, size):
            ledger.record(Transition.ACCEPT, transition_details(one, tracking_id=f"id {one.line}"))
        await ledger.flush()
        assert await ledger.counts() == StateCounts(accepted=size)
    with closing(sqlite3.connect(path)) as database:
        entries = database.execute("SELECT line, state, tracking_id FROM entries ORDER BY number").fetchall()
    accepted = STATE_CODES[EntryState.ACCEPTED]
    assert entries == [(line, accepted, f"id {line}") for line in range(1, size + 1)]


@pytest.mark.parametrize("size", SIZES)
async def test_batch_of_any_size_is_found_and_claimed_again(tmp_path: Path, size: int) -> None:
    """Released messages are found, each once, and claimed once more, together with one that is new."""
    requests = [claim_request(line) for line in range(1, size + 1)]
    async with SqliteLedger(tmp_path / "run.sqlite") as ledger:
        for one in await ledger.claim(requests, lease=LEASE):
            ledger.record(Transition.RELEASE, transition_details(one))
        found = await ledger.find([request.key_hash for request in requests])
        assert [found[request.key_hash].line for request in requests] == [*range(1, size + 1)]
        claims = await ledger.claim([*requests, claim_request(size + 1)], lease=LEASE)
        assert [(one.claimed, one.attempt) for one in claims] == [(True, 2)] * size + [(True, 1)]
        assert await ledger.counts() == StateCounts(sending=size + 1)


@pytest.mark.parametrize("size", [1, 9, 100, 257])
async def test_batch_of_any_size_is_unknown_after_a_loss(tmp_path: Path, size: int) -> None:
    """After a loss each message without an entry gets one that is UNKNOWN, with no entry more or less."""
    killed = KilledLedger(tmp_path / "run.sqlite")
    killed.log.unlink()
    async with SqliteLedger(killed.path, recover=True) as ledger:
        claims = await ledger.claim([claim_request(line) for line in range(1, size + 1)], lease=LEASE)
        assert {(one.state, one.claimed) for one in claims} == {(EntryState.UNKNOWN, False)}
        assert await ledger.counts() == StateCounts(unknown=UNKNOWN + size)
