"""Virtual clock: runs faster than real time, stands still, or is advanced, so that a ttl of a day passes in no time."""

import math
import time
from collections.abc import Callable


class VirtualClock:
    """Clock of virtual seconds since its creation, `speed` of them per real second; at speed 0 it does not move.

    It is based on the monotonic clock, so changes of the system time do not affect the flows. It never goes back.
    """

    def __init__(self, speed: float = 1.0, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._real_base = monotonic()
        self._virtual_base = 0.0
        self._speed = _validate_speed(speed)

    @property
    def speed(self) -> float:
        """Virtual seconds per real second."""
        return self._speed

    def set_speed(self, speed: float) -> None:
        """Change the speed from now on. Raises `ValueError` for an invalid speed."""
        speed = _validate_speed(speed)
        self.advance(0.0)
        self._speed = speed

    def now(self) -> float:
        """Return the virtual seconds that have passed."""
        return round_to_microseconds(self._virtual_base + (self._monotonic() - self._real_base) * self._speed)

    def advance_to(self, at: float) -> None:
        """Advance the clock to this time; do nothing when that has passed."""
        # Not by the difference: a sum may fall short of the time by its last bit, and the job would never become due.
        self._virtual_base, self._real_base = max(self.now(), round_to_microseconds(at)), self._monotonic()

    def advance(self, seconds: float) -> None:
        """Advance the clock by this many virtual seconds, in addition to those that pass by themselves."""
        self._virtual_base, self._real_base = self.now() + validate_advance(seconds), self._monotonic()


def round_to_microseconds(seconds: float) -> float:
    """Round a time to the microsecond, the precision in which times are reported and compared."""
    return round(seconds, 6)


def validate_advance(seconds: float) -> float:
    """Return the seconds if a clock can be advanced by them. Raises `ValueError` when it cannot."""
    if not (math.isfinite(seconds) and seconds >= 0):
        raise ValueError("the clock can only be advanced by a finite number of seconds that is not negative")
    return seconds


def _validate_speed(speed: float) -> float:
    if not (math.isfinite(speed) and speed >= 0):
        raise ValueError("speed must be 0 or more: virtual seconds per real second; 0 freezes the clock")
    return speed
