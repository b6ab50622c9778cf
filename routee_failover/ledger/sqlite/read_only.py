"""A ledger that is only read: how a run stands, asked by somebody else than the run."""

import os
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, Self

from ..._sqlite import UnusableDatabase, resolve_path
from ...errors import LedgerError
from ..clock import SteadyClock
from ..intent import Counts, DeliveryCount, Ending, Fate, Found, Intent, Wanted
from ..states import Move, State
from .reader import Reader


class ReadOnlyLedger:
    """What is in a ledger's file, also while a run writes it, and where nobody can write.

    What would write raises `LedgerError`. Nothing that a run was sending becomes UNKNOWN by reading it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._reader: Reader | None = None
        self._run_id = ""
        self._clock = SteadyClock()

    @property
    def run_id(self) -> str:
        """Letters that no other ledger has."""
        self._reading()
        return self._run_id

    def now(self) -> float:
        """Seconds since 1970, not before the last moment in the ledger when it was opened."""
        return self._clock()

    async def find(self, tags: Sequence[int]) -> dict[int, Found]:
        """How those of them stand that are there."""
        return await self._reading().find(tags)

    async def intent(self, tag: int) -> Intent | None:
        """The intent with that tag."""
        return await self._reading().intent(tag)

    def intents(self, states: Collection[State] | None = None, *, without_fate: bool = False) -> AsyncIterator[Intent]:
        """Intents in these states."""
        return self._reading().intents(states, without_fate=without_fate)

    async def counts(self) -> Counts:
        """How many there are in each state."""
        return await self._reading().counts()

    async def delivery_counts(self) -> list[DeliveryCount]:
        """How many accepted messages there are by status and channel of their delivery report."""
        return await self._reading().delivery_counts()

    async def get(self, name: str) -> Any:
        """The JSON that was put under a name."""
        return await self._reading().get(name)

    async def claim(self, wanted: Sequence[Wanted], *, lease: float) -> list[Found]:
        """It is only read."""
        del wanted, lease
        self._refuse()

    async def refuse(self, wanted: Wanted, reason: str) -> bool:
        """It is only read."""
        del wanted, reason
        self._refuse()

    async def forget_invalid(self) -> None:
        """It is only read."""
        self._refuse()

    def end(self, move: Move, ending: Ending) -> None:
        """It is only read."""
        del move, ending
        self._refuse()

    async def settle(self, move: Move, ending: Ending) -> bool:
        """It is only read."""
        del move, ending
        self._refuse()

    async def lapse(self) -> int:
        """It is only read."""
        self._refuse()

    def learn(self, fate: Fate) -> None:
        """It is only read."""
        del fate
        self._refuse()

    async def flush(self) -> None:
        """There is nothing to wait for."""

    async def put(self, name: str, value: Mapping[str, Any]) -> None:
        """It is only read."""
        del name, value
        self._refuse()

    async def __aenter__(self) -> Self:
        try:
            self._reader = Reader(self._path, resolve_path(self._path))
        except UnusableDatabase as error:
            raise LedgerError(f"cannot read the ledger {self._path}: {error}") from None
        try:
            self._run_id, moment = await self._reader.run_id()
        except BaseException:
            await self._close()
            raise
        self._clock = SteadyClock(moment)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._close()

    async def _close(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            await reader.close()

    def _reading(self) -> Reader:
        if self._reader is None:
            raise LedgerError(f"the ledger {self._path} is not open; use it as `async with SqliteLedger.read(...)`")
        return self._reader

    def _refuse(self) -> NoReturn:
        raise LedgerError(f"the ledger {self._path} was opened to be read; nothing is written to it, and nothing sent")
