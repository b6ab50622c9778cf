"""Parity of `MemoryLedger` and `SqliteLedger`: the same operations, in any order, give the same results."""

import asyncio
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import attrs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from routee_failover.ledger import (
    ClaimResult,
    DeliveryReport,
    EntryState,
    Ledger,
    LedgerEntry,
    MemoryLedger,
    SqliteLedger,
    Transition,
    TransitionDetails,
)
from routee_failover.ledger.memory import to_state_counts
from routee_failover.ledger.sqlite.database import PROCESS_ENDED

from .factories import claim_request

KEYS = 12
RECORDED = [transition for transition in Transition if transition is not Transition.CLAIM]  # a claim makes that one
_keys = st.integers(1, KEYS)
_texts = st.sampled_from(["", "why", "other"])


def _without_times(entry: LedgerEntry) -> LedgerEntry:
    """Return an entry without its times, of which only the order is promised."""
    assert entry.claimed_at <= entry.lease_expires_at
    ended = entry.ended_at is not None
    return attrs.evolve(entry, claimed_at=0.0, lease_expires_at=0.0, ended_at=float(ended))


class LedgerParity(RuleBasedStateMachine):
    """Performs the same operations on two ledgers."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._runner = asyncio.Runner()
        self._path = Path(self._folder.name) / "run.sqlite"
        self._memory = MemoryLedger()
        self._file = SqliteLedger(self._path)
        self._runner.run(self._file.__aenter__())
        self._last_number = 0
        self._lines = 0

    def teardown(self) -> None:
        """Close the ledger, the loop and the folder."""
        self._runner.run(self._file.__aexit__(None, None, None))
        self._runner.close()
        self._folder.cleanup()

    def _both(self, call: Any) -> Any:
        async def run(ledger: Ledger) -> Any:
            return await call(ledger)

        from_file, from_memory = (self._runner.run(run(ledger)) for ledger in (self._file, self._memory))
        assert from_file == from_memory
        return from_file

    @rule(keys=st.lists(_keys, max_size=8), lease=st.sampled_from([0.0, 1000.0]))
    def claim(self, keys: list[int], lease: float) -> None:
        """Claim some keys, old and new, some of them twice."""
        rows = [claim_request(self._lines + index, f"key {key}", bytes([index])) for index, key in enumerate(keys)]
        self._lines += len(rows)
        found: list[ClaimResult] = self._both(lambda ledger: ledger.claim(rows, lease=lease))
        self._last_number = max([self._last_number, *(one.number for one in found)])

    @rule(key=_keys, reason=_texts)
    def mark_invalid(self, key: int, reason: str) -> None:
        """Mark a row as invalid."""
        row = claim_request(self._lines, f"key {key}")
        self._both(lambda ledger: ledger.mark_invalid(row, reason))
        self._last_number = max(self._memory._entries)

    @rule()
    def delete_invalid(self) -> None:
        """Delete the invalid entries."""
        self._both(lambda ledger: ledger.delete_invalid())
        self._last_number = max(self._memory._entries, default=0)

    @precondition(lambda self: self._last_number)
    @rule(
        records=st.lists(
            st.tuples(st.sampled_from(RECORDED), st.integers(0), st.integers(0, 3), _texts, _texts), max_size=6
        ),
        waits=st.booleans(),
    )
    def apply(self, records: list[tuple[Transition, int, int, str, str]], waits: bool) -> None:
        """Apply transitions of current, former and non-existent attempts."""
        for transition, number, attempt, reason, tracking_id in records:
            details = TransitionDetails(
                1 + number % self._last_number, attempt, reason, tracking_id or None, tracking_id or None, attempt / 4
            )
            if waits:
                self._both(lambda ledger, transition=transition, details=details: ledger.apply(transition, details))
            else:
                self._runner.run(self._record(transition, details))

    async def _record(self, transition: Transition, details: TransitionDetails) -> None:
        self._file.record(transition, details)
        self._memory.record(transition, details)

    @precondition(lambda self: self._last_number)
    @rule(number=st.integers(0), status=_texts, price=st.none() | st.floats(0, 1))
    def record_delivery_report(self, number: int, status: str, price: float | None) -> None:
        """Record a delivery report."""
        report = DeliveryReport(1 + number % self._last_number, status, price=price)

        async def record() -> None:
            self._file.record_delivery_report(report)
            self._memory.record_delivery_report(report)

        self._runner.run(record())

    @rule()
    def expire_leases(self) -> None:
        """Expire leases."""
        self._both(lambda ledger: ledger.expire_leases())

    @rule()
    def reopen(self) -> None:
        """Close the file and open it again, as the next process does."""

        async def reopen() -> None:
            await self._file.__aexit__(None, None, None)
            await self._file.__aenter__()
            async for entry in self._memory.entries({EntryState.SENDING}):
                details = TransitionDetails(entry.number, entry.attempt, PROCESS_ENDED, resolved_by=entry.resolved_by)
                await self._memory.apply(Transition.MARK_UNKNOWN, details)

        self._runner.run(reopen())

    @rule(states=st.sets(st.sampled_from(list(EntryState))), without_report=st.booleans())
    def list_entries(self, states: set[EntryState], without_report: bool) -> None:
        """List the entries in some states."""

        async def numbers(ledger: Ledger) -> list[int]:
            return [entry.number async for entry in ledger.entries(states, without_report=without_report)]

        self._both(numbers)

    @invariant()
    def ledgers_are_equal(self) -> None:
        """Every entry and every count is equal."""

        async def everything(ledger: Ledger) -> Any:
            hashes = [claim_request(0, f"key {key}").key_hash for key in range(KEYS + 2)]
            listed = [_without_times(entry) async for entry in ledger.entries()]
            single = [await ledger.entry(key_hash) for key_hash in hashes]
            return (
                listed,
                [one and _without_times(one) for one in single],
                await ledger.find(hashes),
                await ledger.counts(),
            )

        self._both(everything)

    @rule()
    def read(self) -> None:
        """Compare the counts with the entries in the file."""

        async def read() -> None:
            counts = await self._file.counts()
            async with SqliteLedger.read(self._path) as ledger:
                assert await ledger.counts() == counts
                counted = Counter([entry.state async for entry in ledger.entries()])
            assert counts == to_state_counts(counted)

        self._runner.run(read())


TestLedgerParity = LedgerParity.TestCase
TestLedgerParity.settings = settings(settings.get_profile("default"), max_examples=20, stateful_step_count=25)
