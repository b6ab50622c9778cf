"""When a message in doubt is looked for, by this process's own time, which no setting of a clock moves."""

import time

import attrs

from ...ledger import LedgerEntry
from .reconcile_after import ReconcileAfter

LOOKUP_TIMES = (0.0, 1.0, 2.0, 4.0)
"""When a doubt is looked for: as soon as it is seen, and then so many settling times after that."""
_RETRY_FACTOR = 0.25
"""Settling times after which a look that got no answer is made again, the longer the more of them there were."""
_MAX_NO_RESPONSES = 40
"""Looks without an answer after which one counts as made: a role that is missing stays missing."""
_MAX_PENDING = 100_000
"""How many doubts are watched at a time. Those beyond wait for others to be settled; memory stays bounded."""


@attrs.define
class PendingLookup:
    """A doubt, since when this process knows of it, and when it is looked for next."""

    attempt: int
    started_at: float
    """When it was seen first with its lease over."""
    lookups: int = 0
    no_responses: int = 0
    not_before: float = 0.0
    reason: str = ""
    """What the last look showed."""
    round: int = 0


class LookupSchedule:
    """Watches doubts from the moment at which this process sees them first."""

    def __init__(self, reconcile_after: ReconcileAfter) -> None:
        self._reconcile_after = reconcile_after
        self._pending: dict[int, PendingLookup] = {}
        self._round = 0

    def start_round(self) -> None:
        """Begin to go through the doubts."""
        self._round += 1

    def finish_round(self) -> float | None:
        """Forget those that were not met since `begin`; the seconds until one is due, `None` if none will be."""
        self._pending = {number: one for number, one in self._pending.items() if one.round == self._round}
        due = [self._due_at(one) for one in self._pending.values() if not self.is_exhausted(one)]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def schedule(self, entry: LedgerEntry, now: float) -> PendingLookup | None:
        """The watch over a doubt; `None` where too many are watched. `now` is the ledger's time."""
        one = self._pending.get(entry.number)
        if one is None or one.attempt != entry.attempt:
            if one is None and len(self._pending) >= _MAX_PENDING:
                return None
            one = self._pending[entry.number] = PendingLookup(entry.attempt, time.monotonic())
        if now < entry.lease_expires_at:
            # Its sender may still be at it: the time to settle has not begun.
            one.started_at = time.monotonic() + (entry.lease_expires_at - now)
        one.round = self._round
        return one

    def is_due(self, one: PendingLookup) -> bool:
        """Whether it is to be looked for now."""
        return not self.is_exhausted(one) and time.monotonic() >= self._due_at(one)

    def age(self, one: PendingLookup) -> float:
        """For how many settling times it has been watched."""
        return (time.monotonic() - one.started_at) / self._reconcile_after.seconds

    def is_exhausted(self, one: PendingLookup) -> bool:
        """Whether it will not be looked for any more."""
        return one.lookups >= len(LOOKUP_TIMES)

    def record_lookup(self, one: PendingLookup, reason: str, *, retryable: bool = True) -> None:
        """Note a look that did not settle it; after one that nothing can follow, it is not looked for any more."""
        one.lookups = one.lookups + 1 if retryable else len(LOOKUP_TIMES)
        one.reason = reason

    def record_no_response(self, one: PendingLookup, reason: str) -> None:
        """Note a look that got no answer: it proves nothing, and is made again soon."""
        one.no_responses += 1
        if one.no_responses % _MAX_NO_RESPONSES == 0:
            self.record_lookup(one, reason)
            return
        one.reason = reason
        one.not_before = time.monotonic() + _RETRY_FACTOR * min(one.no_responses, 8) * self._reconcile_after.seconds

    def _due_at(self, one: PendingLookup) -> float:
        # The first look waits for nothing: what is there already is found at once.
        planned = one.started_at + LOOKUP_TIMES[one.lookups] * self._reconcile_after.seconds if one.lookups else 0.0
        return max(planned, one.not_before)
