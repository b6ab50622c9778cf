"""Values in an SQLite file. One thread writes; what is saved while it does goes into its next transaction."""

import asyncio
import logging
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from .database import describe_error, open_database, unusable_store
from .persistent_clock import KIND as CLOCK
from .persistent_clock import PersistentClock
from .serialization import deserialize, serialize

T = TypeVar("T")

CLOCK_SAVE_INTERVAL = (
    1.0  # real seconds: what the clock may lose when the process is killed while nothing else is saved
)

_SAVE = (
    "INSERT INTO kept (kind, key, document) VALUES (?, ?, ?)"
    " ON CONFLICT (kind, key) DO UPDATE SET document = excluded.document"
)
_FORGET = "DELETE FROM kept WHERE kind = ? AND key = ?"
_CLEAR = "DELETE FROM kept WHERE kind = ?"
_LOAD = "SELECT document FROM kept WHERE kind = ? ORDER BY place"

_Change = tuple[str, ...]  # a statement and its values
_log = logging.getLogger("routee_failover.sandbox")


class SqliteStore:
    """Keeps values in a file that this process has to itself.

    The clock's reading is kept with every transaction, and every second while time passes. When the disk takes no more,
    that is logged once, `failure` says it from then on, and the sandbox goes on in memory: the file stays as it was
    with the last transaction that worked.

    Raises `SandboxError` for a file that cannot be used.
    """

    def __init__(self, path: Path, clock: PersistentClock) -> None:
        self._path, self._clock = path, clock
        self._database = open_database(path)
        self._thread = ThreadPoolExecutor(1, "routee-sandbox-store")
        self._pending: list[_Change] = []
        self._writing: list[_Change] = []
        self._saved = asyncio.Event()
        self._flushed = asyncio.Event()
        self._flushed.set()
        self._writer: asyncio.Task[None] | None = None
        self._failure: str | None = None

    @property
    def failure(self) -> str | None:
        """Why nothing is kept any more; None while all is well."""
        return self._failure

    def start(self) -> None:
        """Write what is saved, from now on, in the running loop. Raises `SandboxError` when it cannot write now."""
        changes, self._pending = [*self._pending, self._reading()], []
        try:
            self._transact(changes)
        except sqlite3.Error as error:
            raise unusable_store(self._path, describe_error(error)) from None
        self._flushed.set()
        self._writer = asyncio.get_running_loop().create_task(self._write())

    def close(self) -> None:
        """Write what is left, if it was started, and let go of the file. The loop waits for it."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.cancel()
        self._thread.shutdown(wait=True)
        if writer is not None:
            # What was under way when it was cancelled may not have been written; to write it twice does no harm.
            self._commit([*self._writing, *self._pending, self._reading()])
        self._flushed.set()
        with suppress(sqlite3.Error):
            self._database.close()

    def load(self, kind: str, type_: type[T]) -> list[T]:
        """What was saved before this sandbox started. Raises `SandboxError` for what cannot be read as that type."""
        try:
            rows: list[tuple[str]] = self._database.execute(_LOAD, (kind,)).fetchall()
            return [deserialize(text, type_) for (text,) in rows]
        except sqlite3.Error as error:
            raise unusable_store(self._path, describe_error(error)) from None
        except ValueError:
            raise unusable_store(self._path, f"a {kind} in it cannot be read; move it away") from None

    def save(self, kind: str, key: str, value: Any) -> None:
        """Keep a value, in the place of what had its kind and key."""
        self._change(_SAVE, kind, key, serialize(value))

    def delete(self, kind: str, key: str) -> None:
        """Let go of a value; nothing happens when there is none."""
        self._change(_FORGET, kind, key)

    def clear(self, kind: str) -> None:
        """Let go of everything of that kind."""
        self._change(_CLEAR, kind)

    def save_clock(self) -> None:
        """Keep how far the clock has come, though nothing is saved."""
        self._change(*self._reading())

    async def flush(self) -> None:
        """Come back when everything that was saved up to now would survive the end of this process."""
        await self._flushed.wait()

    def _change(self, statement: str, *values: str) -> None:
        if self._failure is not None:
            return
        if not self._pending:
            # Those who wait for the transaction under way go on waiting for that one alone.
            self._flushed = asyncio.Event()
            self._saved.set()
        self._pending.append((statement, *values))

    def _reading(self) -> _Change:
        return _SAVE, CLOCK, "", serialize(self._clock.checkpoint())

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._wait_for_changes()
            self._writing, self._pending = self._pending, []
            settled = self._flushed
            await loop.run_in_executor(self._thread, self._commit, [*self._writing, self._reading()])
            self._writing = []
            settled.set()

    async def _wait_for_changes(self) -> None:
        while not self._pending:
            self._saved.clear()
            try:
                async with asyncio.timeout(CLOCK_SAVE_INTERVAL):
                    await self._saved.wait()
            except TimeoutError:
                if self._clock.needs_checkpoint():
                    return

    def _commit(self, changes: Sequence[_Change]) -> None:
        if self._failure is not None:
            return
        try:
            self._transact(changes)
        except sqlite3.Error as error:
            self._failure = describe_error(error)
            _log.error("nothing more is kept in %s: %s; the sandbox goes on in memory", self._path, self._failure)
            with suppress(sqlite3.Error):
                self._database.execute("ROLLBACK")

    def _transact(self, changes: Sequence[_Change]) -> None:
        self._database.execute("BEGIN")
        for statement, *values in changes:
            self._database.execute(statement, values)
        self._database.execute("COMMIT")
