"""Recovery of a ledger that lost something: what may have been sent is UNKNOWN, and searched for before it is sent."""

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


async def test_claim_of_a_missing_entry_inserts_it_as_unknown(killed: KilledLedger) -> None:
    """A message without an entry is inserted as UNKNOWN and not claimed, with the time of a possible send."""
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
        entry = await ledger.entry(claim_request(1).key_hash)
        assert entry is not None
        assert entry.ended_at is not None
        assert entry.claimed_at < entry.ended_at == entry.lease_expires_at <= now
        assert "it may have been sent" in entry.reason
        assert entry.fingerprint == b""


async def test_entry_confirmed_absent_is_claimed(killed: KilledLedger) -> None:
    """Once a complete search has not found it, it may be sent, with the content that is in the source now."""
    async with SqliteLedger(killed.path, recover=True) as ledger:
        (found,) = await ledger.claim([claim_request(1)], lease=LEASE)
        assert await ledger.apply(
            Transition.CONFIRM_ABSENT, TransitionDetails(found.number, found.attempt, resolved_by="search")
        )
        (again,) = await ledger.claim([claim_request(1, fingerprint=b"new")], lease=LEASE)
        assert again.claimed
        await ledger.apply(Transition.ACCEPT, transition_details(again))
        assert await ledger.counts() == StateCounts(accepted=1, unknown=UNKNOWN)


async def test_loss_is_remembered_by_later_runs(killed: KilledLedger) -> None:
    """Opened again, without `recover`, the ledger still claims nothing that has no entry."""
    async with SqliteLedger(killed.path, recover=True) as ledger:
        await ledger.claim([claim_request(1)], lease=LEASE)
    for recover in (False, True):
        async with SqliteLedger(killed.path, recover=recover) as ledger:
            (found,) = await ledger.claim([claim_request(2)], lease=LEASE)
            assert (found.state, found.claimed) == (EntryState.UNKNOWN, False)


async def test_recovery_makes_new_entries_unknown_and_ends_leases(path: Path) -> None:
    """An entry that was NEW becomes UNKNOWN, and the lease of an UNKNOWN one ends at the recovery."""
    async with SqliteLedger(path) as ledger:
        released, unknown, rejected = await claim_lines(ledger, 1, 2, 3)
        await ledger.apply(Transition.RELEASE, transition_details(released))
        await ledger.apply(Transition.MARK_UNKNOWN, transition_details(unknown))
        await ledger.apply(Transition.REJECT, transition_details(rejected))
    path.with_name(f"{path.name}-commits").write_text(f"{run_id_of(path)} {10**6:020d}\n")
    with pytest.raises(LedgerError, match="what its run wrote last is missing"):
        await SqliteLedger(path).__aenter__()
    async with SqliteLedger(path, recover=True) as ledger:
        assert await ledger.counts() == StateCounts(unknown=2, rejected=1)
        for one in (released, unknown):
            entry = await ledger.entry(claim_request(one.line).key_hash)
            assert entry is not None
            assert entry.ended_at is not None
            assert entry.attempt == 2, "no policy resends it: its content is not known"
            assert entry.ended_at == entry.lease_expires_at
        (found,) = await ledger.claim([claim_request(1)], lease=LEASE)
        assert not found.claimed


def run_id_of(path: Path) -> str:
    """Return the id of a ledger."""
    with closing(sqlite3.connect(path)) as database:
        (run_id,) = database.execute("SELECT run_id FROM ledger").fetchone()
        return str(run_id)


async def test_recovery_keeps_the_log_before_the_damage(killed: KilledLedger) -> None:
    """Of a log that is damaged in its middle, the part before the damage is in the ledger."""
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
    """For an intact ledger, or one that does not exist yet, `recover` has no effect."""
    for line in (1, 2):
        async with SqliteLedger(path, recover=True) as ledger:
            await claim_lines(ledger, line)
