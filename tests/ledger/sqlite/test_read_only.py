"""Read-only ledgers: they read while a run writes, and change nothing."""

from pathlib import Path

import pytest

from routee_failover import LedgerError
from routee_failover.ledger import DeliveryReport, Ledger, SqliteLedger, StateCounts, Transition, TransitionDetails

from ..factories import claim_lines, claim_request, transition_details


def _files(path: Path) -> dict[str, bytes]:
    return {found.name: found.read_bytes() for found in path.parent.iterdir()}


async def test_reader_sees_each_commit_while_a_run_writes(path: Path) -> None:
    """Each query sees what is committed at that time, and neither side waits for the other."""
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


async def test_reader_outlives_the_run(path: Path) -> None:
    """It continues to read, and the next run opens the file meanwhile."""
    async with SqliteLedger(path) as ledger:
        await claim_lines(ledger, 1)
        read = await SqliteLedger.read(path).__aenter__()
    assert await read.counts() == StateCounts(sending=1)
    async with SqliteLedger(path) as ledger:
        await claim_lines(ledger, 2)
        assert await read.counts() == StateCounts(sending=1, unknown=1)
    await read.__aexit__(None, None, None)


async def test_writing_methods_of_a_read_only_ledger_raise(path: Path) -> None:
    """Methods that would write raise an error with the reason, and the file stays as it is."""
    async with SqliteLedger(path) as ledger:
        (found,) = await claim_lines(ledger, 1)
    before = _files(path)
    async with SqliteLedger.read(path) as read:
        read_only: Ledger = read
        await read_only.flush()
        with pytest.raises(LedgerError, match="opened read-only"):
            read_only.record(Transition.ACCEPT, transition_details(found))
        with pytest.raises(LedgerError, match="opened read-only"):
            read_only.record_delivery_report(DeliveryReport(1, "Succeeded"))
        for write in (
            read_only.claim([claim_request(2)], lease=1),
            read_only.mark_invalid(claim_request(2), "why"),
            read_only.apply(Transition.ACCEPT, TransitionDetails(1, 1)),
            read_only.expire_leases(),
            read_only.put_document("run", {}),
        ):
            with pytest.raises(LedgerError, match="opened read-only"):
                await write
    assert _files(path) == before


async def test_ledger_that_is_not_open_raises(path: Path) -> None:
    """Before it is opened and after it is closed every call raises an error; nothing is sent through it."""
    for closed in (SqliteLedger(path), SqliteLedger.read(path)):
        with pytest.raises(LedgerError, match="is not open"):
            await closed.counts()
        with pytest.raises(LedgerError, match="is not open"):
            _ = closed.run_id
    ledger = SqliteLedger(path)
    async with ledger:
        (found,) = await claim_lines(ledger, 1)
    ledger.record(Transition.ACCEPT, transition_details(found))
    ledger.record_delivery_report(DeliveryReport(found.number, "Succeeded"))
    await ledger.__aexit__(None, None, None)
    for call in (ledger.claim([claim_request(2)], lease=1), ledger.get_document("run"), ledger.flush()):
        with pytest.raises(LedgerError, match="is not open"):
            await call
    with pytest.raises(LedgerError, match="is not open"):
        ledger.now()
