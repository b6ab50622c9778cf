"""The virtual clock: it runs, stops, and is advanced."""

import math

import pytest

from routee_failover.sandbox.simulation.virtual_clock import VirtualClock


def test_clock_runs_speed_times_faster_than_real_time() -> None:
    """Virtual seconds pass `speed` times faster than real ones, from zero."""
    real = [50.0]
    clock = VirtualClock(60.0, monotonic=lambda: real[0])
    assert clock.now() == 0.0
    real[0] += 2.0
    assert clock.now() == 120.0


@pytest.mark.parametrize("speed", [-1.0, math.inf, math.nan])
def test_invalid_speed_raises_value_error(speed: float) -> None:
    """A negative or non-finite speed raises, initially and later."""
    with pytest.raises(ValueError, match="speed"):
        VirtualClock(speed)
    clock = VirtualClock(2.0)
    with pytest.raises(ValueError, match="speed"):
        clock.set_speed(speed)
    assert clock.speed == 2.0


def test_speed_change_keeps_the_elapsed_time() -> None:
    """A change of speed keeps the elapsed time; at speed 0 time passes by `advance` only."""
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
def test_invalid_advance_raises_value_error(seconds: float) -> None:
    """A clock can only be advanced, by a finite number of seconds that is not negative."""
    with pytest.raises(ValueError, match="only be advanced"):
        VirtualClock().advance(seconds)
