"""How long the client waits before it tries again."""

from collections.abc import Callable, Iterator
from itertools import islice

import pytest

from routee_failover._transport import retry_delays
from routee_failover._transport.retry_delays import backoff_delays, throttle_delays

Delays = Callable[[], Iterator[float]]
LONGEST = {
    backoff_delays: [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0],
    throttle_delays: [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0],
}

both = pytest.mark.parametrize("kind", LONGEST, ids=lambda kind: kind.__name__)


@both
def test_the_longest_delay_doubles_up_to_a_bound(kind: Delays, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without jitter a delay doubles from 50 ms up to 2 s, and from 1 s up to 30 s where Routee throttles."""
    monkeypatch.setattr(retry_delays, "full_jitter", lambda longest: longest)
    assert list(islice(kind(), len(LONGEST[kind]))) == LONGEST[kind]


@both
def test_delays_stay_within_their_bounds(kind: Delays) -> None:
    """Each delay lies between nothing and its bound."""
    for _ in range(50):
        drawn = islice(kind(), len(LONGEST[kind]))
        assert all(0 <= delay <= longest for delay, longest in zip(drawn, LONGEST[kind], strict=True))


@both
def test_delays_differ_between_clients(kind: Delays) -> None:
    """Jitter: two clients that fail together do not come back together."""
    assert list(islice(kind(), 10)) != list(islice(kind(), 10))


@both
def test_delays_use_their_room(kind: Delays) -> None:
    """The jitter is full: over many draws each delay comes near both of its bounds."""
    draws = [list(islice(kind(), 3)) for _ in range(500)]
    for drawn, longest in zip(zip(*draws, strict=True), LONGEST[kind], strict=False):
        assert min(drawn) < 0.1 * longest
        assert max(drawn) > 0.9 * longest
