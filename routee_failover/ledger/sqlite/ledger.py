"""A ledger in an SQLite file: what a run wants and what became of it survives the run, a kill and a power cut."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, TypeVar

from ..._sqlite import UnusableDatabase, resolve_path
from ...errors import LedgerError
from ..intent import Counts, DeliveryCount, Ending, Fate, Found, Intent, Wanted
from ..states import Move, State
from .book import Book
from .read_only import ReadOnlyLedger
from .reader import Reader
from .rows import counts_in
from .schema import CODES
from .writer import Opened, Writer

T = TypeVar("T")


class SqliteLedger:
    """A ledger in a file, made when there is none: `async with SqliteLedger("run.sqlite") as ledger`.

    One run at a time has it open for writing; `SqliteLedger.read` looks into it meanwhile. It belongs to the event loop
    that opened it. A `claim` that is cancelled before anybody learned of it is given back. Entering raises
    `LedgerError` for a file that cannot be used; it is left as it is.

    A file that has lost something of what was written to it is refused as well. With `recover` it is opened all the
    same: what may have been sent is UNKNOWN then, also every message that is claimed and not there, for good. So
    Routee's lists are asked for it before it is sent. Make sure that no run is using the file that was lost.
    """

    def __init__(self, path: str | os.PathLike[str], *, recover: bool = False) -> None:
        self._path = Path(path)
        self._recover = recover
        self._writer: Writer | None = None
        self._reader: Reader | None = None
        self._opened: Opened | None = None

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> ReadOnlyLedger:
        """The same file, only to be read: while a run has it open, and also where nobody can write."""
        return ReadOnlyLedger(path)

    @property
    def run_id(self) -> str:
        """Letters that no other ledger has."""
        return self._open().run_id

    def now(self) -> float:
        """Seconds since 1970, never before a moment that is in the file."""
        return self._open().now()

    async def claim(self, wanted: Sequence[Wanted], *, lease: float) -> list[Found]:
        """Take what is NEW or not there yet."""
        writer = self._writing()
        if not wanted:
            return []
        future = writer.claim(wanted, lease)
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                writer.give_back(future.result())
            raise

    async def find(self, tags: Sequence[int]) -> dict[int, Found]:
        """How those of them stand that are there."""
        return await (await self._reading()).find(tags)

    async def refuse(self, wanted: Wanted, reason: str) -> bool:
        """Keep a row of which no flow can be made."""
        return await self._do(lambda book: book.refuse(wanted, reason))

    async def forget_invalid(self) -> None:
        """Forget every INVALID row."""
        await self.flush()
        if self._writing().tally[CODES[State.INVALID]]:
            await self._do(Book.forget_invalid)

    def end(self, move: Move, ending: Ending) -> None:
        """Make a move of an intent. It never raises: `flush` and `claim` say when it could not be written."""
        if self._writer is not None:
            self._writer.move(move, ending)

    async def settle(self, move: Move, ending: Ending) -> bool:
        """Make a move, and come back once it would survive a power cut."""
        return await self._do(lambda book: book.move([(move, ending)]) > 0)

    async def lapse(self) -> int:
        """Make UNKNOWN whatever is SENDING past its lease."""
        return await self._do(Book.lapse)

    def learn(self, fate: Fate) -> None:
        """Keep how an accepted flow ended. It never raises."""
        if self._writer is not None:
            self._writer.learn(fate)

    async def flush(self) -> None:
        """Come back once everything told so far would survive a power cut."""
        if self._writing().is_behind:
            await self._do(lambda _: None)

    async def intent(self, tag: int) -> Intent | None:
        """The intent with that tag."""
        return await (await self._reading()).intent(tag)

    async def intents(
        self, states: Collection[State] | None = None, *, without_fate: bool = False
    ) -> AsyncIterator[Intent]:
        """Intents in these states."""
        reader = await self._reading()
        async for intent in reader.intents(states, without_fate=without_fate):
            yield intent

    async def counts(self) -> Counts:
        """How many there are in each state. Nobody counts them: it is known."""
        await self.flush()
        return counts_in(self._writing().tally)

    async def delivery_counts(self) -> list[DeliveryCount]:
        """How many accepted messages there are by status and channel of their delivery report."""
        return await (await self._reading()).delivery_counts()

    async def get(self, name: str) -> Any:
        """The JSON that was put under a name."""
        return await (await self._reading()).get(name)

    async def put(self, name: str, value: Mapping[str, Any]) -> None:
        """Keep JSON under a name."""
        text = json.dumps(dict(value))
        await self._do(lambda book: book.put(name, text))

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
        self._writer, self._reader = writer, Reader(self._path, path, of_run=True)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        writer, reader = self._writer, self._reader
        self._writer = self._reader = self._opened = None
        if writer is None or reader is None:
            return
        try:
            await reader.close()
            with suppress(LedgerError):
                await writer.settled()  # claims whose callers have left are given back once they are told
        finally:
            writer.stop()
            try:
                await asyncio.shield(writer.closed)
            except asyncio.CancelledError:
                await writer.closed  # soon: whoever comes next has the file for itself
                raise
        if writer.failure is not None and _exc[0] is None:
            raise LedgerError(writer.failure)

    async def _do(self, job: Callable[[Book], T]) -> T:
        return await self._writing().job(job)

    async def _reading(self) -> Reader:
        await self.flush()
        if self._reader is None:
            raise self._closed()
        return self._reader

    def _writing(self) -> Writer:
        if self._writer is None:
            raise self._closed()
        if self._writer.failure is not None:
            raise LedgerError(self._writer.failure)
        return self._writer

    def _open(self) -> Opened:
        if self._opened is None:
            raise self._closed()
        return self._opened

    def _closed(self) -> LedgerError:
        return LedgerError(f"the ledger {self._path} is not open; use it as `async with`. Nothing was sent")
