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
from ..intent import Ending, Fate, Found, Wanted
from ..states import Move
from .book import Book, Told
from .descriptors import FileId, file_id
from .file import LedgerFile
from .high_water import beside
from .loss import LOG
from .schema import reason_of

T = TypeVar("T")

LINGER = 0.005
"""Seconds for which endings wait for others to share a transaction with, or for a claim, which does not wait."""

GONE = "its file was taken away or exchanged"
UNCLAIMED = "whoever claimed it was gone before it was sent"

_Job = tuple[Callable[[Book], Any], "asyncio.Future[Any]"]
_Claim = tuple[Sequence[Wanted], float, "asyncio.Future[list[Found]]"]
_log = logging.getLogger("routee_failover.ledger")


class Opened(NamedTuple):
    """What a file says when it is opened."""

    run_id: str
    now: Callable[[], float]
    tally: tuple[int, ...]


class _Group:
    """What one transaction does, and who waits for it."""

    def __init__(self, moves: list[Told], fates: list[Fate], jobs: list[_Job], claims: list[_Claim]) -> None:
        self.moves, self.fates, self.jobs, self.claims = moves, fates, jobs, claims
        self.told = len(moves) + len(fates)
        self.answers: list[tuple[asyncio.Future[Any], Any]] = []

    def __bool__(self) -> bool:
        return bool(self.told or self.jobs or self.claims)

    def work(self, book: Book) -> None:
        """Do it. What was told without waiting comes first: whoever waits may have told it before."""
        book.move(self.moves)
        if self.fates:
            book.learn(self.fates)
        self.answers += ((future, job(book)) for job, future in self.jobs)
        by_lease: dict[float, list[_Claim]] = {}
        for claim in self.claims:
            by_lease.setdefault(claim[1], []).append(claim)
        for lease, claims in by_lease.items():
            found = book.claim([one for wanted, _, _ in claims for one in wanted], lease)
            begin = 0
            for wanted, _, future in claims:
                self.answers.append((future, found[begin : begin + len(wanted)]))
                begin += len(wanted)


def _take(waiting: list[T]) -> list[T]:
    # The list stays the same one: to exchange it would lose what another thread is just appending.
    taken = waiting[:]
    del waiting[: len(taken)]
    return taken


class Writer:
    """Takes work in an event loop, and does it in its thread. All methods belong to that loop."""

    def __init__(self, path: Path, real: Path, *, recover: bool = False) -> None:
        self._path, self._real, self._recover = path, real, recover
        self._log = beside(real, LOG)
        self._loop = asyncio.get_running_loop()
        self._moves: list[Told] = []
        self._fates: list[Fate] = []
        self._jobs: list[_Job] = []
        self._claims: list[_Claim] = []
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._rung = self._lingers = self._stopping = False
        self._told = self._written = 0
        self._under_way: _Group | None = None
        self.opened: asyncio.Future[Opened] = self._loop.create_future()
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self.failure: str | None = None
        self.tally: tuple[int, ...] = ()
        self._thread = threading.Thread(target=self._live, name="routee-ledger", daemon=True)
        self._thread.start()

    def move(self, move: Move, ending: Ending) -> None:
        """Make a move soon."""
        if self.failure is None:
            self._moves.append((move, ending))
            self._tell()

    def learn(self, fate: Fate) -> None:
        """Keep a fate soon."""
        if self.failure is None:
            self._fates.append(fate)
            self._tell()

    def claim(self, wanted: Sequence[Wanted], lease: float) -> "asyncio.Future[list[Found]]":
        """Claim with the next transaction. Whoever is cancelled meanwhile gives back what was claimed for it."""
        future: asyncio.Future[list[Found]] = self._loop.create_future()
        self._claims.append((wanted, lease, future))
        self._ring()
        return future

    def job(self, job: Callable[[Book], T]) -> "asyncio.Future[T]":
        """Do something else in the next transaction."""
        future: asyncio.Future[T] = self._loop.create_future()
        self._jobs.append((job, future))
        self._ring()
        return future

    @property
    def is_behind(self) -> bool:
        """Whether something was told that is not written yet."""
        return self._told != self._written

    def give_back(self, found: Sequence[Found]) -> None:
        """Return what was claimed for somebody who is gone: nobody can have sent it."""
        for one in found:
            if one.mine:
                self.move(Move.RETURN, Ending(one.number, one.attempt, UNCLAIMED, proof=""))

    async def settled(self) -> None:
        """Come back once everything asked for so far is answered."""
        if self.failure is None and not self.closed.done():
            await self.job(lambda _: None)

    def stop(self) -> None:
        """Write what is left, and let go of the file; `closed` is done then."""
        self._stopping = True
        self._ring()

    def _tell(self) -> None:
        self._told += 1
        if not (self._lingers or self._rung):
            self._lingers = True
            self._loop.call_later(LINGER, self._lingered)

    def _lingered(self) -> None:
        self._lingers = False
        if self.is_behind:
            self._ring()

    def _ring(self) -> None:
        if not self._rung:
            self._rung = True
            self._bell.put(None)

    def _live(self) -> None:
        file: LedgerFile | None = None
        try:
            file = LedgerFile(self._real, recover=self._recover)
            book = file.book
        except (UnusableDatabase, sqlite3.Error) as error:
            self._call(self._refused, reason_of(error))
        except BaseException as error:  # noqa: BLE001  # whatever it is: nobody waits for a thread that is gone
            self._call(self._refused, _unforeseen(error))
        else:
            self._call(self._open, Opened(book.run_id, book.clock, book.tally))
            reason: str | None = "its thread failed"
            try:
                reason = self._work(book)
            except BaseException as error:  # noqa: BLE001
                self._call(self._die, _unforeseen(error), self._under_way)
            finally:
                file.close(ended=reason is None)
        finally:
            self._call(self._end)

    def _work(self, book: Book) -> str | None:
        """Write until it is stopped; return why nothing more could be written, if that was so."""
        main, log = self._stat()
        here = file_id(main), file_id(log)
        reason: str | None = None
        while True:
            self._bell.get()
            self._rung = False
            stopping = self._stopping
            group = _Group(_take(self._moves), _take(self._fates), _take(self._jobs), _take(self._claims))
            self._under_way = group
            # What has failed has failed for all who come after: they are told, and do not wait for ever.
            reason = reason or self._write(book, group, here)
            self._under_way = None
            self._call(self._deliver, group, book.tally, reason)
            if stopping:
                return reason

    def _write(self, book: Book, group: _Group, here: tuple[FileId, FileId]) -> str | None:
        """Why it could not be written."""
        if not group:
            return None
        try:
            book.transact(partial(group.work, book))
            main, log = self._stat()
        except (UnusableDatabase, sqlite3.Error) as error:
            return reason_of(error)
        except OSError:
            return GONE
        except BaseException as error:  # noqa: BLE001  # the lock is held on to, as after any other failure
            return _unforeseen(error)
        # A file without a name takes everything, and keeps nothing; through a second name its log is not seen.
        if (file_id(main), file_id(log)) != here:
            return GONE
        return HARD_LINKED if main.st_nlink > 1 else None

    def _stat(self) -> tuple[os.stat_result, os.stat_result]:
        return self._real.stat(), self._log.stat()

    def _call(self, function: Callable[..., None], *values: Any) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(function, *values)

    def _open(self, opened: Opened) -> None:
        self.tally = opened.tally
        if not self.opened.done():
            self.opened.set_result(opened)

    def _refused(self, reason: str) -> None:
        if not self.opened.done():
            _fail(self.opened, f"cannot use the ledger {self._path}: {reason}. Nothing was sent")

    def _deliver(self, group: _Group, tally: tuple[int, ...], reason: str | None) -> None:
        self._written += group.told
        if reason is not None:
            self._die(reason, group)
            return
        self.tally = tally
        for future, answer in group.answers:
            if not future.done():
                future.set_result(answer)
            elif isinstance(answer, list):
                self.give_back(answer)

    def _die(self, reason: str, group: _Group | None = None) -> None:
        self.failure = (
            f"the ledger {self._path} takes nothing more: {reason}. Nothing more is sent; what is under way is UNKNOWN"
            " to whoever opens it next"
        )
        jobs, claims = [*self._jobs], [*self._claims]
        if group is not None:
            jobs += group.jobs
            claims += group.claims
        for future in (*(future for _, future in jobs), *(future for _, _, future in claims)):
            if not future.done():
                _fail(future, self.failure)
        for waiting in (self._moves, self._fates, self._jobs, self._claims):
            waiting.clear()

    def _end(self) -> None:
        if not self.closed.done():
            self.closed.set_result(None)


def _unforeseen(error: BaseException) -> str:
    _log.error("the ledger's thread failed", exc_info=error)
    return f"an error that nobody foresaw ({type(error).__name__})"


def _fail(future: "asyncio.Future[Any]", reason: str) -> None:
    future.set_exception(LedgerError(reason))
    future.exception()  # whoever waited may be gone; that is not to be told of on its own
