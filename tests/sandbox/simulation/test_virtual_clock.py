"""The virtual clock alone: it runs, stands still, and is put forward."""

import math

import pytest

from routee_failover.sandbox.simulation.virtual_clock import VirtualClock


def test_virtual_clock() -> None:
    """Virtual seconds pass `speed` times faster than real ones, from zero."""
    real = [50.0]
    clock = VirtualClock(60.0, monotonic=lambda: real[0])
    assert clock.now() == 0.0
    real[0] += 2.0
    assert clock.now() == 120.0


@pytest.mark.parametrize("speed", [-1.0, math.inf, math.nan])
def test_impossible_speed(speed: float) -> None:
    """A clock that would run backwards or not at all is refused, from the start and later."""
    with pytest.raises(ValueError, match="speed"):
        VirtualClock(speed)
    clock = VirtualClock(2.0)
    with pytest.raises(ValueError, match="speed"):
        clock.set_speed(speed)
    assert clock.speed == 2.0


def test_a_clock_changes_its_speed_and_keeps_its_time() -> None:
    """What has passed stays passed when the speed changes; at speed 0 nothing passes but what it is put forward by."""
    real = [50.0]
    clock = VirtualClock(60.0, monotonic=lambda: real[0])
    real[0] += 2.0
    clock.set_speed(0.0)
    real[0] += 1_000.0
    assert clock.now() == 120.0
    clock.advance(86_400.0)
    clock.advance(0.0)
    assert clock.now() == 86_520.0
    clock.set_speed(1.0)
    real[0] += 3.0
    assert clock.now() == 86_523.0
    clock.advance(7.0)
    assert clock.now() == 86_530.0


@pytest.mark.parametrize("seconds", [-0.001, math.inf, math.nan])
def test_a_clock_never_goes_back(seconds: float) -> None:
    """A clock is put forward by a number of seconds, and by nothing else."""
    with pytest.raises(ValueError, match="never back"):
        VirtualClock().advance(seconds)
