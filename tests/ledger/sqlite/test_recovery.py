"""A ledger that lost something, opened all the same: what may have been sent is asked for before it is sent."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from routee_failover import LedgerError
from routee_failover.ledger import EntryState, SqliteLedger, StateCounts, Transition, TransitionDetails

from ..factories import LEASE, claim_lines, claim_request, transition_details
from ..killed_ledger import ACCEPTED, UNKNOWN, KilledLedger


@pytest.fixture
def killed(tmp_path: Path) -> KilledLedger:
    """A ledger whose process was killed, and whose log was deleted afterwards."""
    killed = KilledLedger(tmp_path / "run.sqlite")
    killed.log.unlink()
    return killed


async def test_what_may_have_been_sent_is_unknown_when_it_is_claimed(killed: KilledLedger) -> None:
    """A message that is not there is entered as UNKNOWN and not claimed, since when and until when it may be sent."""
    with pytest.raises(LedgerError, match="--recover"):
        await SqliteLedger(killed.path).__aenter__()
    async with SqliteLedger(killed.path, recover=True) as ledger:
        now = ledger.now()
        found = await ledger.claim([claim_request(1), claim_request(2), claim_request(1)], lease=LEASE)
        assert [(one.state, one.claimed, one.number) for one in found] == [
            (EntryState.UNKNOWN, False, UNKNOWN + 1),
            (EntryState.UNKNOWN, False, UNKNOWN + 2),
            (EntryState.UNKNOWN, False, UNKNOWN + 1),
        ]
        assert await ledger.counts() == StateCounts(unknown=UNKNOWN + 2)
        intent = await ledger.entry(claim_request(1).key_hash)
        assert intent is not None
        assert intent.ended_at is not None
        assert intent.claimed_at < intent.ended_at == intent.lease_expires_at <= now
        assert "it may have been sent" in intent.reason
        assert intent.fingerprint == b""


async def test_what_is_proven_absent_afterwards_is_claimed(killed: KilledLedger) -> None:
    """Once a complete search has not found it, it may be sent, with whatever the source has for it."""
    async with SqliteLedger(killed.path, recover=True) as ledger:
        (found,) = await ledger.claim([claim_request(1)], lease=LEASE)
        assert await ledger.apply(
            Transition.CONFIRM_ABSENT, TransitionDetails(found.number, found.attempt, resolved_by="search")
        )
        (again,) = await ledger.claim([claim_request(1, fingerprint=b"new")], lease=LEASE)
        assert again.claimed
        await ledger.apply(Transition.ACCEPT, transition_details(again))
        assert await ledger.counts() == StateCounts(accepted=1, unknown=UNKNOWN)


async def test_a_loss_is_remembered_by_the_runs_after_it(killed: KilledLedger) -> None:
    """Opened again, without a word, the ledger still claims nothing that it does not know."""
    async with SqliteLedger(killed.path, recover=True) as ledger:
        await ledger.claim([claim_request(1)], lease=LEASE)
    for recover in (False, True):
        async with SqliteLedger(killed.path, recover=recover) as ledger:
            (found,) = await ledger.claim([claim_request(2)], lease=LEASE)
            assert (found.state, found.claimed) == (EntryState.UNKNOWN, False)


async def test_what_was_new_or_unknown_may_have_been_sent_since(path: Path) -> None:
    """An entry that stood as NEW is UNKNOWN, and the lease of an UNKNOWN one begins to count from now on."""
    async with SqliteLedger(path) as ledger:
        released, unknown, rejected = await claim_lines(ledger, 1, 2, 3)
        await ledger.apply(Transition.RELEASE, transition_details(released))
        await ledger.apply(Transition.MARK_UNKNOWN, transition_details(unknown))
        await ledger.apply(Transition.REJECT, transition_details(rejected))
    path.with_name(f"{path.name}-commits").write_text(f"{ledger_id(path)} {10**6:020d}\n")
    with pytest.raises(LedgerError, match="what its run wrote last is not there"):
        await SqliteLedger(path).__aenter__()
    async with SqliteLedger(path, recover=True) as ledger:
        assert await ledger.counts() == StateCounts(unknown=2, rejected=1)
        for one in (released, unknown):
            intent = await ledger.entry(claim_request(one.line).key_hash)
            assert intent is not None
            assert intent.ended_at is not None
            assert intent.attempt == 2, "no policy sends it again: its content is not known"
            assert intent.ended_at == intent.lease_expires_at
        (found,) = await ledger.claim([claim_request(1)], lease=LEASE)
        assert not found.claimed


def ledger_id(path: Path) -> str:
    """The letters of a ledger."""
    with closing(sqlite3.connect(path)) as database:
        (run_id,) = database.execute("SELECT run_id FROM ledger").fetchone()
        return str(run_id)


async def test_what_the_log_still_holds_is_kept(killed: KilledLedger) -> None:
    """Of a log that is damaged in its middle, what comes before the damage is in the ledger."""
    log = bytearray(killed.log_bytes)
    log[list(killed.frames())[-1].end // 2] ^= 0xFF
    killed.restore(bytes(log))
    with pytest.raises(LedgerError, match=r"its log run\.sqlite-wal is damaged"):
        await SqliteLedger(killed.path).__aenter__()
    async with SqliteLedger(killed.path, recover=True) as ledger:
        assert 0 < (await ledger.counts()).accepted < ACCEPTED
        last = await ledger.claim([claim_request(ACCEPTED - 1)], lease=LEASE)
        assert [one.claimed for one in last] == [False]


async def test_recover_changes_nothing_where_nothing_was_lost(path: Path) -> None:
    """Said of a ledger in order, or of one that is not there yet, it is not heeded."""
    for line in (1, 2):
        async with SqliteLedger(path, recover=True) as ledger:
            await claim_lines(ledger, line)
