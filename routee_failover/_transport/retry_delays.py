"""How long to wait before the next try; the one module that imports `backoff`."""

from collections.abc import Iterator

from backoff import expo, full_jitter

INITIAL_BACKOFF = 0.05
MAX_BACKOFF = 2.0
INITIAL_THROTTLE_DELAY = 1.0
MAX_THROTTLE_DELAY = 30.0


def backoff_delays() -> Iterator[float]:
    """Seconds to wait before each next try: doubling from 50 ms, with full jitter, so that no two clients keep step."""
    return _jittered(INITIAL_BACKOFF, MAX_BACKOFF)


def throttle_delays() -> Iterator[float]:
    """The same where Routee has asked for fewer requests: doubling from 1 s, on top of a pause that it named."""
    return _jittered(INITIAL_THROTTLE_DELAY, MAX_THROTTLE_DELAY)


def _jittered(first: float, longest: float) -> Iterator[float]:
    steps = expo(base=2, factor=first, max_value=longest)
    next(steps)  # `backoff` starts its generators with a value that is none
    while True:
        yield full_jitter(next(steps))
