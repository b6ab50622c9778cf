"""A clock whose seconds pass faster than real ones, so that a ttl of an hour ends while one watches."""

import math
import time
from collections.abc import Callable


class VirtualClock:
    """Virtual seconds since the clock was made, `speed` times as many as real ones.

    It reads the monotonic clock: a machine whose time of day is set does not move the flows.
    """

    def __init__(self, speed: float = 1.0, monotonic: Callable[[], float] = time.monotonic) -> None:
        if not (math.isfinite(speed) and speed > 0):
            raise ValueError("speed must be a positive number: how many times faster than real time ttls pass")
        self.speed = speed
        self._monotonic = monotonic
        self._start = monotonic()

    def now(self) -> float:
        """The virtual seconds that have passed."""
        return (self._monotonic() - self._start) * self.speed
