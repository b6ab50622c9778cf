"""A ledger that is only read: while a run writes it, and without touching anything."""

from pathlib import Path

import pytest

from routee_failover import LedgerError
from routee_failover.ledger import Counts, Ending, Fate, Ledger, Move, SqliteLedger

from .messages import claimed, ending, wanted


def _files(path: Path) -> dict[str, bytes]:
    return {found.name: found.read_bytes() for found in path.parent.iterdir()}


async def test_reading_while_a_run_writes(path: Path) -> None:
    """Each question is answered by what is in the file by then, and nobody waits for the other."""
    async with SqliteLedger(path) as ledger:
        async with SqliteLedger.read(path) as read:
            assert read.run_id == ledger.run_id
            for line in range(1, 6):
                (found,) = await claimed(ledger, line)
                assert await read.counts() == Counts(sending=1, accepted=line - 1)
                await ledger.settle(Move.ACCEPT, ending(found))
                assert await read.counts() == Counts(accepted=line)
            assert await read.find([wanted(3).tag, 17]) == await ledger.find([wanted(3).tag])
            assert await read.intent(wanted(3).tag) == await ledger.intent(wanted(3).tag)
            assert await read.intent(17) is None
            assert [one async for one in read.intents()] == [one async for one in ledger.intents()]
            ledger.learn(Fate(1, "Succeeded", "Sms"))
            await ledger.flush()
            assert await read.delivery_counts() == await ledger.delivery_counts() != []
            await ledger.put("run", {"a": 1})
            assert await read.get("run") == {"a": 1}
        await claimed(ledger, 6)


async def test_a_reader_that_outlives_the_run(path: Path) -> None:
    """It goes on, and the next run opens the file beside it."""
    async with SqliteLedger(path) as ledger:
        await claimed(ledger, 1)
        read = await SqliteLedger.read(path).__aenter__()
    assert await read.counts() == Counts(sending=1)
    async with SqliteLedger(path) as ledger:
        await claimed(ledger, 2)
        assert await read.counts() == Counts(sending=1, unknown=1)
    await read.__aexit__(None, None, None)


async def test_reading_changes_nothing(path: Path) -> None:
    """What would write is refused in words, and the file stays as it is."""
    async with SqliteLedger(path) as ledger:
        (found,) = await claimed(ledger, 1)
    before = _files(path)
    async with SqliteLedger.read(path) as read:
        kept: Ledger = read
        await kept.flush()
        with pytest.raises(LedgerError, match="opened to be read"):
            kept.end(Move.ACCEPT, ending(found))
        with pytest.raises(LedgerError, match="opened to be read"):
            kept.learn(Fate(1, "Succeeded"))
        for change in (
            kept.claim([wanted(2)], lease=1),
            kept.refuse(wanted(2), "why"),
            kept.settle(Move.ACCEPT, Ending(1, 1)),
            kept.lapse(),
            kept.put("run", {}),
        ):
            with pytest.raises(LedgerError, match="opened to be read"):
                await change
    assert _files(path) == before


async def test_one_that_is_not_open(path: Path) -> None:
    """It says so, before and after; nothing is sent through it."""
    for kept in (SqliteLedger(path), SqliteLedger.read(path)):
        with pytest.raises(LedgerError, match="is not open"):
            await kept.counts()
        with pytest.raises(LedgerError, match="is not open"):
            _ = kept.run_id
    ledger = SqliteLedger(path)
    async with ledger:
        (found,) = await claimed(ledger, 1)
    ledger.end(Move.ACCEPT, ending(found))
    ledger.learn(Fate(found.number, "Succeeded"))
    await ledger.__aexit__(None, None, None)
    for question in (ledger.claim([wanted(2)], lease=1), ledger.get("run"), ledger.flush()):
        with pytest.raises(LedgerError, match="is not open"):
            await question
    with pytest.raises(LedgerError, match="is not open"):
        ledger.now()
