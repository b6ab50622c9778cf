"""Read-only ledger: the state of a run, for programs other than the run itself."""

import os
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, Self

from ..._sqlite import UnusableDatabase, resolve_path
from ..._tasks import run_to_end
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
    """Ledger file that is only read, also while a run writes it, and on read-only media.

    Methods that would write raise `LedgerError`. Reading makes nothing UNKNOWN that a run was sending.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._reader: Reader | None = None
        self._run_id = ""
        self._clock = SteadyClock()

    @property
    def run_id(self) -> str:
        """Unique id of the ledger."""
        self._get_reader()
        return self._run_id

    def now(self) -> float:
        """Return seconds since 1970, not before the last commit that was in the ledger when it was opened."""
        return self._clock()

    async def find(self, key_hashes: Sequence[int]) -> dict[int, ClaimResult]:
        """Return the entries with these key hashes."""
        return await self._get_reader().find(key_hashes)

    async def entry(self, key_hash: int) -> LedgerEntry | None:
        """Return the entry with this key hash."""
        return await self._get_reader().entry(key_hash)

    def entries(
        self, states: Collection[EntryState] | None = None, *, without_report: bool = False
    ) -> AsyncIterator[LedgerEntry]:
        """Iterate over the entries in these states."""
        return self._get_reader().entries(states, without_report=without_report)

    async def counts(self) -> StateCounts:
        """Return the number of entries in each state."""
        return await self._get_reader().counts()

    async def delivery_counts(self) -> list[DeliveryCount]:
        """Return the number of accepted messages by status and channel of their delivery report."""
        return await self._get_reader().delivery_counts()

    async def get_document(self, name: str) -> Any:
        """Return the JSON document with this name."""
        return await self._get_reader().get_document(name)

    async def claim(self, requests: Sequence[ClaimRequest], *, lease: float) -> list[ClaimResult]:
        """Raise `LedgerError`: the ledger is read-only."""
        del requests, lease
        self._raise_read_only()

    async def mark_invalid(self, request: ClaimRequest, reason: str) -> bool:
        """Raise `LedgerError`: the ledger is read-only."""
        del request, reason
        self._raise_read_only()

    async def delete_invalid(self) -> None:
        """Raise `LedgerError`: the ledger is read-only."""
        self._raise_read_only()

    def record(self, transition: Transition, details: TransitionDetails) -> None:
        """Raise `LedgerError`: the ledger is read-only."""
        del transition, details
        self._raise_read_only()

    async def apply(self, transition: Transition, details: TransitionDetails) -> bool:
        """Raise `LedgerError`: the ledger is read-only."""
        del transition, details
        self._raise_read_only()

    async def expire_leases(self) -> int:
        """Raise `LedgerError`: the ledger is read-only."""
        self._raise_read_only()

    def record_delivery_report(self, report: DeliveryReport) -> None:
        """Raise `LedgerError`: the ledger is read-only."""
        del report
        self._raise_read_only()

    async def flush(self) -> None:
        """Return at once: nothing is pending."""

    async def put_document(self, name: str, value: Mapping[str, Any]) -> None:
        """Raise `LedgerError`: the ledger is read-only."""
        del name, value
        self._raise_read_only()

    async def __aenter__(self) -> Self:
        try:
            self._reader = Reader(self._path, resolve_path(self._path))
        except UnusableDatabase as error:
            raise LedgerError(f"cannot read the ledger {self._path}: {error}") from None
        try:
            self._run_id, committed_at = await self._reader.id_and_last_commit()
        except BaseException:
            await self._close()
            raise
        self._clock = SteadyClock(committed_at)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._close()

    async def _close(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            await run_to_end(reader.close())

    def _get_reader(self) -> Reader:
        if self._reader is None:
            raise LedgerError(f"the ledger {self._path} is not open; use it as `async with SqliteLedger.read(...)`")
        return self._reader

    def _raise_read_only(self) -> NoReturn:
        raise LedgerError(
            f"the ledger {self._path} was opened read-only; nothing is written to it, and nothing is sent"
        )
