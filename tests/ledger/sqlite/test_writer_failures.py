"""What a ledger does when its disk, its file or its thread fails it: it says so, from then on, and nothing hangs."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from routee_failover import LedgerError
from routee_failover.ledger import ClaimResult, DeliveryReport, SqliteLedger, StateCounts, Transition, TransitionDetails
from routee_failover.ledger.sqlite import ledger_file, schema, writer
from routee_failover.ledger.sqlite.database import LedgerDatabase
from routee_failover.ledger.sqlite.writer import Writer

from ..factories import LEASE, claim_lines, claim_request, transition_details


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A disk with room for some hundred intents."""

    def to_write(path: Path) -> sqlite3.Connection:
        connection = schema.connect_for_writing(path)
        connection.execute("PRAGMA max_page_count=30")
        return connection

    monkeypatch.setattr(ledger_file, "connect_for_writing", to_write)
    yield
    monkeypatch.undo()


async def _refuses_all(ledger: SqliteLedger, found: ClaimResult, why: str) -> None:
    """Whatever it is asked, it says what happened; what never raises does not."""
    ledger.record(Transition.ACCEPT, transition_details(found))
    ledger.record_delivery_report(DeliveryReport(found.number, "Succeeded"))
    for question in (
        ledger.claim([claim_request(9999)], lease=LEASE),
        ledger.find([1]),
        ledger.mark_invalid(claim_request(1), "why"),
        ledger.apply(Transition.ACCEPT, transition_details(found)),
        ledger.expire_leases(),
        ledger.flush(),
        ledger.entry(1),
        ledger.counts(),
        ledger.get_document("run"),
        ledger.put_document("run", {}),
        anext(ledger.entries()),
    ):
        with pytest.raises(LedgerError, match=f"takes nothing more: {why}. Nothing more is sent"):
            await question


async def _ends_with(ledger: SqliteLedger, why: str) -> None:
    """Its end says what was the matter, too."""
    async with asyncio.timeout(10):
        with pytest.raises(LedgerError, match=why):
            await ledger.__aexit__(None, None, None)


async def test_the_disk_is_full(path: Path, small: None) -> None:
    """Whoever waits is told, so are all who come after, and what was acknowledged before is in the file."""
    acknowledged: list[ClaimResult] = []

    async def worker(start: int) -> None:
        for line in range(start, 10_000, 10):
            acknowledged.extend(await ledger.claim([claim_request(line)], lease=LEASE))

    ledger = await SqliteLedger(path).__aenter__()
    ends = await asyncio.gather(*(worker(start) for start in range(10)), return_exceptions=True)
    assert all(isinstance(end, LedgerError) for end in ends)
    await _refuses_all(ledger, acknowledged[0], "the disk is full")
    await _ends_with(ledger, "the disk is full")
    assert len(acknowledged) > 50
    async with SqliteLedger.read(path) as read:
        assert [intent.number async for intent in read.entries()] == sorted(one.number for one in acknowledged)
        assert await read.counts() == StateCounts(sending=len(acknowledged))


async def test_an_ending_that_could_not_be_written(path: Path, small: None) -> None:
    """`flush` says so, and so does the end of the ledger, unless something else went wrong there already."""
    ledger = await SqliteLedger(path).__aenter__()
    (found,) = await claim_lines(ledger, 1)
    ledger.record(Transition.REJECT, TransitionDetails(found.number, found.attempt, "x" * 200_000))
    await _ends_with(ledger, "the disk is full")
    with pytest.raises(ZeroDivisionError):
        await _loses_an_ending(ledger)
    async with SqliteLedger.read(path) as read:
        assert await read.counts() == StateCounts(sending=1, unknown=1)


async def _loses_an_ending(ledger: SqliteLedger) -> None:
    async with ledger:
        (found,) = await claim_lines(ledger, 2)
        ledger.record(Transition.REJECT, TransitionDetails(found.number, found.attempt, "x" * 200_000))
        with pytest.raises(LedgerError, match="the disk is full"):
            await ledger.flush()
        raise ZeroDivisionError


def _take_away(path: Path, end: str) -> None:
    path.with_name(f"{path.name}{end}").unlink()


def _touch(path: Path) -> None:
    path.touch()


@pytest.mark.parametrize("end", ["", "-wal"])
async def test_a_file_that_is_taken_away(path: Path, end: str) -> None:
    """What the system would go on writing to nobody's file is not said to be safe."""
    ledger = await SqliteLedger(path).__aenter__()
    (found,) = await claim_lines(ledger, 1)
    _take_away(path, end)
    await ledger.flush()
    with pytest.raises(LedgerError, match="taken away"):
        await claim_lines(ledger, 2)
    await _refuses_all(ledger, found, "its file was taken away or exchanged")
    await _ends_with(ledger, "taken away")


async def test_a_file_that_is_exchanged(path: Path) -> None:
    """So it is when another file has its name."""
    ledger = await SqliteLedger(path).__aenter__()
    await claim_lines(ledger, 1)
    _take_away(path, "")
    _touch(path)
    with pytest.raises(LedgerError, match="exchanged"):
        await claim_lines(ledger, 2)
    await _ends_with(ledger, "exchanged")


async def test_an_error_that_nobody_foresaw(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever happens in the thread, nobody waits for it for ever, and nothing of the transaction is in the file."""

    def broken(book: LedgerDatabase) -> int:
        raise ZeroDivisionError

    ledger = await SqliteLedger(path).__aenter__()
    (found,) = await claim_lines(ledger, 1)
    monkeypatch.setattr(LedgerDatabase, "expire_leases", broken)
    lapse = asyncio.ensure_future(ledger.expire_leases())
    claim = asyncio.ensure_future(ledger.claim([claim_request(2)], lease=LEASE))
    await asyncio.wait([lapse, claim])
    assert isinstance(lapse.exception(), LedgerError)
    assert isinstance(claim.exception(), LedgerError)
    await _refuses_all(ledger, found, r"an error that nobody foresaw \(ZeroDivisionError\)")
    await _ends_with(ledger, "nobody foresaw")
    monkeypatch.undo()
    assert [record.getMessage() for record in caplog.records] == ["the ledger's thread failed"]
    async with ledger:
        assert await ledger.counts() == StateCounts(unknown=1)


async def test_a_thread_that_is_gone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger says so to whoever waits, and to whoever comes after."""

    def gone(*_: object) -> None:
        raise ZeroDivisionError

    ledger = await SqliteLedger(path).__aenter__()
    (found,) = await claim_lines(ledger, 1)
    monkeypatch.setattr(Writer, "_write", gone)
    monkeypatch.setattr("threading.excepthook", lambda _: None)
    async with asyncio.timeout(10):
        with pytest.raises(LedgerError, match="nobody foresaw"):
            await claim_lines(ledger, 2)
        await _refuses_all(ledger, found, r"an error that nobody foresaw \(ZeroDivisionError\)")
        await _ends_with(ledger, "nobody foresaw")


async def test_an_opening_that_nobody_foresaw(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an error like any other, and holds nothing."""

    def broken(_: Path) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(ledger_file, "connect_for_writing", broken)
    with pytest.raises(LedgerError, match=r"cannot use the ledger .* nobody foresaw"):
        await SqliteLedger(path).__aenter__()
    monkeypatch.undo()
    async with SqliteLedger(path) as ledger:
        await claim_lines(ledger, 1)


async def test_a_claim_that_is_cancelled(path: Path) -> None:
    """It is given back when its caller leaves before it is written: the row is free again, and was not sent."""
    async with SqliteLedger(path) as ledger:
        task = asyncio.ensure_future(ledger.claim([claim_request(1), claim_request(2), claim_request(1)], lease=LEASE))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        (again,) = await claim_lines(ledger, 3)
        assert await ledger.counts() == StateCounts(new=2, sending=1)
        intent = await ledger.entry(claim_request(1).key_hash)
        assert intent is not None
        assert intent.reason == writer.CALLER_GONE
        assert [found.attempt for found in await claim_lines(ledger, 1, 2)] == [2, 2]
        assert again.attempt == 1


async def test_a_claim_that_is_cancelled_as_it_comes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So it is when its caller leaves after it was written, and before it looked at what it had got."""
    deliver = Writer._deliver
    async with SqliteLedger(path) as ledger:
        task = asyncio.ensure_future(ledger.claim([claim_request(1)], lease=LEASE))

        def leave(self: Writer, *values: Any) -> None:
            deliver(self, *values)
            task.cancel()

        monkeypatch.setattr(Writer, "_deliver", leave)
        await asyncio.wait([task])
        assert task.cancelled()
        monkeypatch.undo()
        assert await ledger.counts() == StateCounts(new=1)


async def test_opening_that_is_cancelled(path: Path) -> None:
    """Nothing is held afterwards."""
    task = asyncio.ensure_future(SqliteLedger(path).__aenter__())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    async with asyncio.timeout(10):
        while True:
            try:
                async with SqliteLedger(path) as ledger:
                    await claim_lines(ledger, 1)
                    break
            except LedgerError:
                await asyncio.sleep(0.001)


async def test_closing_that_is_cancelled(path: Path) -> None:
    """What was told is written all the same, and the file is free."""
    ledger = await SqliteLedger(path).__aenter__()
    (found,) = await claim_lines(ledger, 1)
    ledger.record(Transition.ACCEPT, transition_details(found))
    task = asyncio.ensure_future(ledger.__aexit__(None, None, None))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    async with SqliteLedger(path) as again:
        assert await again.counts() == StateCounts(accepted=1)


async def test_two_keys_with_one_tag(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """By a chance in 2**63 a row is taken for known and not sent; that is said, and no number with it."""
    async with SqliteLedger(path) as ledger:
        (found,) = await claim_lines(ledger, 1)
        ledger.record(Transition.RELEASE, transition_details(found))
        other = claim_request(2)._replace(key_hash=claim_request(1).key_hash)
        assert [one.claimed for one in await ledger.claim([other, claim_request(1)], lease=LEASE)] == [False, True]
        assert not await ledger.mark_invalid(other, "no")
    assert caplog.messages == ["line 2 is not sent: its key has the tag of line 1's by chance"]


async def test_who_asks_while_it_fails_is_told_as_well(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes while a transaction is failing is not left waiting."""
    begun = threading.Event()

    def slow(*_: object) -> None:
        begun.set()
        time.sleep(0.2)
        raise sqlite3.OperationalError("disk I/O error")

    ledger = await SqliteLedger(path).__aenter__()
    monkeypatch.setattr(LedgerDatabase, "transact", slow)
    first = asyncio.create_task(claim_lines(ledger, 1))
    while not begun.is_set():  # noqa: ASYNC110  # it is set in a thread
        await asyncio.sleep(0.01)
    second = asyncio.create_task(claim_lines(ledger, 2))
    async with asyncio.timeout(10):
        for task in (first, second):
            with pytest.raises(LedgerError):
                await task
        with pytest.raises(LedgerError):
            await ledger.__aexit__(None, None, None)
