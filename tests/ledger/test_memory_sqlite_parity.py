"""Whatever is done to them in whatever order, a ledger in memory and one in a file say the same."""

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
MADE = [move for move in Transition if move is not Transition.CLAIM]  # that one is made by claiming
_keys = st.integers(1, KEYS)
_texts = st.sampled_from(["", "why", "other"])


def _timeless(intent: LedgerEntry) -> LedgerEntry:
    """All but the moments, of which only their order is promised."""
    assert intent.claimed_at <= intent.lease_expires_at
    ended = intent.ended_at is not None
    return attrs.evolve(intent, claimed_at=0.0, lease_expires_at=0.0, ended_at=float(ended))


class LedgerParity(RuleBasedStateMachine):
    """Does the same to two ledgers."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._runner = asyncio.Runner()
        self._path = Path(self._folder.name) / "run.sqlite"
        self._memory = MemoryLedger()
        self._file = SqliteLedger(self._path)
        self._runner.run(self._file.__aenter__())
        self._last = 0
        self._lines = 0

    def teardown(self) -> None:
        """Let go of everything."""
        self._runner.run(self._file.__aexit__(None, None, None))
        self._runner.close()
        self._folder.cleanup()

    def _both(self, call: Any) -> Any:
        async def ask(ledger: Ledger) -> Any:
            return await call(ledger)

        ours, theirs = (self._runner.run(ask(ledger)) for ledger in (self._file, self._memory))
        assert ours == theirs
        return ours

    @rule(keys=st.lists(_keys, max_size=8), lease=st.sampled_from([0.0, 1000.0]))
    def claim(self, keys: list[int], lease: float) -> None:
        """Claim some, old and new, also twice."""
        rows = [claim_request(self._lines + place, f"key {key}", bytes([place])) for place, key in enumerate(keys)]
        self._lines += len(rows)
        found: list[ClaimResult] = self._both(lambda ledger: ledger.claim(rows, lease=lease))
        self._last = max([self._last, *(one.number for one in found)])

    @rule(key=_keys, reason=_texts)
    def mark_invalid(self, key: int, reason: str) -> None:
        """Refuse one."""
        row = claim_request(self._lines, f"key {key}")
        self._both(lambda ledger: ledger.mark_invalid(row, reason))
        self._last = max(self._memory._entries)

    @rule()
    def delete_invalid(self) -> None:
        """Forget the broken rows."""
        self._both(lambda ledger: ledger.delete_invalid())
        self._last = max(self._memory._entries, default=0)

    @precondition(lambda self: self._last)
    @rule(
        told=st.lists(st.tuples(st.sampled_from(MADE), st.integers(0), st.integers(0, 3), _texts, _texts), max_size=6),
        waits=st.booleans(),
    )
    def apply(self, told: list[tuple[Transition, int, int, str, str]], waits: bool) -> None:
        """Make moves of attempts that are, that were, and that never were."""
        for move, number, attempt, reason, identity in told:
            ending = TransitionDetails(
                1 + number % self._last, attempt, reason, identity or None, identity or None, attempt / 4
            )
            if waits:
                self._both(lambda ledger, move=move, ending=ending: ledger.apply(move, ending))
            else:
                self._runner.run(self._tell(move, ending))

    async def _tell(self, move: Transition, ending: TransitionDetails) -> None:
        self._file.record(move, ending)
        self._memory.record(move, ending)

    @precondition(lambda self: self._last)
    @rule(number=st.integers(0), status=_texts, price=st.none() | st.floats(0, 1))
    def record_delivery_report(self, number: int, status: str, price: float | None) -> None:
        """Learn how one ended."""
        fate = DeliveryReport(1 + number % self._last, status, price=price)

        async def tell() -> None:
            self._file.record_delivery_report(fate)
            self._memory.record_delivery_report(fate)

        self._runner.run(tell())

    @rule()
    def expire_leases(self) -> None:
        """Let leases end."""
        self._both(lambda ledger: ledger.expire_leases())

    @rule()
    def reopen(self) -> None:
        """End the process, and open the file again."""

        async def again() -> None:
            await self._file.__aexit__(None, None, None)
            await self._file.__aenter__()
            async for intent in self._memory.entries({EntryState.SENDING}):
                reason = TransitionDetails(intent.number, intent.attempt, PROCESS_ENDED, resolved_by=intent.resolved_by)
                await self._memory.apply(Transition.MARK_UNKNOWN, reason)

        self._runner.run(again())

    @rule(states=st.sets(st.sampled_from(list(EntryState))), without_report=st.booleans())
    def list_entries(self, states: set[EntryState], without_report: bool) -> None:
        """Look at some of them."""

        async def numbers(ledger: Ledger) -> list[int]:
            return [intent.number async for intent in ledger.entries(states, without_report=without_report)]

        self._both(numbers)

    @invariant()
    def ledgers_are_equal(self) -> None:
        """Each intent and each count."""

        async def everything(ledger: Ledger) -> Any:
            tags = [claim_request(0, f"key {key}").key_hash for key in range(KEYS + 2)]
            intents = [_timeless(intent) async for intent in ledger.entries()]
            singly = [await ledger.entry(tag) for tag in tags]
            return intents, [one and _timeless(one) for one in singly], await ledger.find(tags), await ledger.counts()

        self._both(everything)

    @rule()
    def read(self) -> None:
        """Count what is in the file."""

        async def read() -> None:
            counts = await self._file.counts()
            async with SqliteLedger.read(self._path) as ledger:
                assert await ledger.counts() == counts
                counted = Counter([intent.state async for intent in ledger.entries()])
            assert counts == to_state_counts(counted)

        self._runner.run(read())


TestLedgerParity = LedgerParity.TestCase
TestLedgerParity.settings = settings(settings.get_profile("default"), max_examples=20, stateful_step_count=25)
