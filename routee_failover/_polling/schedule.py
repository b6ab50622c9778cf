"""Poll schedule of a flow, sans-I/O: short intervals when a status change is likely, long ones when it is not."""

import math
from collections.abc import Iterable
from datetime import timedelta
from typing import Self

import attrs

MIN_INTERVAL = 1.0
"""Seconds: the shortest interval between two polls of one flow, and the delay of a poll after the end of a ttl."""
MAX_INTERVAL = 30.0
"""Seconds: the longest interval between two polls of one flow."""


@attrs.frozen
class PollSchedule:
    """Intervals between the polls of one flow.

    Messages are delivered soon or not for a long time, so the interval grows with the time since a message was last
    sent. Each end of a ttl is such a time: the flow fails over, and the next message is sent.

    Time is counted from the first wait for the flow, as if it had been sent then, because Routee's receipt holds no
    time. A wait that starts long after the send therefore polls later than right after the end of a ttl, but polls are
    never more than `MAX_INTERVAL` apart.
    """

    ttl_ends: tuple[float, ...] = ()
    """Seconds from the start of the wait to the end of each step's ttl, in order."""

    @classmethod
    def from_ttls(cls, ttls: Iterable[timedelta | None]) -> Self:
        """Return the schedule of a flow whose steps have these ttls, in order, up to the first step without a ttl."""
        ends: list[float] = []
        end = 0.0
        for ttl in ttls:
            if ttl is None:
                break
            end += ttl.total_seconds()
            ends.append(end)
        return cls(tuple(ends))

    def interval_after(self, elapsed: float) -> float:
        """Return the seconds until the next poll, `elapsed` seconds after the wait began."""
        last = max((end for end in self.ttl_ends if end <= elapsed), default=0.0)
        growing = min(max((elapsed - last) / 2, MIN_INTERVAL), MAX_INTERVAL)
        next_end = min((end for end in self.ttl_ends if end > elapsed), default=math.inf)
        return min(growing, next_end - elapsed + MIN_INTERVAL)
