"""The reading side of a ledger's file: a connection and a thread of its own, so that no question stops the loop."""

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

PAGE_SIZE = 512  # intents


class Reader:
    """Answers questions, each by what is in the file by then. Raises `LedgerError`."""

    def __init__(self, path: Path, real: Path, *, for_writer: bool = False) -> None:
        self._path, self._real, self._for_writer = path, real, for_writer
        self._thread = ThreadPoolExecutor(1, "routee-ledger-reader")
        self._connection: sqlite3.Connection | None = None

    async def query(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """What a question gives, asked in the thread."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._query, question)
        except (UnusableDatabase, sqlite3.Error) as error:
            reason = explain_failure(error)
        except OSError as error:
            reason = os.strerror(error.errno or 0)
        raise LedgerError(f"cannot read the ledger {self._path}: {reason}")

    def _query(self, question: Callable[[sqlite3.Connection], T]) -> T:
        if self._connection is None:
            connection = connect_for_reading(self._real)
            if not self._for_writer:  # which has checked it
                try:
                    check_readable(connection, self._real)
                except BaseException:
                    connection.close()
                    raise
            self._connection = connection
        return question(self._connection)

    async def run_id(self) -> tuple[str, float]:
        """The letters of the ledger, and the last moment in it."""
        run_id, moment = await self.query(
            lambda database: database.execute("SELECT run_id, moment FROM ledger").fetchone()
        )
        return run_id, moment

    async def find(self, key_hashes: Sequence[int]) -> dict[int, ClaimResult]:
        """How those of them stand that are there."""
        asked = [(tag,) for tag in dict.fromkeys(key_hashes)]
        rows = await self.query(lambda database: FIND_BY_HASH.fetch(database, asked))
        return {row[KEY_HASH_INDEX]: claim_result_from_row(row) for row in rows}

    async def entry(self, key_hash: int) -> LedgerEntry | None:
        """The intent with that tag."""
        row = await self.query(lambda database: database.execute(ENTRY_BY_HASH, (key_hash,)).fetchone())
        return None if row is None else entry_from_row(row)

    async def entries(
        self, states: Collection[EntryState] | None = None, *, without_report: bool = False
    ) -> AsyncIterator[LedgerEntry]:
        """Intents in these states, a page at a time."""
        question, last = page_query(states, without_report=without_report), 0

        def following(database: sqlite3.Connection) -> list[LedgerEntry]:
            return [entry_from_row(row) for row in database.execute(question, (last, PAGE_SIZE))]

        while True:
            found = await self.query(following)
            for intent in found:
                yield intent
            if len(found) < PAGE_SIZE:
                return
            last = found[-1].number

    async def counts(self) -> StateCounts:
        """How many there are in each state, as the last transaction left it."""
        columns = ", ".join(state.lower() for state in STATES)
        return state_counts_from_row(
            await self.query(lambda database: database.execute(f"SELECT {columns} FROM ledger").fetchone())
        )

    async def delivery_counts(self) -> list[DeliveryCount]:
        """How many accepted messages there are by status and channel of their delivery report; it reads them all."""
        return await self.query(lambda database: [DeliveryCount(*row) for row in database.execute(DELIVERY_COUNTS)])

    async def get_document(self, name: str) -> Any:
        """The JSON that was put under a name."""
        row = await self.query(
            lambda database: database.execute("SELECT json FROM documents WHERE name = ?", (name,)).fetchone()
        )
        return None if row is None else json.loads(row[0])

    async def close(self) -> None:
        """Let go of the file."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, connection.close)
        self._thread.shutdown(wait=False)
