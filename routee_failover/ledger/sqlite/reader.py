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
from ..intent import Counts, DeliveryCount, Found, Intent
from ..states import State
from .loss import check_to_read
from .rows import BY_TAG, DELIVERIES, counts_in, found_of, intent_of, page
from .schema import STATES, reason_of, to_read
from .statements import KNOWN, TAG

T = TypeVar("T")

PAGE = 512  # intents


class Reader:
    """Answers questions, each by what is in the file by then. Raises `LedgerError`."""

    def __init__(self, path: Path, real: Path, *, of_run: bool = False) -> None:
        self._path, self._real, self._of_run = path, real, of_run
        self._thread = ThreadPoolExecutor(1, "routee-ledger-reader")
        self._connection: sqlite3.Connection | None = None

    async def ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """What a question gives, asked in the thread."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._ask, question)
        except (UnusableDatabase, sqlite3.Error) as error:
            reason = reason_of(error)
        except OSError as error:
            reason = os.strerror(error.errno or 0)
        raise LedgerError(f"cannot read the ledger {self._path}: {reason}")

    def _ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        if self._connection is None:
            connection = to_read(self._real)
            if not self._of_run:  # which has checked it
                try:
                    check_to_read(connection, self._real)
                except BaseException:
                    connection.close()
                    raise
            self._connection = connection
        return question(self._connection)

    async def run_id(self) -> tuple[str, float]:
        """The letters of the ledger, and the last moment in it."""
        run_id, moment = await self.ask(
            lambda database: database.execute("SELECT run_id, moment FROM ledger").fetchone()
        )
        return run_id, moment

    async def find(self, tags: Sequence[int]) -> dict[int, Found]:
        """How those of them stand that are there."""
        asked = [(tag,) for tag in dict.fromkeys(tags)]
        rows = await self.ask(lambda database: KNOWN.ask(database, asked))
        return {row[TAG]: found_of(row) for row in rows}

    async def intent(self, tag: int) -> Intent | None:
        """The intent with that tag."""
        row = await self.ask(lambda database: database.execute(BY_TAG, (tag,)).fetchone())
        return None if row is None else intent_of(row)

    async def intents(
        self, states: Collection[State] | None = None, *, without_fate: bool = False
    ) -> AsyncIterator[Intent]:
        """Intents in these states, a page at a time."""
        question, last = page(states, without_fate=without_fate), 0

        def following(database: sqlite3.Connection) -> list[Intent]:
            return [intent_of(row) for row in database.execute(question, (last, PAGE))]

        while True:
            found = await self.ask(following)
            for intent in found:
                yield intent
            if len(found) < PAGE:
                return
            last = found[-1].number

    async def counts(self) -> Counts:
        """How many there are in each state, as the last transaction left it."""
        columns = ", ".join(state.lower() for state in STATES)
        return counts_in(await self.ask(lambda database: database.execute(f"SELECT {columns} FROM ledger").fetchone()))

    async def delivery_counts(self) -> list[DeliveryCount]:
        """How many accepted messages there are by status and channel of their delivery report; it reads them all."""
        return await self.ask(lambda database: [DeliveryCount(*row) for row in database.execute(DELIVERIES)])

    async def get(self, name: str) -> Any:
        """The JSON that was put under a name."""
        row = await self.ask(
            lambda database: database.execute("SELECT json FROM documents WHERE name = ?", (name,)).fetchone()
        )
        return None if row is None else json.loads(row[0])

    async def close(self) -> None:
        """Let go of the file."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, connection.close)
        self._thread.shutdown(wait=False)
