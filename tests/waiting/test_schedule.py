"""When to ask about a flow: a pure rule, without a clock."""

import itertools
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routee_failover.waiting.schedule import LONGEST, SOONEST, Schedule

ENDS = st.lists(st.floats(0, 10**6), max_size=4).map(lambda ends: Schedule(tuple(sorted(ends))))


def ages(schedule: Schedule, until: float) -> list[float]:
    """The ages at which it has a flow asked about, up to one."""
    age = 0.0
    asked = []
    while (age := age + schedule.pause(age)) <= until:
        asked.append(round(age, 3))
    return asked


def test_the_pauses_grow() -> None:
    """Without ttls, a flow is asked about at once often, then less and less often, and at last every half minute."""
    assert ages(Schedule(), 11) == [1, 2, 3, 4.5, 6.75, 10.125]
    pauses = [round(later - earlier, 6) for earlier, later in itertools.pairwise(ages(Schedule(), 600))]
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST


def test_the_end_of_a_ttl_is_not_slept_through() -> None:
    """A second after each ttl has ended the flow is asked about, and from then on often again."""
    schedule = Schedule.of_ttls([timedelta(minutes=1), timedelta(minutes=3)])
    asked = ages(schedule, 300)
    assert 61 in asked
    assert 62 in asked
    assert 241 in asked


def test_a_step_without_a_ttl_ends_what_is_known() -> None:
    """After a step that has no ttl, a call, nobody knows when the next one begins."""
    hour = timedelta(hours=1)
    assert Schedule.of_ttls([hour, None, hour]) == Schedule((3600.0,))
    assert Schedule.of_ttls([]) == Schedule()


@given(schedule=ENDS, age=st.floats(0, 10**7))
def test_no_pause_is_too_short_or_too_long(schedule: Schedule, age: float) -> None:
    """Whatever the ttls and the age, a pause lies between a second and half a minute."""
    assert SOONEST <= schedule.pause(age) <= LONGEST


@pytest.mark.parametrize("ttl", [timedelta(seconds=10), timedelta(days=1)])
def test_a_wait_costs_few_questions(ttl: timedelta) -> None:
    """A wait through a whole ttl takes a dozen questions, or two a minute."""
    seconds = ttl.total_seconds()
    assert len(ages(Schedule.of_ttls([ttl]), seconds)) <= 12 + seconds / 30
