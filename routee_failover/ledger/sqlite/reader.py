"""Reader of a ledger's file: a connection and a thread of its own, so that no query blocks the event loop."""

import asyncio
import json
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from ..._sqlite import UnusableDatabase
from ...errors import LedgerError
from ..entry import ClaimResult, DeliveryCount, LedgerEntry, StateCounts
from ..state_machine import EntryState
from .loss_detection import check_readable
from .row_mapping import (
    DELIVERY_COUNTS,
    ENTRY_BY_HASH,
    claim_result_from_row,
    entry_from_row,
    page_query,
    state_counts_from_row,
)
from .schema import STATES, connect_for_reading, explain_failure
from .statements import FIND_BY_HASH, KEY_HASH_INDEX

T = TypeVar("T")

PAGE_SIZE = 512  # entries


class Reader:
    """Reading connection of a ledger file; each query sees what is committed at that time. Raises `LedgerError`."""

    def __init__(self, path: Path, resolved_path: Path, *, for_writer: bool = False) -> None:
        self._path, self._resolved_path, self._for_writer = path, resolved_path, for_writer
        self._thread = ThreadPoolExecutor(1, "routee-ledger-reader")
        self._connection: sqlite3.Connection | None = None

    async def query(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Return what `function` returns, called with the connection in the reader's thread."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._query, function)
        except (UnusableDatabase, sqlite3.Error) as error:
            reason = explain_failure(error)
        except OSError as error:
            reason = os.strerror(error.errno or 0)
        raise LedgerError(f"cannot read the ledger {self._path}: {reason}")

    def _query(self, function: Callable[[sqlite3.Connection], T]) -> T:
        if self._connection is None:
            connection = connect_for_reading(self._resolved_path)
            if not self._for_writer:  # the writer has checked the file
                try:
                    check_readable(connection, self._resolved_path)
                except BaseException:
                    connection.close()
                    raise
            self._connection = connection
        return function(self._connection)

    async def id_and_last_commit(self) -> tuple[str, float]:
        """Return the id of the ledger, and the time of its last commit."""
        run_id, committed_at = await self.query(
            lambda connection: connection.execute("SELECT run_id, committed_at FROM ledger").fetchone()
        )
        return run_id, committed_at

    async def find(self, key_hashes: Sequence[int]) -> dict[int, ClaimResult]:
        """Return the entries with these key hashes."""
        values = [(key_hash,) for key_hash in dict.fromkeys(key_hashes)]
        rows = await self.query(lambda connection: FIND_BY_HASH.fetch(connection, values))
        return {row[KEY_HASH_INDEX]: claim_result_from_row(row) for row in rows}

    async def entry(self, key_hash: int) -> LedgerEntry | None:
        """Return the entry with this key hash."""
        row = await self.query(lambda connection: connection.execute(ENTRY_BY_HASH, (key_hash,)).fetchone())
        return None if row is None else entry_from_row(row)

    async def entries(
        self, states: Collection[EntryState] | None = None, *, without_report: bool = False
    ) -> AsyncIterator[LedgerEntry]:
        """Iterate over the entries in these states, reading a page at a time."""
        query, last = page_query(states, without_report=without_report), 0

        def next_page(connection: sqlite3.Connection) -> list[LedgerEntry]:
            return [entry_from_row(row) for row in connection.execute(query, (last, PAGE_SIZE))]

        while True:
            page = await self.query(next_page)
            for entry in page:
                yield entry
            if len(page) < PAGE_SIZE:
                return
            last = page[-1].number

    async def counts(self) -> StateCounts:
        """Return the number of entries in each state after the last transaction."""
        columns = ", ".join(state.lower() for state in STATES)
        return state_counts_from_row(
            await self.query(lambda connection: connection.execute(f"SELECT {columns} FROM ledger").fetchone())
        )

    async def delivery_counts(self) -> list[DeliveryCount]:
        """Return the number of accepted messages by status and channel of their report; it reads all of them."""
        return await self.query(lambda connection: [DeliveryCount(*row) for row in connection.execute(DELIVERY_COUNTS)])

    async def get_document(self, name: str) -> Any:
        """Return the JSON document with this name."""
        row = await self.query(
            lambda connection: connection.execute("SELECT json FROM documents WHERE name = ?", (name,)).fetchone()
        )
        return None if row is None else json.loads(row[0])

    async def close(self) -> None:
        """Close the connection and stop the thread."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, connection.close)
        self._thread.shutdown(wait=False)
