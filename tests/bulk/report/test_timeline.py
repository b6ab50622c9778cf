"""Each moment of a run is active or idle, and a rate is over a second or longer."""

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routee_failover.bulk.report.model import RateSeries
from routee_failover.bulk.report.timeline import Timeline

from .sample_runs import STARTED_AT


def _timeline(*moments: float) -> Timeline:
    timeline = Timeline()
    for moment in moments:
        timeline.add(moment, 0, started_at=moment, ended_at=moment)
    return timeline


def _rate(timeline: Timeline) -> RateSeries:
    rate = timeline.rate()
    assert rate is not None
    return rate


def _total(rate: RateSeries) -> int:
    return sum(bar.total for bar in rate.bars)


def _steady(count: int, rate: float, begun: float = STARTED_AT) -> list[float]:
    return [begun + at / rate for at in range(count)]


@pytest.mark.parametrize("length", [60, 90, 600, 7_200, 40_000, 200_000])
def test_a_steady_run_has_30_to_200_bars(length: float) -> None:
    """However long a run took, it is seen in so many bars that have something to say."""
    timeline = _timeline(*_steady(20_000, 20_000 / length))
    assert timeline.idle_seconds == 0
    rate = _rate(timeline)
    assert 30 <= len(rate.bars) <= 200
    assert len(rate.periods) == 1
    assert _total(rate) == 20_000


@pytest.mark.parametrize("seconds", [0.05, 0.7, 3, 9])
def test_no_bar_is_shorter_than_a_second(seconds: float) -> None:
    """A burst of 24 within ten milliseconds is no rate of 2,400 a second."""
    moments = [STARTED_AT + seconds * at / 50 for at in range(50) for _ in range(24)]
    rate = _rate(_timeline(*moments))
    assert rate.bar_seconds >= 1
    assert rate.peak_rate <= 1_200 / min(seconds, 1) + 1
    assert rate.peak_rate <= 1_200


@pytest.mark.parametrize(
    ("moments", "idle"),
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
def test_idle_time(moments: list[float], idle: float) -> None:
    """Between a stop and its resume nothing was sent, beside a night as well; a slow pace is none of it."""
    timeline = _timeline(*moments)
    assert timeline.idle_seconds == pytest.approx(idle, abs=0.2)
    rate = _rate(timeline)
    assert sum(stretch.idle_before for stretch in rate.periods) == pytest.approx(idle, abs=0.2)
    assert len(rate.periods) == 1 if not idle else len(rate.periods) > 1


def test_a_pace_by_chance_has_no_idle_time() -> None:
    """Messages that come at random, one in three seconds, leave no gap that is told from their pace."""
    chance, moment, moments = random.Random(3), STARTED_AT, list[float]()
    for _ in range(3_000):
        moment += chance.expovariate(1 / 3)
        moments.append(moment)
    assert _timeline(*moments).idle_seconds == 0


def test_waiting_for_a_response_is_not_idle() -> None:
    """While a request has no response yet, the run is active, however long that takes."""
    timeline = _timeline(*_steady(500, 100), *_steady(500, 100, STARTED_AT + 35))
    timeline.add(STARTED_AT + 4, 2, started_at=STARTED_AT + 4, ended_at=STARTED_AT + 34)
    assert timeline.idle_seconds == 0
    timeline = _timeline(*_steady(500, 100), *_steady(500, 100, STARTED_AT + 35))
    timeline.add(STARTED_AT + 36, 0, started_at=STARTED_AT + 4, ended_at=STARTED_AT + 36)
    assert timeline.idle_seconds == 0


def test_what_is_not_counted_takes_time_as_well() -> None:
    """An attempt without an outcome begins or ends a run, and is in no bar."""
    timeline = _timeline(*_steady(50, 10))
    timeline.add(STARTED_AT - 2, started_at=STARTED_AT - 2, ended_at=STARTED_AT - 2)
    assert timeline.started_at == STARTED_AT - 2
    assert _total(_rate(timeline)) == 50
    nothing = Timeline()
    nothing.add(STARTED_AT, started_at=STARTED_AT, ended_at=STARTED_AT)
    assert nothing.rate() is None


def test_a_pause_takes_no_room() -> None:
    """A night between two halves does not squeeze them: each is a stretch, beginning where it began."""
    rate = _rate(_timeline(*_steady(3_000, 10), *_steady(3_000, 10, STARTED_AT + 30_000)))
    assert [stretch.started_at for stretch in rate.periods] == [STARTED_AT, STARTED_AT + 30_000]
    assert 30 <= len(rate.bars) <= 200


def test_many_pauses() -> None:
    """The longest part the bars; all of them are idle."""
    moments = [moment for at in range(20) for moment in _steady(100, 20, STARTED_AT + at * 40)]
    timeline = _timeline(*moments)
    assert timeline.idle_seconds == pytest.approx(19 * 35, abs=1)
    assert len(_rate(timeline).periods) <= 8


MOMENTS = st.lists(st.tuples(st.floats(0, 2e9), st.integers(0, 2), st.floats(0, 100)), min_size=1, max_size=60)


@given(MOMENTS)
def test_nothing_is_lost(told: list[tuple[float, int, float]]) -> None:
    """Moments in any order, seconds or years apart, are all counted, in bars and stretches that a page has room for."""
    timeline = Timeline()
    for moment, kind, length in told:
        timeline.add(moment, kind, started_at=moment - length, ended_at=moment)
    assert timeline.started_at == min(moment - length for moment, _, length in told)
    assert timeline.ended_at == max(moment for moment, _, _ in told)
    assert 0 <= timeline.idle_seconds <= timeline.ended_at - timeline.started_at
    rate = _rate(timeline)
    assert [sum(bar[kind] for bar in rate.bars) for kind in range(3)] == [
        sum(1 for _, other, _ in told if other == kind) for kind in range(3)
    ]
    assert len(rate.bars) <= 200
    assert len(rate.periods) <= 8
    assert all(
        before.started_at + len(before.bars) * rate.bar_seconds < after.started_at
        for before, after in pairwise(rate.periods)
    )


def test_moments_take_little_room() -> None:
    """Of moments that are all apart no more than 2,000 windows are kept."""
    chance = random.Random(1)
    timeline = Timeline()
    for _ in range(20_000):
        moment = STARTED_AT + chance.random() * 1e6
        timeline.add(moment, 1, started_at=moment, ended_at=moment)
    assert len(timeline._windows) <= 2_000
    assert _total(_rate(timeline)) == 20_000


def test_nothing_happened() -> None:
    """Without a message there is no rate, no beginning and no idle time."""
    assert (Timeline().rate(), Timeline().started_at, Timeline().ended_at, Timeline().idle_seconds) == (
        None,
        None,
        None,
        0,
    )
