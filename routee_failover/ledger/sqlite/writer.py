"""The one thread that writes a ledger. What arrives while it commits goes into its next transaction."""

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
"""Seconds for which endings wait for others to share a transaction with, or for a claim, which does not wait."""

FILE_GONE = "its file was taken away or exchanged"
CALLER_GONE = "whoever claimed it was gone before it was sent"

_Job = tuple[Callable[[LedgerDatabase], Any], "asyncio.Future[Any]"]
_Claim = tuple[Sequence[ClaimRequest], float, "asyncio.Future[list[ClaimResult]]"]
_log = logging.getLogger("routee_failover.ledger")


class OpenedLedger(NamedTuple):
    """What a file says when it is opened."""

    run_id: str
    now: Callable[[], float]
    state_counts: tuple[int, ...]


class _Batch:
    """What one transaction does, and who waits for it."""

    def __init__(
        self, transitions: list[TransitionRecord], reports: list[DeliveryReport], jobs: list[_Job], claims: list[_Claim]
    ) -> None:
        self.transitions, self.reports, self.jobs, self.claims = transitions, reports, jobs, claims
        self.record_count = len(transitions) + len(reports)
        self.results: list[tuple[asyncio.Future[Any], Any]] = []

    def __bool__(self) -> bool:
        return bool(self.record_count or self.jobs or self.claims)

    def run(self, database: LedgerDatabase) -> None:
        """Do it. What was told without waiting comes first: whoever waits may have told it before."""
        database.apply(self.transitions)
        if self.reports:
            database.record_delivery_reports(self.reports)
        self.results += ((future, job(database)) for job, future in self.jobs)
        by_lease: dict[float, list[_Claim]] = {}
        for claim in self.claims:
            by_lease.setdefault(claim[1], []).append(claim)
        for lease, claims in by_lease.items():
            found = database.claim([one for wanted, _, _ in claims for one in wanted], lease)
            begin = 0
            for wanted, _, future in claims:
                self.results.append((future, found[begin : begin + len(wanted)]))
                begin += len(wanted)


def _drain(pending: list[T]) -> list[T]:
    # The list stays the same one: to exchange it would lose what another thread is just appending.
    taken = pending[:]
    del pending[: len(taken)]
    return taken


class Writer:
    """Takes work in an event loop, and does it in its thread. All methods belong to that loop."""

    def __init__(self, path: Path, real: Path, *, recover: bool = False) -> None:
        self._path, self._real, self._recover = path, real, recover
        self._log = sidecar_path(real, WAL_SUFFIX)
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
        """Make a move soon."""
        if self.failure is None:
            self._transitions.append((transition, details))
            self._schedule_flush()

    def record_delivery_report(self, report: DeliveryReport) -> None:
        """Keep a fate soon."""
        if self.failure is None:
            self._reports.append(report)
            self._schedule_flush()

    def claim(self, requests: Sequence[ClaimRequest], lease: float) -> "asyncio.Future[list[ClaimResult]]":
        """Claim with the next transaction. Whoever is cancelled meanwhile gives back what was claimed for it."""
        future: asyncio.Future[list[ClaimResult]] = self._loop.create_future()
        self._claims.append((requests, lease, future))
        self._wake()
        return future

    def submit(self, job: Callable[[LedgerDatabase], T]) -> "asyncio.Future[T]":
        """Do something else in the next transaction."""
        future: asyncio.Future[T] = self._loop.create_future()
        self._jobs.append((job, future))
        self._wake()
        return future

    @property
    def has_pending(self) -> bool:
        """Whether something was told that is not written yet."""
        return self._recorded != self._written

    def release(self, results: Sequence[ClaimResult]) -> None:
        """Return what was claimed for somebody who is gone: nobody can have sent it."""
        for one in results:
            if one.claimed:
                self.record(Transition.RELEASE, TransitionDetails(one.number, one.attempt, CALLER_GONE, resolved_by=""))

    async def drain(self) -> None:
        """Come back once everything asked for so far is answered."""
        if self.failure is None and not self.closed.done():
            await self.submit(lambda _: None)

    def stop(self) -> None:
        """Write what is left, and let go of the file; `closed` is done then."""
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
            file = LedgerFile(self._real, recover=self._recover)
            book = file.database
        except (UnusableDatabase, sqlite3.Error) as error:
            self._call_in_loop(self._open_failed, explain_failure(error))
        except BaseException as error:  # noqa: BLE001  # whatever it is: nobody waits for a thread that is gone
            self._call_in_loop(self._open_failed, _unexpected(error))
        else:
            self._call_in_loop(self._open_succeeded, OpenedLedger(book.run_id, book.clock, book.state_counts))
            reason: str | None = "its thread failed"
            try:
                reason = self._write_until_stopped(book)
            except BaseException as error:  # noqa: BLE001
                self._call_in_loop(self._fail_all, _unexpected(error), self._current_batch)
            finally:
                file.close(clean=reason is None)
        finally:
            self._call_in_loop(self._finish)

    def _write_until_stopped(self, database: LedgerDatabase) -> str | None:
        """Write until it is stopped; return why nothing more could be written, if that was so."""
        main, log = self._stat()
        here = file_id(main), file_id(log)
        reason: str | None = None
        while True:
            self._wakeups.get()
            self._wakeup_pending = False
            stopping = self._stopping
            group = _Batch(_drain(self._transitions), _drain(self._reports), _drain(self._jobs), _drain(self._claims))
            self._current_batch = group
            # What has failed has failed for all who come after: they are told, and do not wait for ever.
            reason = reason or self._write(database, group, here)
            self._current_batch = None
            self._call_in_loop(self._deliver, group, database.state_counts, reason)
            if stopping:
                return reason

    def _write(self, database: LedgerDatabase, batch: _Batch, files: tuple[FileId, FileId]) -> str | None:
        """Why it could not be written."""
        if not batch:
            return None
        try:
            database.transact(partial(batch.run, database))
            main, log = self._stat()
        except (UnusableDatabase, sqlite3.Error) as error:
            return explain_failure(error)
        except OSError:
            return FILE_GONE
        except BaseException as error:  # noqa: BLE001  # the lock is held on to, as after any other failure
            return _unexpected(error)
        # A file without a name takes everything, and keeps nothing; through a second name its log is not seen.
        if (file_id(main), file_id(log)) != files:
            return FILE_GONE
        return HARD_LINKED if main.st_nlink > 1 else None

    def _stat(self) -> tuple[os.stat_result, os.stat_result]:
        return self._real.stat(), self._log.stat()

    def _call_in_loop(self, function: Callable[..., None], *values: Any) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
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
        for future, answer in batch.results:
            if not future.done():
                future.set_result(answer)
            elif isinstance(answer, list):
                self.release(answer)

    def _fail_all(self, reason: str, batch: _Batch | None = None) -> None:
        self.failure = (
            f"the ledger {self._path} takes nothing more: {reason}. Nothing more is sent; what is under way is UNKNOWN"
            " to whoever opens it next"
        )
        jobs, claims = [*self._jobs], [*self._claims]
        if batch is not None:
            jobs += batch.jobs
            claims += batch.claims
        for future in (*(future for _, future in jobs), *(future for _, _, future in claims)):
            if not future.done():
                _fail(future, self.failure)
        for waiting in (self._transitions, self._reports, self._jobs, self._claims):
            waiting.clear()

    def _finish(self) -> None:
        if not self.closed.done():
            self.closed.set_result(None)


def _unexpected(error: BaseException) -> str:
    _log.error("the ledger's thread failed", exc_info=error)
    return f"an error that nobody foresaw ({type(error).__name__})"


def _fail(future: "asyncio.Future[Any]", reason: str) -> None:
    future.set_exception(LedgerError(reason))
    future.exception()  # whoever waited may be gone; that is not to be told of on its own
