"""How long to wait before the next try; the one module that imports `backoff`."""

from collections.abc import Iterator

from backoff import expo, full_jitter

FIRST_DELAY = 0.05
LONGEST_DELAY = 2.0


def delays() -> Iterator[float]:
    """Seconds to wait before each next try: doubling from 50 ms, with full jitter, so that no two clients keep step."""
    steps = expo(base=2, factor=FIRST_DELAY, max_value=LONGEST_DELAY)
    next(steps)  # `backoff` starts its generators with a value that is none
    while True:
        yield full_jitter(next(steps))
