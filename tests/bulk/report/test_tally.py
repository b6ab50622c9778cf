"""What is counted on the way stays right, however much there is of it, and takes no more room."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routee_failover.bulk.report.tally import Lengths, Moments, Names, Reasons
from routee_failover.bulk.report.values import Rate

from .making import BEGUN


def _rate(*moments: float) -> Rate:
    counted = Moments()
    for moment in moments:
        counted.add(moment, 0)
    rate = counted.rate()
    assert rate is not None
    return rate


def _total(rate: Rate) -> int:
    return sum(bar.total for bar in rate.bars)


@pytest.mark.parametrize("length", [3, 20, 90, 600, 7_200, 40_000, 200_000])
def test_a_steady_run_has_30_to_200_bars(length: float) -> None:
    """However long a run took, it is seen in so many bars that have something to say."""
    rate = _rate(*(BEGUN + length * part / 20_000 for part in range(20_000)))
    assert 30 <= len(rate.bars) <= 200
    assert len(rate.stretches) == 1
    assert _total(rate) == 20_000


def test_a_pause_takes_no_room() -> None:
    """A night between two halves does not squeeze them: each is a stretch, beginning where it began."""
    rate = _rate(*(BEGUN + at / 10 for at in range(3_000)), *(BEGUN + 30_000 + at / 10 for at in range(3_000)))
    assert [stretch.begin for stretch in rate.stretches] == [BEGUN, BEGUN + 30_000]
    assert 30 <= len(rate.bars) <= 200


@given(st.lists(st.tuples(st.floats(0, 2e9), st.integers(0, 2)), min_size=1, max_size=60))
def test_nothing_is_lost(told: list[tuple[float, int]]) -> None:
    """Moments in any order, seconds or years apart, are all counted, in bars and stretches that a page has room for."""
    counted = Moments()
    for moment, kind in told:
        counted.add(moment, kind)
    rate = counted.rate()
    assert rate is not None
    assert [sum(bar[kind] for bar in rate.bars) for kind in range(3)] == [
        sum(1 for _, other in told if other == kind) for kind in range(3)
    ]
    assert len(rate.bars) <= 200
    assert len(rate.stretches) <= 8


def test_moments_take_little_room() -> None:
    """Of moments that are all apart no more than 2,000 places are kept."""
    chance = random.Random(1)
    counted = Moments()
    for _ in range(20_000):
        counted.add(BEGUN + chance.random() * 1e6, 1)
    assert len(counted._counts) <= 2_000
    rate = counted.rate()
    assert rate is not None
    assert _total(rate) == 20_000


def test_nothing_happened() -> None:
    """Without a moment there is no rate, without a length there are no quantiles."""
    assert Moments().rate() is None
    lengths = Lengths()
    for impossible in (0.0, -1.0, float("inf"), float("nan")):
        lengths.add(impossible)
    assert lengths.durations() is None


@given(st.lists(st.floats(2e-4, 9e4), min_size=1, max_size=300))
def test_quantiles_are_near(values: list[float]) -> None:
    """The quantiles of the histogram are within a step of it of what sorting would give; the extremes are exact."""
    lengths = Lengths()
    for value in values:
        lengths.add(value)
    told = lengths.durations()
    assert told is not None
    ranked = sorted(values)
    for share, quantile in ((0.5, told.p50), (0.9, told.p90), (0.99, told.p99)):
        exact = ranked[max(0, -int(-share * len(ranked) // 1) - 1)]
        assert exact / 1.024 <= quantile <= exact * 1.024
    assert (told.least, told.most, told.rows, sum(told.columns)) == (ranked[0], ranked[-1], len(values), len(values))
    assert len(told.columns) <= 61
    assert told.begin <= ranked[0] * 1.0001
    assert told.begin * told.ratio ** len(told.columns) >= ranked[-1] / 1.0001


def test_what_is_out_of_all_bounds() -> None:
    """A microsecond and a week are counted at the ends, and told as they are."""
    lengths = Lengths()
    lengths.add(1e-6)
    lengths.add(6e5)
    told = lengths.durations()
    assert told is not None
    assert (told.rows, told.least, told.most) == (2, 1e-6, 6e5)


def test_reasons_are_ranked() -> None:
    """The most frequent comes first, with its count and its first three lines."""
    reasons = Reasons()
    for line in range(1, 8):
        reasons.add("Rejected", "no", line)
    reasons.add("Unknown", "lost", 9)
    assert reasons.worst() == [(("Rejected", "no"), 7, (1, 2, 3)), (("Unknown", "lost"), 1, (9,))]


def test_a_reason_that_comes_late_is_found() -> None:
    """After thousands that came once each, one that comes often is first; all are counted."""
    reasons = Reasons()
    for line in range(9_000):
        reasons.add("Rejected", f"number {line}", line)
        if line >= 8_000:
            reasons.add("Rejected", "the same", line)
    assert reasons.worst()[0] == (("Rejected", "the same"), 1_000, (8_000, 8_001, 8_002))
    assert reasons.rest + sum(count for _, count, _ in reasons.worst()) == 10_000
    assert len(reasons.worst()) <= 2_000


def test_names_that_never_end() -> None:
    """After the first few, all other names are one."""
    name = Names(2)
    assert [name(text) for text in ("a", "b", "c", "a", "d")] == ["a", "b", "others", "a", "others"]
