"""When to ask about a flow, as a pure rule: often where something is likely to happen, seldom where nothing is."""

import math
from collections.abc import Iterable
from datetime import timedelta
from typing import Self

import attrs

MIN_INTERVAL = 1.0
"""Seconds: the shortest pause between two questions about one flow, and how long after the end of a ttl to ask."""
MAX_INTERVAL = 30.0
"""Seconds: the longest pause."""


@attrs.frozen
class PollSchedule:
    """The pauses between questions about one flow.

    Messages are delivered soon or not for long, so the pauses grow with the time since the last moment at which a
    message left. A ttl that ends is such a moment: the flow fails over, and the next message is on its way.

    The time is counted from the first wait for the flow, as if it had been sent then: Routee's receipt tells no moment.
    Who waits long after the send is asked for later than the ttl's end, but never more than `LONGEST` apart.
    """

    ttl_ends: tuple[float, ...] = ()
    """Seconds from the beginning of the wait to the end of each step's ttl, in order."""

    @classmethod
    def from_ttls(cls, ttls: Iterable[timedelta | None]) -> Self:
        """The schedule of a flow whose steps have these ttls, in the order of trying; a step without one ends it."""
        ends: list[float] = []
        at = 0.0
        for ttl in ttls:
            if ttl is None:
                break
            at += ttl.total_seconds()
            ends.append(at)
        return cls(tuple(ends))

    def interval_after(self, elapsed: float) -> float:
        """How many seconds to wait before the next question, so many seconds after the wait began."""
        last = max((end for end in self.ttl_ends if end <= elapsed), default=0.0)
        growing = min(max((elapsed - last) / 2, MIN_INTERVAL), MAX_INTERVAL)
        next_end = min((end for end in self.ttl_ends if end > elapsed), default=math.inf)
        return min(growing, next_end - elapsed + MIN_INTERVAL)
