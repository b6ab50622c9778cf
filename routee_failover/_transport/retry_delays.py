"""Exponential backoff with full jitter: the delays between attempts. The one module that imports `backoff`."""

from collections.abc import Iterator

from backoff import expo, full_jitter

INITIAL_BACKOFF = 0.05
"""Upper bound of the first delay in seconds."""
MAX_BACKOFF = 2.0
"""Upper bound of every delay in seconds."""
INITIAL_THROTTLE_DELAY = 1.0
"""Upper bound, in seconds, of the first delay after Routee throttled a request; also the throttle pause without a
`Retry-After`."""
MAX_THROTTLE_DELAY = 30.0
"""Upper bound, in seconds, of every delay after Routee throttled a request."""


def backoff_delays() -> Iterator[float]:
    """Yield the seconds to wait before each retry.

    The upper bound doubles from 50 ms to 2 s; full jitter keeps clients from retrying in lockstep.
    """
    return _jittered(INITIAL_BACKOFF, MAX_BACKOFF)


def throttle_delays() -> Iterator[float]:
    """Yield the seconds to add to the throttle pause before each retry of a throttled request.

    The upper bound doubles from 1 s to 30 s, with full jitter.
    """
    return _jittered(INITIAL_THROTTLE_DELAY, MAX_THROTTLE_DELAY)


def _jittered(initial: float, maximum: float) -> Iterator[float]:
    bounds = expo(base=2, factor=initial, max_value=maximum)
    next(bounds)  # the generators of `backoff` yield None first, as a place for `send`
    while True:
        yield full_jitter(next(bounds))
