"""A ledger that is only read: while a run writes it, and without touching anything."""

from pathlib import Path

import pytest

from routee_failover import LedgerError
from routee_failover.ledger import DeliveryReport, Ledger, SqliteLedger, StateCounts, Transition, TransitionDetails

from ..factories import claim_lines, claim_request, transition_details


def _files(path: Path) -> dict[str, bytes]:
    return {found.name: found.read_bytes() for found in path.parent.iterdir()}


async def test_reading_while_a_run_writes(path: Path) -> None:
    """Each question is answered by what is in the file by then, and nobody waits for the other."""
    async with SqliteLedger(path) as ledger:
        async with SqliteLedger.read(path) as read:
            assert read.run_id == ledger.run_id
            for line in range(1, 6):
                (found,) = await claim_lines(ledger, line)
                assert await read.counts() == StateCounts(sending=1, accepted=line - 1)
                await ledger.apply(Transition.ACCEPT, transition_details(found))
                assert await read.counts() == StateCounts(accepted=line)
            assert await read.find([claim_request(3).key_hash, 17]) == await ledger.find([claim_request(3).key_hash])
            assert await read.entry(claim_request(3).key_hash) == await ledger.entry(claim_request(3).key_hash)
            assert await read.entry(17) is None
            assert [one async for one in read.entries()] == [one async for one in ledger.entries()]
            ledger.record_delivery_report(DeliveryReport(1, "Succeeded", "Sms"))
            await ledger.flush()
            assert await read.delivery_counts() == await ledger.delivery_counts() != []
            await ledger.put_document("run", {"a": 1})
            assert await read.get_document("run") == {"a": 1}
        await claim_lines(ledger, 6)


async def test_a_reader_that_outlives_the_run(path: Path) -> None:
    """It goes on, and the next run opens the file beside it."""
    async with SqliteLedger(path) as ledger:
        await claim_lines(ledger, 1)
        read = await SqliteLedger.read(path).__aenter__()
    assert await read.counts() == StateCounts(sending=1)
    async with SqliteLedger(path) as ledger:
        await claim_lines(ledger, 2)
        assert await read.counts() == StateCounts(sending=1, unknown=1)
    await read.__aexit__(None, None, None)


async def test_reading_changes_nothing(path: Path) -> None:
    """What would write is refused in words, and the file stays as it is."""
    async with SqliteLedger(path) as ledger:
        (found,) = await claim_lines(ledger, 1)
    before = _files(path)
    async with SqliteLedger.read(path) as read:
        kept: Ledger = read
        await kept.flush()
        with pytest.raises(LedgerError, match="opened to be read"):
            kept.record(Transition.ACCEPT, transition_details(found))
        with pytest.raises(LedgerError, match="opened to be read"):
            kept.record_delivery_report(DeliveryReport(1, "Succeeded"))
        for change in (
            kept.claim([claim_request(2)], lease=1),
            kept.mark_invalid(claim_request(2), "why"),
            kept.apply(Transition.ACCEPT, TransitionDetails(1, 1)),
            kept.expire_leases(),
            kept.put_document("run", {}),
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
        (found,) = await claim_lines(ledger, 1)
    ledger.record(Transition.ACCEPT, transition_details(found))
    ledger.record_delivery_report(DeliveryReport(found.number, "Succeeded"))
    await ledger.__aexit__(None, None, None)
    for question in (ledger.claim([claim_request(2)], lease=1), ledger.get_document("run"), ledger.flush()):
        with pytest.raises(LedgerError, match="is not open"):
            await question
    with pytest.raises(LedgerError, match="is not open"):
        ledger.now()
