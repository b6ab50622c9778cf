"""Failures of a ledger's disk, file or thread: every call raises the reason from then on, and none hangs."""

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
from routee_failover.ledger.sqlite.write_operations import LedgerDatabase
from routee_failover.ledger.sqlite.writer import Writer

from ..factories import LEASE, claim_lines, claim_request, transition_details


@pytest.fixture
def small_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Limit the database file to some hundred entries."""

    def connect(path: Path) -> sqlite3.Connection:
        connection = schema.connect_for_writing(path)
        connection.execute("PRAGMA max_page_count=30")
        return connection

    monkeypatch.setattr(ledger_file, "connect_for_writing", connect)
    yield
    monkeypatch.undo()


async def _assert_every_call_fails(ledger: SqliteLedger, found: ClaimResult, reason: str) -> None:
    """Assert that every call raises the reason; those that never raise do not."""
    ledger.record(Transition.ACCEPT, transition_details(found))
    ledger.record_delivery_report(DeliveryReport(found.number, "Succeeded"))
    for call in (
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
        with pytest.raises(LedgerError, match=f"cannot be written any more: {reason}. Nothing more is sent"):
            await call


async def _assert_closing_fails(ledger: SqliteLedger, reason: str) -> None:
    """Assert that closing raises the reason too."""
    async with asyncio.timeout(10):
        with pytest.raises(LedgerError, match=reason):
            await ledger.__aexit__(None, None, None)


async def test_full_disk_fails_waiting_and_later_calls_and_keeps_acknowledged_claims(
    path: Path, small_disk: None
) -> None:
    """Waiting callers get the error, later ones too, and what was acknowledged before is in the file."""
    acknowledged: list[ClaimResult] = []

    async def worker(start: int) -> None:
        for line in range(start, 10_000, 10):
            acknowledged.extend(await ledger.claim([claim_request(line)], lease=LEASE))

    ledger = await SqliteLedger(path).__aenter__()
    results = await asyncio.gather(*(worker(start) for start in range(10)), return_exceptions=True)
    assert all(isinstance(result, LedgerError) for result in results)
    await _assert_every_call_fails(ledger, acknowledged[0], "the disk is full")
    await _assert_closing_fails(ledger, "the disk is full")
    assert len(acknowledged) > 50
    async with SqliteLedger.read(path) as read:
        assert [entry.number async for entry in read.entries()] == sorted(one.number for one in acknowledged)
        assert await read.counts() == StateCounts(sending=len(acknowledged))


async def test_transition_that_could_not_be_written_is_reported_by_flush_and_closing(
    path: Path, small_disk: None
) -> None:
    """`flush` raises the reason, and so does closing the ledger, unless another error is raised there already."""
    ledger = await SqliteLedger(path).__aenter__()
    (found,) = await claim_lines(ledger, 1)
    ledger.record(Transition.REJECT, TransitionDetails(found.number, found.attempt, "x" * 200_000))
    await _assert_closing_fails(ledger, "the disk is full")
    with pytest.raises(ZeroDivisionError):
        await _lose_a_transition(ledger)
    async with SqliteLedger.read(path) as read:
        assert await read.counts() == StateCounts(sending=1, unknown=1)


async def _lose_a_transition(ledger: SqliteLedger) -> None:
    async with ledger:
        (found,) = await claim_lines(ledger, 2)
        ledger.record(Transition.REJECT, TransitionDetails(found.number, found.attempt, "x" * 200_000))
        with pytest.raises(LedgerError, match="the disk is full"):
            await ledger.flush()
        raise ZeroDivisionError


def _remove(path: Path, end: str) -> None:
    path.with_name(f"{path.name}{end}").unlink()


def _touch(path: Path) -> None:
    path.touch()


@pytest.mark.parametrize("end", ["", "-wal"])
async def test_removed_file_fails_the_next_claim(path: Path, end: str) -> None:
    """Writes that would go to a file without a name are not acknowledged."""
    ledger = await SqliteLedger(path).__aenter__()
    (found,) = await claim_lines(ledger, 1)
    _remove(path, end)
    await ledger.flush()
    with pytest.raises(LedgerError, match="removed"):
        await claim_lines(ledger, 2)
    await _assert_every_call_fails(ledger, found, "its file was removed or replaced")
    await _assert_closing_fails(ledger, "removed")


async def test_replaced_file_fails_the_next_claim(path: Path) -> None:
    """The same when another file has its name."""
    ledger = await SqliteLedger(path).__aenter__()
    await claim_lines(ledger, 1)
    _remove(path, "")
    _touch(path)
    with pytest.raises(LedgerError, match="replaced"):
        await claim_lines(ledger, 2)
    await _assert_closing_fails(ledger, "replaced")


async def test_unexpected_error_fails_all_calls_and_rolls_back_the_transaction(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """After any error in the thread no caller waits for ever, and nothing of the transaction is in the file."""

    def broken(database: LedgerDatabase) -> int:
        raise ZeroDivisionError

    ledger = await SqliteLedger(path).__aenter__()
    (found,) = await claim_lines(ledger, 1)
    monkeypatch.setattr(LedgerDatabase, "expire_leases", broken)
    expiry = asyncio.ensure_future(ledger.expire_leases())
    claim = asyncio.ensure_future(ledger.claim([claim_request(2)], lease=LEASE))
    await asyncio.wait([expiry, claim])
    assert isinstance(expiry.exception(), LedgerError)
    assert isinstance(claim.exception(), LedgerError)
    await _assert_every_call_fails(ledger, found, r"an unexpected error \(ZeroDivisionError\)")
    await _assert_closing_fails(ledger, "unexpected error")
    monkeypatch.undo()
    assert [record.getMessage() for record in caplog.records] == ["the ledger's thread failed"]
    async with ledger:
        assert await ledger.counts() == StateCounts(unknown=1)


async def test_dead_writer_thread_fails_waiting_and_later_calls(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Callers that wait for the thread, and later ones, get an error."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    ledger = await SqliteLedger(path).__aenter__()
    (found,) = await claim_lines(ledger, 1)
    monkeypatch.setattr(Writer, "_write", broken)
    monkeypatch.setattr("threading.excepthook", lambda _: None)
    async with asyncio.timeout(10):
        with pytest.raises(LedgerError, match="unexpected error"):
            await claim_lines(ledger, 2)
        await _assert_every_call_fails(ledger, found, r"an unexpected error \(ZeroDivisionError\)")
        await _assert_closing_fails(ledger, "unexpected error")


async def test_unexpected_error_at_opening_is_a_ledger_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a `LedgerError` like any other, and the file stays usable."""

    def broken(_: Path) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(ledger_file, "connect_for_writing", broken)
    with pytest.raises(LedgerError, match=r"cannot use the ledger .* unexpected error"):
        await SqliteLedger(path).__aenter__()
    monkeypatch.undo()
    async with SqliteLedger(path) as ledger:
        await claim_lines(ledger, 1)


async def test_claim_cancelled_before_it_is_written_is_released(path: Path) -> None:
    """A claim whose caller is cancelled before it is written is released: the row is NEW, and was not sent."""
    async with SqliteLedger(path) as ledger:
        task = asyncio.ensure_future(ledger.claim([claim_request(1), claim_request(2), claim_request(1)], lease=LEASE))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        (again,) = await claim_lines(ledger, 3)
        assert await ledger.counts() == StateCounts(new=2, sending=1)
        entry = await ledger.entry(claim_request(1).key_hash)
        assert entry is not None
        assert entry.reason == writer.CALLER_GONE
        assert [found.attempt for found in await claim_lines(ledger, 1, 2)] == [2, 2]
        assert again.attempt == 1


async def test_claim_cancelled_before_its_result_is_used_is_released(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same when the caller is cancelled after the claim was written, and before it has received the result."""
    deliver = Writer._deliver
    async with SqliteLedger(path) as ledger:
        task = asyncio.ensure_future(ledger.claim([claim_request(1)], lease=LEASE))

        def deliver_then_cancel(self: Writer, *values: Any) -> None:
            deliver(self, *values)
            task.cancel()

        monkeypatch.setattr(Writer, "_deliver", deliver_then_cancel)
        await asyncio.wait([task])
        assert task.cancelled()
        monkeypatch.undo()
        assert await ledger.counts() == StateCounts(new=1)


async def test_cancelled_opening_releases_the_file(path: Path) -> None:
    """No lock is held afterwards."""
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


async def test_cancelled_closing_writes_what_was_recorded(path: Path) -> None:
    """What was recorded is written all the same, and the file is free."""
    ledger = await SqliteLedger(path).__aenter__()
    (found,) = await claim_lines(ledger, 1)
    ledger.record(Transition.ACCEPT, transition_details(found))
    task = asyncio.ensure_future(ledger.__aexit__(None, None, None))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    async with SqliteLedger(path) as again:
        assert await again.counts() == StateCounts(accepted=1)


async def test_key_hash_collision_is_not_sent_and_logged_without_a_number(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """By a chance of one in 2**63 a row is mistaken for a known one and not sent; the log has no phone number."""
    async with SqliteLedger(path) as ledger:
        (found,) = await claim_lines(ledger, 1)
        ledger.record(Transition.RELEASE, transition_details(found))
        other = claim_request(2)._replace(key_hash=claim_request(1).key_hash)
        assert [one.claimed for one in await ledger.claim([other, claim_request(1)], lease=LEASE)] == [False, True]
        assert not await ledger.mark_invalid(other, "no")
    assert caplog.messages == ["line 2 is not sent: its key has the key hash of line 1 by chance"]


async def test_claim_made_while_a_transaction_fails_gets_the_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that arrives while a transaction is failing is not left waiting."""
    started = threading.Event()

    def slow(*_: object) -> None:
        started.set()
        time.sleep(0.2)
        raise sqlite3.OperationalError("disk I/O error")

    ledger = await SqliteLedger(path).__aenter__()
    monkeypatch.setattr(LedgerDatabase, "transact", slow)
    first = asyncio.create_task(claim_lines(ledger, 1))
    while not started.is_set():  # noqa: ASYNC110  # it is set in a thread
        await asyncio.sleep(0.01)
    second = asyncio.create_task(claim_lines(ledger, 2))
    async with asyncio.timeout(10):
        for task in (first, second):
            with pytest.raises(LedgerError):
                await task
        with pytest.raises(LedgerError):
            await ledger.__aexit__(None, None, None)
