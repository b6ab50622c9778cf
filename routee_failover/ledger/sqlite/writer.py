"""Writer thread of a ledger. What arrives while it commits goes into its next transaction."""

import asyncio
import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeVar

from ..._sqlite import HARD_LINKED, UnusableDatabase
from ...errors import LedgerError
from ..entry import ClaimRequest, ClaimResult, DeliveryReport, TransitionDetails
from ..state_machine import Transition
from .database import LedgerDatabase, TransitionRecord
from .file_descriptors import FileId, file_id
from .high_water_mark import sidecar_path
from .ledger_file import LedgerFile
from .loss_detection import WAL_SUFFIX
from .schema import explain_failure

T = TypeVar("T")

BATCH_DELAY = 0.005
"""Seconds for which records wait for others to share a transaction with, or for a claim, which does not wait."""

FILE_GONE = "its file was removed or replaced"
CALLER_GONE = "the caller that claimed it was gone before it was sent"

_Job = tuple[Callable[[LedgerDatabase], Any], "asyncio.Future[Any]"]
_Claim = tuple[Sequence[ClaimRequest], float, "asyncio.Future[list[ClaimResult]]"]
_log = logging.getLogger("routee_failover.ledger")


class OpenedLedger(NamedTuple):
    """State of a ledger when it was opened."""

    run_id: str
    now: Callable[[], float]
    state_counts: tuple[int, ...]


class _Batch:
    """Work of one transaction, with the futures that wait for it."""

    def __init__(
        self, transitions: list[TransitionRecord], reports: list[DeliveryReport], jobs: list[_Job], claims: list[_Claim]
    ) -> None:
        self.transitions, self.reports, self.jobs, self.claims = transitions, reports, jobs, claims
        self.record_count = len(transitions) + len(reports)
        self.results: list[tuple[asyncio.Future[Any], Any]] = []

    def __bool__(self) -> bool:
        return bool(self.record_count or self.jobs or self.claims)

    def run(self, database: LedgerDatabase) -> None:
        """Run the batch in a transaction of `database`."""
        # 1. Records that do not wait come first: the caller of a job or claim may have made them before.
        database.apply(self.transitions)
        if self.reports:
            database.record_delivery_reports(self.reports)
        # 2. Jobs, in their order.
        self.results += ((future, job(database)) for job, future in self.jobs)
        # 3. Claims, all with the same lease in one statement.
        by_lease: dict[float, list[_Claim]] = {}
        for claim in self.claims:
            by_lease.setdefault(claim[1], []).append(claim)
        for lease, claims in by_lease.items():
            found = database.claim([request for requests, _, _ in claims for request in requests], lease)
            begin = 0
            for requests, _, future in claims:
                self.results.append((future, found[begin : begin + len(requests)]))
                begin += len(requests)


def _drain(pending: list[T]) -> list[T]:
    # The list stays the same object: replacing it would lose what another thread is appending meanwhile.
    drained = pending[:]
    del pending[: len(drained)]
    return drained


class Writer:
    """Writer of a ledger file: it accepts work in an event loop, to which its methods belong, and runs it in a thread.

    Records (transitions and delivery reports) are written soon; jobs and claims start the next transaction at once.
    """

    def __init__(self, path: Path, resolved_path: Path, *, recover: bool = False) -> None:
        self._path, self._resolved_path, self._recover = path, resolved_path, recover
        self._log_path = sidecar_path(resolved_path, WAL_SUFFIX)
        self._loop = asyncio.get_running_loop()
        self._transitions: list[TransitionRecord] = []
        self._reports: list[DeliveryReport] = []
        self._jobs: list[_Job] = []
        self._claims: list[_Claim] = []
        self._wakeups: SimpleQueue[None] = SimpleQueue()
        self._wakeup_pending = self._flush_scheduled = self._stopping = False
        self._recorded = self._written = 0
        self._current_batch: _Batch | None = None
        self.opened: asyncio.Future[OpenedLedger] = self._loop.create_future()
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self.failure: str | None = None
        self.state_counts: tuple[int, ...] = ()
        self._thread = threading.Thread(target=self._run, name="routee-ledger", daemon=True)
        self._thread.start()

    def record(self, transition: Transition, details: TransitionDetails) -> None:
        """Record a transition, without waiting."""
        if self.failure is None:
            self._transitions.append((transition, details))
            self._schedule_flush()

    def record_delivery_report(self, report: DeliveryReport) -> None:
        """Record a delivery report, without waiting."""
        if self.failure is None:
            self._reports.append(report)
            self._schedule_flush()

    def claim(self, requests: Sequence[ClaimRequest], lease: float) -> "asyncio.Future[list[ClaimResult]]":
        """Claim with the next transaction. If the future is cancelled meanwhile, its claims are released."""
        future: asyncio.Future[list[ClaimResult]] = self._loop.create_future()
        self._claims.append((requests, lease, future))
        self._wake()
        return future

    def submit(self, job: Callable[[LedgerDatabase], T]) -> "asyncio.Future[T]":
        """Run a job in the next transaction."""
        future: asyncio.Future[T] = self._loop.create_future()
        self._jobs.append((job, future))
        self._wake()
        return future

    @property
    def has_pending(self) -> bool:
        """Whether something was recorded that is not written yet."""
        return self._recorded != self._written

    def release(self, results: Sequence[ClaimResult]) -> None:
        """Release claims whose caller is gone: they cannot have been sent."""
        for result in results:
            if result.claimed:
                self.record(
                    Transition.RELEASE, TransitionDetails(result.number, result.attempt, CALLER_GONE, resolved_by="")
                )

    async def drain(self) -> None:
        """Return once the results of all earlier jobs and claims are delivered."""
        if self.failure is None and not self.closed.done():
            await self.submit(lambda _: None)

    def stop(self) -> None:
        """Write what is pending, and close the file; then `closed` is done."""
        self._stopping = True
        self._wake()

    def _schedule_flush(self) -> None:
        self._recorded += 1
        if not (self._flush_scheduled or self._wakeup_pending):
            self._flush_scheduled = True
            self._loop.call_later(BATCH_DELAY, self._flush_due)

    def _flush_due(self) -> None:
        self._flush_scheduled = False
        if self.has_pending:
            self._wake()

    def _wake(self) -> None:
        if not self._wakeup_pending:
            self._wakeup_pending = True
            self._wakeups.put(None)

    def _run(self) -> None:
        file: LedgerFile | None = None
        try:
            file = LedgerFile(self._resolved_path, recover=self._recover)
            database = file.database
        except (UnusableDatabase, sqlite3.Error) as error:
            self._call_in_loop(self._open_failed, explain_failure(error))
        except BaseException as error:  # noqa: BLE001  # of any kind: no caller may wait for a thread that is gone
            self._call_in_loop(self._open_failed, _unexpected(error))
        else:
            self._call_in_loop(
                self._open_succeeded, OpenedLedger(database.run_id, database.clock, database.state_counts)
            )
            reason: str | None = "its thread failed"
            try:
                reason = self._write_until_stopped(database)
            except BaseException as error:  # noqa: BLE001
                self._call_in_loop(self._fail_all, _unexpected(error), self._current_batch)
            finally:
                file.close(clean=reason is None)
        finally:
            self._call_in_loop(self._finish)

    def _write_until_stopped(self, database: LedgerDatabase) -> str | None:
        """Write until the writer is stopped; return why nothing more could be written, or `None`."""
        main, log = self._stat()
        files = file_id(main), file_id(log)
        reason: str | None = None
        while True:
            self._wakeups.get()
            self._wakeup_pending = False
            stopping = self._stopping
            batch = _Batch(_drain(self._transitions), _drain(self._reports), _drain(self._jobs), _drain(self._claims))
            self._current_batch = batch
            # A failure holds for all later batches too: their callers get the error, and do not wait for ever.
            reason = reason or self._write(database, batch, files)
            self._current_batch = None
            self._call_in_loop(self._deliver, batch, database.state_counts, reason)
            if stopping:
                return reason

    def _write(self, database: LedgerDatabase, batch: _Batch, files: tuple[FileId, FileId]) -> str | None:
        """Write a batch; return why it could not be written, or `None`."""
        if not batch:
            return None
        try:
            database.transact(partial(batch.run, database))
            main, log = self._stat()
        except (UnusableDatabase, sqlite3.Error) as error:
            return explain_failure(error)
        except OSError:
            return FILE_GONE
        except BaseException as error:  # noqa: BLE001  # the lock is kept, as after any other failure
            return _unexpected(error)
        # A file without a name accepts every write and is lost; under a second name its log is not found.
        if (file_id(main), file_id(log)) != files:
            return FILE_GONE
        return HARD_LINKED if main.st_nlink > 1 else None

    def _stat(self) -> tuple[os.stat_result, os.stat_result]:
        return self._resolved_path.stat(), self._log_path.stat()

    def _call_in_loop(self, function: Callable[..., None], *values: Any) -> None:
        with suppress(RuntimeError):  # the loop is closed: there are no waiters left
            self._loop.call_soon_threadsafe(function, *values)

    def _open_succeeded(self, opened: OpenedLedger) -> None:
        self.state_counts = opened.state_counts
        if not self.opened.done():
            self.opened.set_result(opened)

    def _open_failed(self, reason: str) -> None:
        if not self.opened.done():
            _fail(self.opened, f"cannot use the ledger {self._path}: {reason}. Nothing was sent")

    def _deliver(self, batch: _Batch, state_counts: tuple[int, ...], reason: str | None) -> None:
        self._written += batch.record_count
        if reason is not None:
            self._fail_all(reason, batch)
            return
        self.state_counts = state_counts
        for future, result in batch.results:
            if not future.done():
                future.set_result(result)
            elif isinstance(result, list):
                self.release(result)

    def _fail_all(self, reason: str, batch: _Batch | None = None) -> None:
        self.failure = (
            f"the ledger {self._path} cannot be written any more: {reason}. Nothing more is sent; what is in flight is"
            " UNKNOWN the next time that the ledger is opened"
        )
        jobs, claims = [*self._jobs], [*self._claims]
        if batch is not None:
            jobs += batch.jobs
            claims += batch.claims
        for future in (*(future for _, future in jobs), *(future for _, _, future in claims)):
            if not future.done():
                _fail(future, self.failure)
        for pending in (self._transitions, self._reports, self._jobs, self._claims):
            pending.clear()

    def _finish(self) -> None:
        if not self.closed.done():
            self.closed.set_result(None)


def _unexpected(error: BaseException) -> str:
    _log.error("the ledger's thread failed", exc_info=error)
    return f"an unexpected error ({type(error).__name__})"


def _fail(future: "asyncio.Future[Any]", reason: str) -> None:
    future.set_exception(LedgerError(reason))
    future.exception()  # marks it as retrieved: the waiter may be gone, which asyncio would log
