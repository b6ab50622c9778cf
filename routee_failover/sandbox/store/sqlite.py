"""Store in an SQLite file. One thread writes; changes made during a transaction go into the next one."""

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

CLOCK_SAVE_INTERVAL = 1.0
"""Real seconds: how much of the clock's progress may be lost when the process is killed while no value changes."""

_SAVE = (
    "INSERT INTO documents (kind, key, document) VALUES (?, ?, ?)"
    " ON CONFLICT (kind, key) DO UPDATE SET document = excluded.document"
)
_DELETE = "DELETE FROM documents WHERE kind = ? AND key = ?"
_CLEAR = "DELETE FROM documents WHERE kind = ?"
_LOAD = "SELECT document FROM documents WHERE kind = ? ORDER BY position"

_Change = tuple[str, ...]  # a statement and its values
_log = logging.getLogger("routee_failover.sandbox")


class SqliteStore:
    """Saves values in a file that no other process can open meanwhile.

    The reading of the clock is saved with every transaction, and every second while time passes. When a write fails,
    as on a full disk, the failure is logged once, `failure` holds it from then on, and the sandbox continues in memory:
    the file stays as the last successful transaction left it.

    Raises `SandboxError` for a file that cannot be used.
    """

    def __init__(self, path: Path, clock: PersistentClock) -> None:
        self._path, self._clock = path, clock
        self._database = open_database(path)
        self._thread = ThreadPoolExecutor(1, "routee-sandbox-store")
        self._pending: list[_Change] = []
        self._writing: list[_Change] = []
        self._change_pending = asyncio.Event()
        self._flushed = asyncio.Event()
        self._flushed.set()
        self._writer: asyncio.Task[None] | None = None
        self._failure: str | None = None

    @property
    def failure(self) -> str | None:
        """Reason why nothing is saved any more, or None."""
        return self._failure

    def start(self) -> None:
        """Start writing, in the running loop. Raises `SandboxError` when writing fails now."""
        changes, self._pending = [*self._pending, self._clock_change()], []
        try:
            self._transact(changes)
        except sqlite3.Error as error:
            raise unusable_store(self._path, describe_error(error)) from None
        self._flushed.set()
        self._writer = asyncio.get_running_loop().create_task(self._write())

    def close(self) -> None:
        """Write what is pending, if the store was started, and close the file. It blocks the loop."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.cancel()
        self._thread.shutdown(wait=True)
        if writer is not None:
            # The changes being written at the cancellation may be missing; writing them twice is harmless.
            self._commit([*self._writing, *self._pending, self._clock_change()])
        self._flushed.set()
        with suppress(sqlite3.Error):
            self._database.close()

    def load(self, kind: str, type_: type[T]) -> list[T]:
        """Return the values of this kind. Raises `SandboxError` for a value that cannot be read as that type."""
        try:
            rows: list[tuple[str]] = self._database.execute(_LOAD, (kind,)).fetchall()
            return [deserialize(text, type_) for (text,) in rows]
        except sqlite3.Error as error:
            raise unusable_store(self._path, describe_error(error)) from None
        except ValueError:
            raise unusable_store(self._path, f"a {kind} in it cannot be read; move it away") from None

    def save(self, kind: str, key: str, value: Any) -> None:
        """Save a value, replacing the one of the same kind and key."""
        self._change(_SAVE, kind, key, serialize(value))

    def delete(self, kind: str, key: str) -> None:
        """Delete a value; do nothing when there is none."""
        self._change(_DELETE, kind, key)

    def clear(self, kind: str) -> None:
        """Delete all values of this kind."""
        self._change(_CLEAR, kind)

    def save_clock(self) -> None:
        """Save the reading of the clock, although no value changed."""
        self._change(*self._clock_change())

    async def flush(self) -> None:
        """Wait until everything that was saved so far would survive the end of this process."""
        await self._flushed.wait()

    def _change(self, statement: str, *values: str) -> None:
        if self._failure is not None:
            return
        if not self._pending:
            # Callers that wait for the transaction in progress keep waiting for that one only.
            self._flushed = asyncio.Event()
            self._change_pending.set()
        self._pending.append((statement, *values))

    def _clock_change(self) -> _Change:
        return _SAVE, CLOCK, "", serialize(self._clock.checkpoint())

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._wait_for_changes()
            self._writing, self._pending = self._pending, []
            flushed = self._flushed
            await loop.run_in_executor(self._thread, self._commit, [*self._writing, self._clock_change()])
            self._writing = []
            flushed.set()

    async def _wait_for_changes(self) -> None:
        while not self._pending:
            self._change_pending.clear()
            try:
                async with asyncio.timeout(CLOCK_SAVE_INTERVAL):
                    await self._change_pending.wait()
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
            _log.error(
                "cannot write to the store %s any more: %s; the sandbox continues in memory", self._path, self._failure
            )
            with suppress(sqlite3.Error):
                self._database.execute("ROLLBACK")

    def _transact(self, changes: Sequence[_Change]) -> None:
        self._database.execute("BEGIN")
        for statement, *values in changes:
            self._database.execute(statement, values)
        self._database.execute("COMMIT")
