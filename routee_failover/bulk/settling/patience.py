"""When a message in doubt is looked for, by this process's own time, which no setting of a clock moves."""

import time

import attrs

from ...ledger import LedgerEntry
from .reconcile_after import SettleAfter

LOOKS = (0.0, 1.0, 2.0, 4.0)
"""When a doubt is looked for: as soon as it is seen, and then so many settling times after that."""
_AGAIN = 0.25
"""Settling times after which a look that got no answer is made again, the longer the more of them there were."""
_UNANSWERED = 40
"""Looks without an answer after which one counts as made: a role that is missing stays missing."""
_MOST = 100_000
"""How many doubts are watched at a time. Those beyond wait for others to be settled; memory stays bounded."""


@attrs.define
class Watched:
    """A doubt, since when this process knows of it, and when it is looked for next."""

    attempt: int
    since: float
    """When it was seen first with its lease over."""
    looks: int = 0
    unanswered: int = 0
    not_before: float = 0.0
    why: str = ""
    """What the last look showed."""
    round: int = 0


class Patience:
    """Watches doubts from the moment at which this process sees them first."""

    def __init__(self, reconcile_after: SettleAfter) -> None:
        self._settle_after = reconcile_after
        self._watched: dict[int, Watched] = {}
        self._round = 0

    def begin(self) -> None:
        """Begin to go through the doubts."""
        self._round += 1

    def end(self) -> float | None:
        """Forget those that were not met since `begin`; the seconds until one is due, `None` if none will be."""
        self._watched = {number: one for number, one in self._watched.items() if one.round == self._round}
        due = [self._due(one) for one in self._watched.values() if not self.is_over(one)]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def watch(self, intent: LedgerEntry, now: float) -> Watched | None:
        """The watch over a doubt; `None` where too many are watched. `now` is the ledger's time."""
        one = self._watched.get(intent.number)
        if one is None or one.attempt != intent.attempt:
            if one is None and len(self._watched) >= _MOST:
                return None
            one = self._watched[intent.number] = Watched(intent.attempt, time.monotonic())
        if now < intent.lease_expires_at:
            # Its sender may still be at it: the time to settle has not begun.
            one.since = time.monotonic() + (intent.lease_expires_at - now)
        one.round = self._round
        return one

    def is_due(self, one: Watched) -> bool:
        """Whether it is to be looked for now."""
        return not self.is_over(one) and time.monotonic() >= self._due(one)

    def age(self, one: Watched) -> float:
        """For how many settling times it has been watched."""
        return (time.monotonic() - one.since) / self._settle_after.seconds

    def is_over(self, one: Watched) -> bool:
        """Whether it will not be looked for any more."""
        return one.looks >= len(LOOKS)

    def looked(self, one: Watched, why: str, *, ever: bool = True) -> None:
        """Note a look that did not settle it; after one that nothing can follow, it is not looked for any more."""
        one.looks = one.looks + 1 if ever else len(LOOKS)
        one.why = why

    def unanswered(self, one: Watched, why: str) -> None:
        """Note a look that got no answer: it proves nothing, and is made again soon."""
        one.unanswered += 1
        if one.unanswered % _UNANSWERED == 0:
            self.looked(one, why)
            return
        one.why = why
        one.not_before = time.monotonic() + _AGAIN * min(one.unanswered, 8) * self._settle_after.seconds

    def _due(self, one: Watched) -> float:
        # The first look waits for nothing: what is there already is found at once.
        planned = one.since + LOOKS[one.looks] * self._settle_after.seconds if one.looks else 0.0
        return max(planned, one.not_before)
