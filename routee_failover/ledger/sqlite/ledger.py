"""Ledger in an SQLite file: its entries survive the end of the run, a kill and a power cut."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, TypeVar

from ..._sqlite import UnusableDatabase, resolve_path
from ..._tasks import run_to_end
from ...errors import LedgerError
from ..entry import (
    ClaimRequest,
    ClaimResult,
    DeliveryCount,
    DeliveryReport,
    LedgerEntry,
    StateCounts,
    TransitionDetails,
)
from ..state_machine import EntryState, Transition
from .read_only import ReadOnlyLedger
from .reader import Reader
from .row_mapping import state_counts_from_row
from .schema import STATE_CODES
from .write_operations import LedgerDatabase
from .writer import OpenedLedger, Writer

T = TypeVar("T")


class SqliteLedger:
    """Ledger in an SQLite file, created if it does not exist: `async with SqliteLedger("run.sqlite") as ledger`.

    One run at a time has it open for writing; `SqliteLedger.read` reads it meanwhile. It belongs to the event loop
    that opened it. A `claim` that is cancelled before its result was used is released. Entering raises `LedgerError`
    for a file that cannot be used, and leaves the file as it is.

    A file that has lost something that was written to it is refused as well. With `recover` it is opened all the same:
    what may have been sent becomes UNKNOWN, and so does, from then on, every message that is claimed and not in the
    file. So it is searched for at Routee before it is sent. Make sure that no run is using the lost file.
    """

    def __init__(self, path: str | os.PathLike[str], *, recover: bool = False) -> None:
        self._path = Path(path)
        self._recover = recover
        self._writer: Writer | None = None
        self._reader: Reader | None = None
        self._opened: OpenedLedger | None = None

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> ReadOnlyLedger:
        """Return a read-only ledger of a file, which also works while a run has it open, and on read-only media."""
        return ReadOnlyLedger(path)

    @property
    def run_id(self) -> str:
        """Unique id of the ledger."""
        return self._get_opened().run_id

    def now(self) -> float:
        """Return seconds since 1970, never before the last commit that is in the file."""
        return self._get_opened().now()

    async def claim(self, requests: Sequence[ClaimRequest], *, lease: float) -> list[ClaimResult]:
        """Claim what is NEW or not in the ledger yet."""
        writer = self._get_writer()
        if not requests:
            return []
        future = writer.claim(requests, lease)
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                writer.release(future.result())
            raise

    async def find(self, key_hashes: Sequence[int]) -> dict[int, ClaimResult]:
        """Return the entries with these key hashes."""
        return await (await self._get_reader()).find(key_hashes)

    async def mark_invalid(self, request: ClaimRequest, reason: str) -> bool:
        """Record as INVALID a row from which no flow can be built."""
        return await self._run_job(lambda database: database.mark_invalid(request, reason))

    async def delete_invalid(self) -> None:
        """Delete the INVALID entries of which nothing may have been accepted."""
        await self.flush()
        if self._get_writer().state_counts[STATE_CODES[EntryState.INVALID]]:
            await self._run_job(LedgerDatabase.delete_invalid)

    def record(self, transition: Transition, details: TransitionDetails) -> None:
        """Record a transition. It never raises: `flush` and `claim` report when it could not be written."""
        if self._writer is not None:
            self._writer.record(transition, details)

    async def apply(self, transition: Transition, details: TransitionDetails) -> bool:
        """Apply a transition, and return once it would survive a power cut."""
        return await self._run_job(lambda database: database.apply([(transition, details)]) > 0)

    async def expire_leases(self) -> int:
        """Make UNKNOWN the entries that are SENDING past their lease."""
        return await self._run_job(LedgerDatabase.expire_leases)

    def record_delivery_report(self, report: DeliveryReport) -> None:
        """Record the delivery report of an accepted flow. It never raises."""
        if self._writer is not None:
            self._writer.record_delivery_report(report)

    async def flush(self) -> None:
        """Return once everything recorded so far would survive a power cut."""
        if self._get_writer().has_pending:
            await self._run_job(lambda _: None)

    async def entry(self, key_hash: int) -> LedgerEntry | None:
        """Return the entry with this key hash."""
        return await (await self._get_reader()).entry(key_hash)

    async def entries(
        self, states: Collection[EntryState] | None = None, *, without_report: bool = False
    ) -> AsyncIterator[LedgerEntry]:
        """Iterate over the entries in these states."""
        reader = await self._get_reader()
        async for entry in reader.entries(states, without_report=without_report):
            yield entry

    async def counts(self) -> StateCounts:
        """Return the number of entries in each state. It is kept up to date, so that no rows are counted."""
        await self.flush()
        return state_counts_from_row(self._get_writer().state_counts)

    async def delivery_counts(self) -> list[DeliveryCount]:
        """Return the number of accepted messages by status and channel of their delivery report."""
        return await (await self._get_reader()).delivery_counts()

    async def get_document(self, name: str) -> Any:
        """Return the JSON document with this name."""
        return await (await self._get_reader()).get_document(name)

    async def put_document(self, name: str, value: Mapping[str, Any]) -> None:
        """Store a JSON document."""
        text = json.dumps(dict(value))
        await self._run_job(lambda database: database.put_document(name, text))

    async def __aenter__(self) -> Self:
        try:
            path = resolve_path(self._path)
        except UnusableDatabase as error:
            raise LedgerError(f"cannot use the ledger {self._path}: {error}. Nothing was sent") from None
        writer = Writer(self._path, path, recover=self._recover)
        try:
            self._opened = await writer.opened
        except BaseException as error:
            writer.stop()
            if not isinstance(error, asyncio.CancelledError):
                await writer.closed
            raise
        self._writer, self._reader = writer, Reader(self._path, path, for_writer=True)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        writer, reader = self._writer, self._reader
        self._writer = self._reader = self._opened = None
        if writer is None or reader is None:
            return
        # However often this is cancelled: it does not take long, and then the file is free for the next run.
        await run_to_end(_close(reader, writer))
        if writer.failure is not None and _exc[0] is None:
            raise LedgerError(writer.failure)

    async def _run_job(self, job: Callable[[LedgerDatabase], T]) -> T:
        return await self._get_writer().submit(job)

    async def _get_reader(self) -> Reader:
        await self.flush()
        if self._reader is None:
            raise self._not_open_error()
        return self._reader

    def _get_writer(self) -> Writer:
        if self._writer is None:
            raise self._not_open_error()
        if self._writer.failure is not None:
            raise LedgerError(self._writer.failure)
        return self._writer

    def _get_opened(self) -> OpenedLedger:
        if self._opened is None:
            raise self._not_open_error()
        return self._opened

    def _not_open_error(self) -> LedgerError:
        return LedgerError(f"the ledger {self._path} is not open; use it as `async with`. Nothing was sent")


async def _close(reader: Reader, writer: Writer) -> None:
    try:
        await reader.close()
        with suppress(LedgerError):
            await writer.drain()  # claims of cancelled callers are released when their results are delivered
    finally:
        writer.stop()
        await asyncio.shield(writer.closed)
