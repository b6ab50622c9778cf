"""Backoff with full jitter: how long the client waits before a retry."""

from collections.abc import Callable, Iterator
from itertools import islice

import pytest

from routee_failover._transport import retry_policy
from routee_failover._transport.retry_policy import backoff_delays, throttle_delays

Delays = Callable[[], Iterator[float]]
BOUNDS = {
    backoff_delays: [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0],
    throttle_delays: [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0],
}

each_generator = pytest.mark.parametrize("delays", BOUNDS, ids=lambda delays: delays.__name__)


@each_generator
def test_upper_bound_doubles_up_to_the_maximum(delays: Delays, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without jitter the delay doubles from 50 ms to 2 s, and from 1 s to 30 s after throttling."""
    monkeypatch.setattr(retry_policy, "full_jitter", lambda longest: longest)
    assert list(islice(delays(), len(BOUNDS[delays]))) == BOUNDS[delays]


@each_generator
def test_delays_lie_between_zero_and_their_bound(delays: Delays) -> None:
    """Each delay lies between zero and its upper bound."""
    for _ in range(50):
        drawn = islice(delays(), len(BOUNDS[delays]))
        assert all(0 <= delay <= longest for delay, longest in zip(drawn, BOUNDS[delays], strict=True))


@each_generator
def test_delays_differ_between_clients(delays: Delays) -> None:
    """Jitter: two clients that fail at the same time do not retry at the same time."""
    assert list(islice(delays(), 10)) != list(islice(delays(), 10))


@each_generator
def test_jitter_covers_the_whole_range(delays: Delays) -> None:
    """The jitter is full: over many draws each delay comes near both of its bounds."""
    draws = [list(islice(delays(), 3)) for _ in range(500)]
    for drawn, longest in zip(zip(*draws, strict=True), BOUNDS[delays], strict=False):
        assert min(drawn) < 0.1 * longest
        assert max(drawn) > 0.9 * longest
