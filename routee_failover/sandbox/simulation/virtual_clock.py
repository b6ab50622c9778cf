"""A clock that runs faster than real time, stands still, or is put forward: a ttl of a day ends while one watches."""

import math
import time
from collections.abc import Callable


class VirtualClock:
    """Virtual seconds since the clock was made, `speed` times as many as real ones; at speed 0 it stands still.

    It reads the monotonic clock: a machine whose time of day is set does not move the flows. It never goes back.
    """

    def __init__(self, speed: float = 1.0, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._from = monotonic()
        self._passed = 0.0
        self._speed = _checked_speed(speed)

    @property
    def speed(self) -> float:
        """How many virtual seconds pass in a real one."""
        return self._speed

    def set_speed(self, speed: float) -> None:
        """Let time pass at another speed from now on."""
        speed = _checked_speed(speed)
        self.advance(0.0)
        self._speed = speed

    def now(self) -> float:
        """The virtual seconds that have passed."""
        return round_to_microseconds(self._passed + (self._monotonic() - self._from) * self._speed)

    def advance_to(self, moment: float) -> None:
        """Let time pass until that moment at once; nothing happens when it has passed."""
        # Not by the difference: a sum may fall short of the moment by its last bit, and nothing would ever be due.
        self._passed, self._from = max(self.now(), round_to_microseconds(moment)), self._monotonic()

    def advance(self, seconds: float) -> None:
        """Let so many virtual seconds pass at once, beside those that pass of themselves."""
        self._passed, self._from = self.now() + validate_advance(seconds), self._monotonic()


def round_to_microseconds(seconds: float) -> float:
    """A time to the microsecond, which is as exact as times are told and compared."""
    return round(seconds, 6)


def validate_advance(seconds: float) -> float:
    """The seconds, when a clock can be put forward by them; raises `ValueError` when it cannot."""
    if not (math.isfinite(seconds) and seconds >= 0):
        raise ValueError("a clock is put forward by a number of seconds, and never back")
    return seconds


def _checked_speed(speed: float) -> float:
    if not (math.isfinite(speed) and speed >= 0):
        raise ValueError("speed must be 0 or more: how many times faster than real time ttls pass; 0 freezes them")
    return speed
