"""Ledger in memory, which ends with its process: for tests, and for runs that need only one message per key."""

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
    """Return a unique run id: twelve letters, 60 random bits."""
    return "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz234567") for _ in range(12))


class MemoryLedger:
    """Ledger in memory: it keeps every promise of `Ledger` except to survive its process."""

    def __init__(self) -> None:
        self._run_id = new_run_id()
        self._clock = SteadyClock()
        self._numbers_by_hash: dict[int, int] = {}
        self._entries: dict[int, LedgerEntry] = {}
        self._last_number = 0
        self._documents: dict[str, Any] = {}

    @property
    def run_id(self) -> str:
        """Unique id of the ledger."""
        return self._run_id

    def now(self) -> float:
        """Return seconds since 1970."""
        return self._clock()

    async def claim(self, requests: Sequence[ClaimRequest], *, lease: float) -> list[ClaimResult]:
        """Claim what is NEW or not in the ledger yet."""
        return [self._claim(request, lease) for request in requests]

    def _claim(self, request: ClaimRequest, lease: float) -> ClaimResult:
        now = self.now()
        entry = self._find_entry(request.key_hash)
        if entry is None:
            entry = self._add(request, EntryState.NEW, now)
        claimed = entry.state is EntryState.NEW and entry.fingerprint in {b"", request.fingerprint}
        if claimed:
            entry = self._change(
                entry,
                state=EntryState.SENDING,
                attempt=entry.attempt + 1,
                line=request.line,
                recipient=request.recipient,
                fingerprint=request.fingerprint,
                claimed_at=now,
                lease_expires_at=now + lease,
                ended_at=None,
                reason="",
                resolved_by=RESOLVED_BY_POLICY if entry.resolved_by == RESOLVED_BY_POLICY else "",
            )
        return _claim_result(entry, claimed=claimed)

    async def find(self, key_hashes: Sequence[int]) -> dict[int, ClaimResult]:
        """Return the entries with these key hashes."""
        known = ((key_hash, self._find_entry(key_hash)) for key_hash in key_hashes)
        return {key_hash: _claim_result(entry, claimed=False) for key_hash, entry in known if entry is not None}

    async def mark_invalid(self, request: ClaimRequest, reason: str) -> bool:
        """Record as INVALID a row from which no flow can be built."""
        now = self.now()
        entry = self._find_entry(request.key_hash) or self._add(request._replace(fingerprint=b""), EntryState.NEW, now)
        if entry.state not in {EntryState.NEW, EntryState.INVALID}:
            return False
        self._change(entry, state=EntryState.INVALID, reason=reason, line=request.line, ended_at=now)
        return True

    async def delete_invalid(self) -> None:
        """Delete the INVALID entries of which nothing may have been accepted."""
        invalid = [
            entry for entry in self._entries.values() if entry.state is EntryState.INVALID and not entry.fingerprint
        ]
        for entry in invalid:
            del self._entries[entry.number], self._numbers_by_hash[entry.key_hash]
        self._last_number = max(self._entries, default=0)

    def record(self, transition: Transition, details: TransitionDetails) -> None:
        """Record a transition."""
        self._apply(transition, details)

    async def apply(self, transition: Transition, details: TransitionDetails) -> bool:
        """Apply a transition; return whether it changed anything."""
        return self._apply(transition, details)

    def _apply(self, transition: Transition, details: TransitionDetails) -> bool:
        entry = self._entries.get(details.number)
        if entry is None:
            return False
        resent_by_policy = entry.resolved_by == RESOLVED_BY_POLICY
        state = next_state(
            entry.state,
            transition,
            same_attempt=entry.attempt == details.attempt,
            resent_by_policy=resent_by_policy,
        )
        if state is entry.state:
            return False
        now = self.now()
        keeps_policy = resent_by_policy and transition in KEEPS_RESENT_BY_POLICY
        self._change(
            entry,
            state=state,
            ended_at=now,
            lease_expires_at=min(entry.lease_expires_at, now) if transition in ENDS_LEASE else entry.lease_expires_at,
            reason=details.reason,
            resolved_by=RESOLVED_BY_POLICY if keeps_policy else details.resolved_by,
            tracking_id=details.tracking_id or entry.tracking_id,
            channel=details.channel or entry.channel,
            response_time=details.response_time or entry.response_time,
            fingerprint=b"" if transition in CLEARS_FINGERPRINT and not keeps_policy else entry.fingerprint,
        )
        return True

    async def expire_leases(self) -> int:
        """Make UNKNOWN the entries that are SENDING past their lease."""
        now = self.now()
        expired = [
            entry
            for entry in self._entries.values()
            if entry.state is EntryState.SENDING and entry.lease_expires_at <= now
        ]
        for entry in expired:
            self._change(entry, state=EntryState.UNKNOWN, ended_at=now, reason=LEASE_EXPIRED)
        return len(expired)

    def record_delivery_report(self, report: DeliveryReport) -> None:
        """Record the delivery report of an accepted flow."""
        entry = self._entries.get(report.number)
        if entry is not None:
            self._change(entry, delivery_report=report)

    async def flush(self) -> None:
        """Return at once: nothing is pending."""

    async def entry(self, key_hash: int) -> LedgerEntry | None:
        """Return the entry with this key hash."""
        return self._find_entry(key_hash)

    async def entries(
        self, states: Collection[EntryState] | None = None, *, without_report: bool = False
    ) -> AsyncIterator[LedgerEntry]:
        """Iterate over the entries in these states."""
        for number in range(1, self._last_number + 1):
            entry = self._entries.get(number)
            if entry is None or (without_report and entry.delivery_report is not None):
                continue
            if states is None or entry.state in states:
                yield entry

    async def counts(self) -> StateCounts:
        """Return the number of entries in each state."""
        return to_state_counts(Counter(entry.state for entry in self._entries.values()))

    async def delivery_counts(self) -> list[DeliveryCount]:
        """Return the number of accepted messages by status and channel of their delivery report."""
        reports = (entry.delivery_report for entry in self._entries.values() if entry.state is EntryState.ACCEPTED)
        counts = Counter((None, None) if report is None else (report.status, report.channel) for report in reports)
        return [DeliveryCount(status, channel, messages) for (status, channel), messages in counts.items()]

    async def get_document(self, name: str) -> Any:
        """Return the JSON document with this name."""
        return self._documents.get(name)

    async def put_document(self, name: str, value: Mapping[str, Any]) -> None:
        """Store a JSON document."""
        self._documents[name] = dict(value)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        """Do nothing: the ledger holds no resources."""

    def _find_entry(self, key_hash: int) -> LedgerEntry | None:
        number = self._numbers_by_hash.get(key_hash)
        return None if number is None else self._entries[number]

    def _add(self, request: ClaimRequest, state: EntryState, now: float) -> LedgerEntry:
        self._last_number += 1
        entry = LedgerEntry(
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
        self._entries[entry.number] = entry
        self._numbers_by_hash[request.key_hash] = entry.number
        return entry

    def _change(self, entry: LedgerEntry, **changes: Any) -> LedgerEntry:
        changed = self._entries[entry.number] = attrs.evolve(entry, **changes)
        return changed


LEASE_EXPIRED = "its lease expired: the sender was gone or frozen"


def to_state_counts(by_state: Mapping[EntryState, int]) -> StateCounts:
    """Return counts by state as `StateCounts`."""
    return StateCounts(**{state.lower(): count for state, count in by_state.items()})


def _claim_result(entry: LedgerEntry, *, claimed: bool) -> ClaimResult:
    return ClaimResult(
        entry.number, entry.attempt, entry.state, entry.line, entry.fingerprint, claimed, entry.recipient
    )
