"""Schedule of lookups of unknown messages, by the monotonic clock, which ignores changes of the machine's clock."""

import time

import attrs

from ...ledger import LedgerEntry
from .reconcile_after import ReconcileAfter

LOOKUP_TIMES = (0.0, 1.0, 2.0, 4.0)
"""When a message is looked up: at once, and then after these multiples of `reconcile_after`."""
_RETRY_FACTOR = 0.25
"""Delay before a lookup without a response is repeated, in multiples of `reconcile_after`; it grows with their
number."""
_MAX_NO_RESPONSES = 40
"""Lookups without a response that count as one lookup: a missing role stays missing."""
_MAX_PENDING = 100_000
"""Number of unknown messages that are tracked at once. Others wait until some are resolved; memory stays bounded."""


@attrs.define
class PendingLookup:
    """Pending lookup of an unknown message: when this process first saw it, and when it is looked up next."""

    attempt: int
    started_at: float
    """When it was first seen with its lease expired."""
    lookups: int = 0
    no_responses: int = 0
    not_before: float = 0.0
    reason: str = ""
    """What the last lookup showed."""
    round: int = 0


class LookupSchedule:
    """Schedule of lookups: tracks unknown messages from the time at which this process first sees them."""

    def __init__(self, reconcile_after: ReconcileAfter) -> None:
        self._reconcile_after = reconcile_after
        self._pending: dict[int, PendingLookup] = {}
        self._round = 0

    def start_round(self) -> None:
        """Start a round over all unknown messages."""
        self._round += 1

    def finish_round(self) -> float | None:
        """Drop the messages that this round did not meet, and return the seconds until the next lookup, or `None`."""
        self._pending = {number: pending for number, pending in self._pending.items() if pending.round == self._round}
        due = [self._due_at(pending) for pending in self._pending.values() if not self.is_exhausted(pending)]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def schedule(self, entry: LedgerEntry, now: float) -> PendingLookup | None:
        """Return the pending lookup of a message; `None` if too many are tracked. `now` is the ledger's time."""
        pending = self._pending.get(entry.number)
        if pending is None or pending.attempt != entry.attempt:
            if pending is None and len(self._pending) >= _MAX_PENDING:
                return None
            pending = self._pending[entry.number] = PendingLookup(entry.attempt, time.monotonic())
        if now < entry.lease_expires_at:
            # Its sender may still be sending it: `reconcile_after` has not started.
            pending.started_at = time.monotonic() + (entry.lease_expires_at - now)
        pending.round = self._round
        return pending

    def is_due(self, pending: PendingLookup) -> bool:
        """Return whether the message is to be looked up now."""
        return not self.is_exhausted(pending) and time.monotonic() >= self._due_at(pending)

    def age(self, pending: PendingLookup) -> float:
        """Return how long the message has been tracked, in multiples of `reconcile_after`."""
        return (time.monotonic() - pending.started_at) / self._reconcile_after.seconds

    def is_exhausted(self, pending: PendingLookup) -> bool:
        """Return whether no lookups are left."""
        return pending.lookups >= len(LOOKUP_TIMES)

    def record_lookup(self, pending: PendingLookup, reason: str, *, retryable: bool = True) -> None:
        """Record a lookup that did not resolve the message; unless it is retryable, no further lookup follows."""
        pending.lookups = pending.lookups + 1 if retryable else len(LOOKUP_TIMES)
        pending.reason = reason

    def record_no_response(self, pending: PendingLookup, reason: str) -> None:
        """Record a lookup without a response: it proves nothing, and is repeated soon."""
        pending.no_responses += 1
        if pending.no_responses % _MAX_NO_RESPONSES == 0:
            self.record_lookup(pending, reason)
            return
        pending.reason = reason
        pending.not_before = (
            time.monotonic() + _RETRY_FACTOR * min(pending.no_responses, 8) * self._reconcile_after.seconds
        )

    def _due_at(self, pending: PendingLookup) -> float:
        # The first lookup is immediate: a message that Routee already shows is found at once.
        planned_at = (
            pending.started_at + LOOKUP_TIMES[pending.lookups] * self._reconcile_after.seconds
            if pending.lookups
            else 0.0
        )
        return max(planned_at, pending.not_before)
