"""A ledger that ends with its process: for tests, and for runs that need no more than one message per key."""

import secrets
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any, Self

import attrs

from .entry import (
    RESOLVED_BY_POLICY,
    ClaimRequest,
    ClaimResult,
    DeliveryCount,
    DeliveryReport,
    LedgerEntry,
    StateCounts,
    TransitionDetails,
)
from .state_machine import CLEARS_FINGERPRINT, ENDS_LEASE, KEEPS_RESENT_BY_POLICY, EntryState, Transition, next_state
from .steady_clock import SteadyClock


def new_run_id() -> str:
    """Twelve letters that no other run has: 60 bits of chance."""
    return "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz234567") for _ in range(12))


class MemoryLedger:
    """Keeps intents in memory: every promise of `Ledger` but to survive its process."""

    def __init__(self) -> None:
        self._run_id = new_run_id()
        self._clock = SteadyClock()
        self._numbers_by_hash: dict[int, int] = {}
        self._entries: dict[int, LedgerEntry] = {}
        self._last_number = 0
        self._documents: dict[str, Any] = {}

    @property
    def run_id(self) -> str:
        """Letters that no other ledger has."""
        return self._run_id

    def now(self) -> float:
        """Seconds since 1970."""
        return self._clock()

    async def claim(self, requests: Sequence[ClaimRequest], *, lease: float) -> list[ClaimResult]:
        """Take what is NEW or not there yet."""
        return [self._claim(one, lease) for one in requests]

    def _claim(self, request: ClaimRequest, lease: float) -> ClaimResult:
        now = self.now()
        intent = self._find_entry(request.key_hash)
        if intent is None:
            intent = self._add(request, EntryState.NEW, now)
        mine = intent.state is EntryState.NEW and intent.fingerprint in {b"", request.fingerprint}
        if mine:
            intent = self._change(
                intent,
                state=EntryState.SENDING,
                attempt=intent.attempt + 1,
                line=request.line,
                recipient=request.recipient,
                fingerprint=request.fingerprint,
                claimed_at=now,
                lease_expires_at=now + lease,
                ended_at=None,
                reason="",
                resolved_by=RESOLVED_BY_POLICY if intent.resolved_by == RESOLVED_BY_POLICY else "",
            )
        return _found(intent, mine=mine)

    async def find(self, key_hashes: Sequence[int]) -> dict[int, ClaimResult]:
        """How those of them stand that are there."""
        known = ((tag, self._find_entry(tag)) for tag in key_hashes)
        return {tag: _found(intent, mine=False) for tag, intent in known if intent is not None}

    async def mark_invalid(self, request: ClaimRequest, reason: str) -> bool:
        """Keep a row of which no flow can be made."""
        now = self.now()
        intent = self._find_entry(request.key_hash) or self._add(request._replace(fingerprint=b""), EntryState.NEW, now)
        if intent.state not in {EntryState.NEW, EntryState.INVALID}:
            return False
        self._change(intent, state=EntryState.INVALID, reason=reason, line=request.line, ended_at=now)
        return True

    async def delete_invalid(self) -> None:
        """Forget the INVALID rows of which nothing may have been taken."""
        invalid = [one for one in self._entries.values() if one.state is EntryState.INVALID and not one.fingerprint]
        for intent in invalid:
            del self._entries[intent.number], self._numbers_by_hash[intent.key_hash]
        self._last_number = max(self._entries, default=0)

    def record(self, transition: Transition, details: TransitionDetails) -> None:
        """Make a move of an intent."""
        self._apply(transition, details)

    async def apply(self, transition: Transition, details: TransitionDetails) -> bool:
        """Make a move, and say whether it changed anything."""
        return self._apply(transition, details)

    def _apply(self, transition: Transition, details: TransitionDetails) -> bool:
        intent = self._entries.get(details.number)
        if intent is None:
            return False
        policy = intent.resolved_by == RESOLVED_BY_POLICY
        state = next_state(
            intent.state, transition, same_attempt=intent.attempt == details.attempt, resent_by_policy=policy
        )
        if state is intent.state:
            return False
        now = self.now()
        bound = policy and transition in KEEPS_RESENT_BY_POLICY
        self._change(
            intent,
            state=state,
            ended_at=now,
            lease_expires_at=min(intent.lease_expires_at, now) if transition in ENDS_LEASE else intent.lease_expires_at,
            reason=details.reason,
            resolved_by=RESOLVED_BY_POLICY if bound else details.resolved_by,
            tracking_id=details.tracking_id or intent.tracking_id,
            channel=details.channel or intent.channel,
            response_time=details.response_time or intent.response_time,
            fingerprint=b"" if transition in CLEARS_FINGERPRINT and not bound else intent.fingerprint,
        )
        return True

    async def expire_leases(self) -> int:
        """Make UNKNOWN whatever is SENDING past its lease."""
        now = self.now()
        over = [
            intent
            for intent in self._entries.values()
            if intent.state is EntryState.SENDING and intent.lease_expires_at <= now
        ]
        for intent in over:
            self._change(intent, state=EntryState.UNKNOWN, ended_at=now, reason=LEASE_EXPIRED)
        return len(over)

    def record_delivery_report(self, report: DeliveryReport) -> None:
        """Keep how an accepted flow ended."""
        intent = self._entries.get(report.number)
        if intent is not None:
            self._change(intent, delivery_report=report)

    async def flush(self) -> None:
        """There is nothing to wait for."""

    async def entry(self, key_hash: int) -> LedgerEntry | None:
        """The intent with that tag."""
        return self._find_entry(key_hash)

    async def entries(
        self, states: Collection[EntryState] | None = None, *, without_report: bool = False
    ) -> AsyncIterator[LedgerEntry]:
        """Intents in these states."""
        for number in range(1, self._last_number + 1):
            intent = self._entries.get(number)
            if intent is None or (without_report and intent.delivery_report is not None):
                continue
            if states is None or intent.state in states:
                yield intent

    async def counts(self) -> StateCounts:
        """How many there are in each state."""
        return to_state_counts(Counter(intent.state for intent in self._entries.values()))

    async def delivery_counts(self) -> list[DeliveryCount]:
        """How many accepted messages there are by status and channel of their delivery report."""
        fates = (intent.delivery_report for intent in self._entries.values() if intent.state is EntryState.ACCEPTED)
        counts = Counter((None, None) if fate is None else (fate.status, fate.channel) for fate in fates)
        return [DeliveryCount(status, channel, messages) for (status, channel), messages in counts.items()]

    async def get_document(self, name: str) -> Any:
        """The JSON that was put under a name."""
        return self._documents.get(name)

    async def put_document(self, name: str, value: Mapping[str, Any]) -> None:
        """Keep JSON under a name."""
        self._documents[name] = dict(value)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        """Nothing is held."""

    def _find_entry(self, key_hash: int) -> LedgerEntry | None:
        number = self._numbers_by_hash.get(key_hash)
        return None if number is None else self._entries[number]

    def _add(self, request: ClaimRequest, state: EntryState, now: float) -> LedgerEntry:
        self._last_number += 1
        intent = LedgerEntry(
            number=self._last_number,
            key_hash=request.key_hash,
            key=request.key,
            recipient=request.recipient,
            line=request.line,
            state=state,
            attempt=0,
            claimed_at=now,
            lease_expires_at=now,
        )
        self._entries[intent.number] = intent
        self._numbers_by_hash[request.key_hash] = intent.number
        return intent

    def _change(self, intent: LedgerEntry, **changes: Any) -> LedgerEntry:
        changed = self._entries[intent.number] = attrs.evolve(intent, **changes)
        return changed


LEASE_EXPIRED = "its sender was gone or frozen past its lease"


def to_state_counts(by_state: Mapping[EntryState, int]) -> StateCounts:
    """Counts by state as `Counts`."""
    return StateCounts(**{state.lower(): number for state, number in by_state.items()})


def _found(intent: LedgerEntry, *, mine: bool) -> ClaimResult:
    return ClaimResult(
        intent.number, intent.attempt, intent.state, intent.line, intent.fingerprint, mine, intent.recipient
    )
