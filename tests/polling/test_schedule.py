"""Poll schedule: a pure function of the elapsed time."""

import itertools
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routee_failover._polling.schedule import MAX_INTERVAL, MIN_INTERVAL, PollSchedule

ENDS = st.lists(st.floats(0, 10**6), max_size=4).map(lambda ends: PollSchedule(tuple(sorted(ends))))


def poll_times(schedule: PollSchedule, until: float) -> list[float]:
    """Return the times at which a schedule polls a flow, up to `until`."""
    elapsed = 0.0
    times = []
    while (elapsed := elapsed + schedule.interval_after(elapsed)) <= until:
        times.append(round(elapsed, 3))
    return times


def test_intervals_grow_up_to_the_maximum() -> None:
    """Without ttls a flow is polled often at first, then less and less often, and finally every 30 seconds."""
    assert poll_times(PollSchedule(), 11) == [1, 2, 3, 4.5, 6.75, 10.125]
    intervals = [round(later - earlier, 6) for earlier, later in itertools.pairwise(poll_times(PollSchedule(), 600))]
    assert intervals == sorted(intervals)
    assert intervals[-1] == MAX_INTERVAL


def test_flow_is_polled_one_second_after_each_ttl() -> None:
    """The flow is polled one second after the end of each ttl, and often again from then on."""
    schedule = PollSchedule.from_ttls([timedelta(minutes=1), timedelta(minutes=3)])
    times = poll_times(schedule, 300)
    assert 61 in times
    assert 62 in times
    assert 241 in times


def test_ttls_after_a_step_without_ttl_are_ignored() -> None:
    """After a step without a ttl, a call, the start of the next step is not known."""
    hour = timedelta(hours=1)
    assert PollSchedule.from_ttls([hour, None, hour]) == PollSchedule((3600.0,))
    assert PollSchedule.from_ttls([]) == PollSchedule()


@given(schedule=ENDS, elapsed=st.floats(0, 10**7))
def test_interval_is_between_minimum_and_maximum(schedule: PollSchedule, elapsed: float) -> None:
    """Whatever the ttls and the elapsed time, the interval is between one and 30 seconds."""
    assert MIN_INTERVAL <= schedule.interval_after(elapsed) <= MAX_INTERVAL


@pytest.mark.parametrize("ttl", [timedelta(seconds=10), timedelta(days=1)])
def test_wait_needs_few_polls(ttl: timedelta) -> None:
    """A wait for a whole ttl takes at most twelve polls plus two per minute."""
    seconds = ttl.total_seconds()
    assert len(poll_times(PollSchedule.from_ttls([ttl]), seconds)) <= 12 + seconds / 30
