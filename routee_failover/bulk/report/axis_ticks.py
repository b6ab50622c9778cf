"""Axis ticks at round values."""

import math
from collections.abc import Iterator

_TIME_INTERVALS = (
    0.1,
    0.2,
    0.5,
    1,
    2,
    5,
    10,
    15,
    30,
    60,
    120,
    300,
    600,
    900,
    1800,
    3600,
    7200,
    10_800,
    21_600,
    43_200,
    86_400,
)


def linear_ticks(maximum: float, max_ticks: int = 3) -> list[float]:
    """Return at most `max_ticks` evenly spaced round values above 0; the last one is `maximum` or the next above it."""
    size = 10 ** math.floor(math.log10(maximum / max_ticks))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10, 20) if maximum / (size * factor) <= max_ticks + 1e-9)
    return [step * index for index in range(1, math.ceil(maximum / step - 1e-9) + 1)]


def time_tick_interval(duration: float, max_ticks: int) -> float:
    """Return the interval between at most `max_ticks` ticks: a round number of seconds."""
    days = 86_400 * math.ceil(duration / 86_400 / max_ticks)
    return next((step for step in _TIME_INTERVALS if duration / step <= max_ticks), days)


def log_ticks(low: float, high: float) -> Iterator[tuple[float, bool]]:
    """Yield 1, 2 and 5 of each decade from `low` to `high`, and whether the tick is a power of ten."""
    for decade in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1):
        for digit in (1, 2, 5):
            value = digit * 10.0**decade
            if low * 0.999 <= value <= high * 1.001:
                yield value, digit == 1
