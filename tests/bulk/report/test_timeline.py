"""Timeline of a run: each second is active or idle, and a rate is over at least a second."""

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routee_failover.bulk.report.model import RateSeries
from routee_failover.bulk.report.timeline import Timeline

from .sample_runs import STARTED_AT


def _timeline(*times: float) -> Timeline:
    timeline = Timeline()
    for time in times:
        timeline.add(time, 0, started_at=time, ended_at=time)
    return timeline


def _rate(timeline: Timeline) -> RateSeries:
    rate = timeline.rate()
    assert rate is not None
    return rate


def _total(rate: RateSeries) -> int:
    return sum(bar.total for bar in rate.bars)


def _steady(count: int, rate: float, start: float = STARTED_AT) -> list[float]:
    return [start + index / rate for index in range(count)]


@pytest.mark.parametrize("duration", [60, 90, 600, 7_200, 40_000, 200_000])
def test_steady_run_has_30_to_200_bars(duration: float) -> None:
    """However long a run took, it has a readable number of bars."""
    timeline = _timeline(*_steady(20_000, 20_000 / duration))
    assert timeline.idle_seconds == 0
    rate = _rate(timeline)
    assert 30 <= len(rate.bars) <= 200
    assert len(rate.periods) == 1
    assert _total(rate) == 20_000


@pytest.mark.parametrize("seconds", [0.05, 0.7, 3, 9])
def test_no_bar_is_shorter_than_a_second(seconds: float) -> None:
    """A burst of 24 within ten milliseconds is not a rate of 2,400 a second."""
    times = [STARTED_AT + seconds * index / 50 for index in range(50) for _ in range(24)]
    rate = _rate(_timeline(*times))
    assert rate.bar_seconds >= 1
    assert rate.peak_rate <= 1_200 / min(seconds, 1) + 1
    assert rate.peak_rate <= 1_200


@pytest.mark.parametrize(
    ("times", "idle"),
    [
        ([*_steady(2_000, 300), *_steady(2_000, 300, STARTED_AT + 22.66)], 16),
        ([*_steady(20, 5), *_steady(20, 5, STARTED_AT + 19.8)], 16),
        ([*_steady(6, 1), *_steady(6, 1, STARTED_AT + 21)], 16),
        (
            [*_steady(3_000, 10), *_steady(3_000, 10, STARTED_AT + 30_000), *_steady(3_000, 10, STARTED_AT + 30_316)],
            29_716.2,
        ),
        (_steady(100, 0.1), 0),
        (_steady(3, 0.1), 0),
        (_steady(1, 1), 0),
        ([*_steady(2_000, 300), *_steady(2_000, 300, STARTED_AT + 8.66)], 0),
    ],
)
def test_gaps_longer_than_the_rate_explains_are_idle(times: list[float], idle: float) -> None:
    """The time between a stop and its resume is idle, also beside a whole night; a low rate is not."""
    timeline = _timeline(*times)
    assert timeline.idle_seconds == pytest.approx(idle, abs=0.2)
    rate = _rate(timeline)
    assert sum(period.idle_before for period in rate.periods) == pytest.approx(idle, abs=0.2)
    assert len(rate.periods) == 1 if not idle else len(rate.periods) > 1


def test_random_arrivals_have_no_idle_time() -> None:
    """Random arrivals, one in three seconds on average, have no gap that counts as idle."""
    chance, time, times = random.Random(3), STARTED_AT, list[float]()
    for _ in range(3_000):
        time += chance.expovariate(1 / 3)
        times.append(time)
    assert _timeline(*times).idle_seconds == 0


def test_waiting_for_a_response_is_not_idle() -> None:
    """While a request has no response yet, the run is active, however long that takes."""
    timeline = _timeline(*_steady(500, 100), *_steady(500, 100, STARTED_AT + 35))
    timeline.add(STARTED_AT + 4, 2, started_at=STARTED_AT + 4, ended_at=STARTED_AT + 34)
    assert timeline.idle_seconds == 0
    timeline = _timeline(*_steady(500, 100), *_steady(500, 100, STARTED_AT + 35))
    timeline.add(STARTED_AT + 36, 0, started_at=STARTED_AT + 4, ended_at=STARTED_AT + 36)
    assert timeline.idle_seconds == 0


def test_attempt_without_an_outcome_is_active_time() -> None:
    """An attempt without an outcome starts or ends a run, and is in no bar."""
    timeline = _timeline(*_steady(50, 10))
    timeline.add(STARTED_AT - 2, started_at=STARTED_AT - 2, ended_at=STARTED_AT - 2)
    assert timeline.started_at == STARTED_AT - 2
    assert _total(_rate(timeline)) == 50
    without_outcome = Timeline()
    without_outcome.add(STARTED_AT, started_at=STARTED_AT, ended_at=STARTED_AT)
    assert without_outcome.rate() is None


def test_long_pause_divides_the_bars_into_periods() -> None:
    """A night between two halves does not compress them: each is a period with its own start."""
    rate = _rate(_timeline(*_steady(3_000, 10), *_steady(3_000, 10, STARTED_AT + 30_000)))
    assert [period.started_at for period in rate.periods] == [STARTED_AT, STARTED_AT + 30_000]
    assert 30 <= len(rate.bars) <= 200


def test_only_the_longest_pauses_divide_the_bars() -> None:
    """The longest pauses divide the bars; all of them are idle."""
    times = [time for index in range(20) for time in _steady(100, 20, STARTED_AT + index * 40)]
    timeline = _timeline(*times)
    assert timeline.idle_seconds == pytest.approx(19 * 35, abs=1)
    assert len(_rate(timeline).periods) <= 8


MESSAGES = st.lists(st.tuples(st.floats(0, 2e9), st.integers(0, 2), st.floats(0, 100)), min_size=1, max_size=60)


@given(MESSAGES)
def test_any_messages_are_all_counted_in_bounded_bars(messages: list[tuple[float, int, float]]) -> None:
    """Messages in any order, seconds or years apart, are all counted, in a bounded number of bars and periods."""
    timeline = Timeline()
    for time, outcome, seconds in messages:
        timeline.add(time, outcome, started_at=time - seconds, ended_at=time)
    assert timeline.started_at == min(time - seconds for time, _, seconds in messages)
    assert timeline.ended_at == max(time for time, _, _ in messages)
    assert 0 <= timeline.idle_seconds <= timeline.ended_at - timeline.started_at
    rate = _rate(timeline)
    assert [sum(bar[outcome] for bar in rate.bars) for outcome in range(3)] == [
        sum(1 for _, other, _ in messages if other == outcome) for outcome in range(3)
    ]
    assert len(rate.bars) <= 200
    assert len(rate.periods) <= 8
    assert all(
        before.started_at + len(before.bars) * rate.bar_seconds < after.started_at
        for before, after in pairwise(rate.periods)
    )


def test_windows_are_bounded() -> None:
    """Of messages that are all far apart, at most 2,000 windows are kept."""
    chance = random.Random(1)
    timeline = Timeline()
    for _ in range(20_000):
        time = STARTED_AT + chance.random() * 1e6
        timeline.add(time, 1, started_at=time, ended_at=time)
    assert len(timeline._windows) <= 2_000
    assert _total(_rate(timeline)) == 20_000


def test_empty_timeline_has_no_rate() -> None:
    """Without a message there is no rate, no start and no idle time."""
    assert (Timeline().rate(), Timeline().started_at, Timeline().ended_at, Timeline().idle_seconds) == (
        None,
        None,
        None,
        0,
    )
