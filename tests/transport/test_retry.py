"""How long the client waits before it tries again."""

from itertools import islice

import pytest

from routee_failover.transport.retry import FIRST_DELAY, LONGEST_DELAY, delays


@pytest.mark.parametrize("_run", range(20))
def test_delays_stay_within_their_doubling_bounds(_run: int) -> None:
    """Each delay lies between nothing and a bound that doubles from 50 ms up to 2 s."""
    for position, delay in enumerate(islice(delays(), 30)):
        assert 0 <= delay <= min(FIRST_DELAY * 2**position, LONGEST_DELAY)


def test_delays_differ_between_clients() -> None:
    """Jitter: two clients that fail together do not come back together."""
    assert list(islice(delays(), 10)) != list(islice(delays(), 10))


def test_delays_use_their_room() -> None:
    """The jitter is full: over many draws the first delay comes near both of its bounds."""
    first = [next(delays()) for _ in range(500)]
    assert min(first) < 0.1 * FIRST_DELAY
    assert max(first) > 0.9 * FIRST_DELAY
