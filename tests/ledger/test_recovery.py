"""A ledger that lost something, opened all the same: what may have been sent is asked for before it is sent."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from routee_failover import LedgerError
from routee_failover.ledger import Counts, Ending, Move, SqliteLedger, State

from .killed import ACCEPTED, UNKNOWN, Killed
from .messages import LEASE, claimed, ending, wanted


@pytest.fixture
def killed(tmp_path: Path) -> Killed:
    """A ledger whose process was killed, and whose log was deleted afterwards."""
    killed = Killed(tmp_path / "run.sqlite")
    killed.log.unlink()
    return killed


async def test_what_may_have_been_sent_is_unknown_when_it_is_claimed(killed: Killed) -> None:
    """A message that is not there is entered as UNKNOWN and not claimed, since when and until when it may be sent."""
    with pytest.raises(LedgerError, match="--recover"):
        await SqliteLedger(killed.path).__aenter__()
    async with SqliteLedger(killed.path, recover=True) as ledger:
        now = ledger.now()
        found = await ledger.claim([wanted(1), wanted(2), wanted(1)], lease=LEASE)
        assert [(one.state, one.mine, one.number) for one in found] == [
            (State.UNKNOWN, False, UNKNOWN + 1),
            (State.UNKNOWN, False, UNKNOWN + 2),
            (State.UNKNOWN, False, UNKNOWN + 1),
        ]
        assert await ledger.counts() == Counts(unknown=UNKNOWN + 2)
        intent = await ledger.intent(wanted(1).tag)
        assert intent is not None
        assert intent.ended_at is not None
        assert intent.begun_at < intent.ended_at == intent.lease_until <= now
        assert "it may have been sent" in intent.reason
        assert intent.fingerprint == b""


async def test_what_is_proven_absent_afterwards_is_claimed(killed: Killed) -> None:
    """Once a complete search has not found it, it may be sent, with whatever the source has for it."""
    async with SqliteLedger(killed.path, recover=True) as ledger:
        (found,) = await ledger.claim([wanted(1)], lease=LEASE)
        assert await ledger.settle(Move.ABSENT, Ending(found.number, found.attempt, proof="search"))
        (again,) = await ledger.claim([wanted(1, fingerprint=b"new")], lease=LEASE)
        assert again.mine
        await ledger.settle(Move.ACCEPT, ending(again))
        assert await ledger.counts() == Counts(accepted=1, unknown=UNKNOWN)


async def test_a_loss_is_remembered_by_the_runs_after_it(killed: Killed) -> None:
    """Opened again, without a word, the ledger still claims nothing that it does not know."""
    async with SqliteLedger(killed.path, recover=True) as ledger:
        await ledger.claim([wanted(1)], lease=LEASE)
    for recover in (False, True):
        async with SqliteLedger(killed.path, recover=recover) as ledger:
            (found,) = await ledger.claim([wanted(2)], lease=LEASE)
            assert (found.state, found.mine) == (State.UNKNOWN, False)


async def test_what_was_new_or_unknown_may_have_been_sent_since(path: Path) -> None:
    """An entry that stood as NEW is UNKNOWN, and the lease of an UNKNOWN one begins to count from now on."""
    async with SqliteLedger(path) as ledger:
        released, unknown, rejected = await claimed(ledger, 1, 2, 3)
        await ledger.settle(Move.RETURN, ending(released))
        await ledger.settle(Move.DOUBT, ending(unknown))
        await ledger.settle(Move.REJECT, ending(rejected))
    path.with_name(f"{path.name}-commits").write_text(f"{ledger_id(path)} {10**6:020d}\n")
    with pytest.raises(LedgerError, match="what its run wrote last is not there"):
        await SqliteLedger(path).__aenter__()
    async with SqliteLedger(path, recover=True) as ledger:
        assert await ledger.counts() == Counts(unknown=2, rejected=1)
        for one in (released, unknown):
            intent = await ledger.intent(wanted(one.line).tag)
            assert intent is not None
            assert intent.ended_at is not None
            assert intent.attempt == 2, "no policy sends it again: its content is not known"
            assert intent.ended_at == intent.lease_until
        (found,) = await ledger.claim([wanted(1)], lease=LEASE)
        assert not found.mine


def ledger_id(path: Path) -> str:
    """The letters of a ledger."""
    with closing(sqlite3.connect(path)) as database:
        (run_id,) = database.execute("SELECT run_id FROM ledger").fetchone()
        return str(run_id)


async def test_what_the_log_still_holds_is_kept(killed: Killed) -> None:
    """Of a log that is damaged in its middle, what comes before the damage is in the ledger."""
    log = bytearray(killed.log_bytes)
    log[list(killed.frames())[-1].end // 2] ^= 0xFF
    killed.put_back(bytes(log))
    with pytest.raises(LedgerError, match=r"its log run\.sqlite-wal is damaged"):
        await SqliteLedger(killed.path).__aenter__()
    async with SqliteLedger(killed.path, recover=True) as ledger:
        assert 0 < (await ledger.counts()).accepted < ACCEPTED
        last = await ledger.claim([wanted(ACCEPTED - 1)], lease=LEASE)
        assert [one.mine for one in last] == [False]


async def test_recover_changes_nothing_where_nothing_was_lost(path: Path) -> None:
    """Said of a ledger in order, or of one that is not there yet, it is not heeded."""
    for line in (1, 2):
        async with SqliteLedger(path, recover=True) as ledger:
            await claimed(ledger, line)
