"""A ledger that is only read: how a run stands, asked by somebody else than the run."""

import os
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, Self

from ..._sqlite import UnusableDatabase, resolve_path
from ...errors import LedgerError
from ..entry import (
    ClaimRequest,
    ClaimResult,
    DeliveryCount,
    DeliveryReport,
    LedgerEntry,
    StateCounts,
    TransitionDetails,
)
from ..state_machine import EntryState, Transition
from ..steady_clock import SteadyClock
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
        self._get_reader()
        return self._run_id

    def now(self) -> float:
        """Seconds since 1970, not before the last moment in the ledger when it was opened."""
        return self._clock()

    async def find(self, key_hashes: Sequence[int]) -> dict[int, ClaimResult]:
        """How those of them stand that are there."""
        return await self._get_reader().find(key_hashes)

    async def entry(self, key_hash: int) -> LedgerEntry | None:
        """The intent with that tag."""
        return await self._get_reader().entry(key_hash)

    def entries(
        self, states: Collection[EntryState] | None = None, *, without_report: bool = False
    ) -> AsyncIterator[LedgerEntry]:
        """Intents in these states."""
        return self._get_reader().entries(states, without_report=without_report)

    async def counts(self) -> StateCounts:
        """How many there are in each state."""
        return await self._get_reader().counts()

    async def delivery_counts(self) -> list[DeliveryCount]:
        """How many accepted messages there are by status and channel of their delivery report."""
        return await self._get_reader().delivery_counts()

    async def get_document(self, name: str) -> Any:
        """The JSON that was put under a name."""
        return await self._get_reader().get_document(name)

    async def claim(self, requests: Sequence[ClaimRequest], *, lease: float) -> list[ClaimResult]:
        """It is only read."""
        del requests, lease
        self._raise_read_only()

    async def mark_invalid(self, request: ClaimRequest, reason: str) -> bool:
        """It is only read."""
        del request, reason
        self._raise_read_only()

    async def delete_invalid(self) -> None:
        """It is only read."""
        self._raise_read_only()

    def record(self, transition: Transition, details: TransitionDetails) -> None:
        """It is only read."""
        del transition, details
        self._raise_read_only()

    async def apply(self, transition: Transition, details: TransitionDetails) -> bool:
        """It is only read."""
        del transition, details
        self._raise_read_only()

    async def expire_leases(self) -> int:
        """It is only read."""
        self._raise_read_only()

    def record_delivery_report(self, report: DeliveryReport) -> None:
        """It is only read."""
        del report
        self._raise_read_only()

    async def flush(self) -> None:
        """There is nothing to wait for."""

    async def put_document(self, name: str, value: Mapping[str, Any]) -> None:
        """It is only read."""
        del name, value
        self._raise_read_only()

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

    def _get_reader(self) -> Reader:
        if self._reader is None:
            raise LedgerError(f"the ledger {self._path} is not open; use it as `async with SqliteLedger.read(...)`")
        return self._reader

    def _raise_read_only(self) -> NoReturn:
        raise LedgerError(f"the ledger {self._path} was opened to be read; nothing is written to it, and nothing sent")
