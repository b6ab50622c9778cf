"""When to ask about a flow: a pure rule, without a clock."""

import itertools
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routee_failover._polling.schedule import MAX_INTERVAL, MIN_INTERVAL, PollSchedule

ENDS = st.lists(st.floats(0, 10**6), max_size=4).map(lambda ends: PollSchedule(tuple(sorted(ends))))


def ages(schedule: PollSchedule, until: float) -> list[float]:
    """The ages at which it has a flow asked about, up to one."""
    age = 0.0
    asked = []
    while (age := age + schedule.interval_after(age)) <= until:
        asked.append(round(age, 3))
    return asked


def test_the_pauses_grow() -> None:
    """Without ttls, a flow is asked about at once often, then less and less often, and at last every half minute."""
    assert ages(PollSchedule(), 11) == [1, 2, 3, 4.5, 6.75, 10.125]
    pauses = [round(later - earlier, 6) for earlier, later in itertools.pairwise(ages(PollSchedule(), 600))]
    assert pauses == sorted(pauses)
    assert pauses[-1] == MAX_INTERVAL


def test_the_end_of_a_ttl_is_not_slept_through() -> None:
    """A second after each ttl has ended the flow is asked about, and from then on often again."""
    schedule = PollSchedule.from_ttls([timedelta(minutes=1), timedelta(minutes=3)])
    asked = ages(schedule, 300)
    assert 61 in asked
    assert 62 in asked
    assert 241 in asked


def test_a_step_without_a_ttl_ends_what_is_known() -> None:
    """After a step that has no ttl, a call, nobody knows when the next one begins."""
    hour = timedelta(hours=1)
    assert PollSchedule.from_ttls([hour, None, hour]) == PollSchedule((3600.0,))
    assert PollSchedule.from_ttls([]) == PollSchedule()


@given(schedule=ENDS, age=st.floats(0, 10**7))
def test_no_pause_is_too_short_or_too_long(schedule: PollSchedule, age: float) -> None:
    """Whatever the ttls and the age, a pause lies between a second and half a minute."""
    assert MIN_INTERVAL <= schedule.interval_after(age) <= MAX_INTERVAL


@pytest.mark.parametrize("ttl", [timedelta(seconds=10), timedelta(days=1)])
def test_a_wait_costs_few_questions(ttl: timedelta) -> None:
    """A wait through a whole ttl takes a dozen questions, or two a minute."""
    seconds = ttl.total_seconds()
    assert len(ages(PollSchedule.from_ttls([ttl]), seconds)) <= 12 + seconds / 30
