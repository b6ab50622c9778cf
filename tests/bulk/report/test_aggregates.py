"""What is counted on the way stays right, however much there is of it, and takes no more room."""

from hypothesis import given
from hypothesis import strategies as st

from routee_failover.bulk.report.aggregates import CappedLabels, DurationHistogram, ReasonCounter


def test_nothing_happened() -> None:
    """Without a length there are no quantiles."""
    lengths = DurationHistogram()
    for impossible in (0.0, -1.0, float("inf"), float("nan")):
        lengths.add(impossible)
    assert lengths.stats() is None


@given(st.lists(st.floats(2e-4, 9e4), min_size=1, max_size=300))
def test_quantiles_are_near(values: list[float]) -> None:
    """The quantiles of the histogram are within a step of it of what sorting would give; the extremes are exact."""
    lengths = DurationHistogram()
    for value in values:
        lengths.add(value)
    told = lengths.stats()
    assert told is not None
    ranked = sorted(values)
    for share, quantile in ((0.5, told.p50), (0.9, told.p90), (0.99, told.p99)):
        exact = ranked[max(0, -int(-share * len(ranked) // 1) - 1)]
        assert exact / 1.024 <= quantile <= exact * 1.024
    assert (told.minimum, told.maximum, told.total, sum(told.buckets)) == (
        ranked[0],
        ranked[-1],
        len(values),
        len(values),
    )
    assert len(told.buckets) <= 61
    assert told.histogram_start <= ranked[0] * 1.0001
    assert told.histogram_start * told.bucket_ratio ** len(told.buckets) >= ranked[-1] / 1.0001


def test_what_is_out_of_all_bounds() -> None:
    """A microsecond and a week are counted at the ends, and told as they are."""
    lengths = DurationHistogram()
    lengths.add(1e-6)
    lengths.add(6e5)
    told = lengths.stats()
    assert told is not None
    assert (told.total, told.minimum, told.maximum) == (2, 1e-6, 6e5)


def test_reasons_are_ranked() -> None:
    """The most frequent comes first, with its count and its first three lines."""
    reasons = ReasonCounter()
    for line in range(1, 8):
        reasons.add("Rejected", "no", line)
    reasons.add("Unknown", "lost", 9)
    assert reasons.most_common() == [(("Rejected", "no"), 7, (1, 2, 3)), (("Unknown", "lost"), 1, (9,))]


def test_a_reason_that_comes_late_is_found() -> None:
    """After thousands that came once each, one that comes often is first; all are counted."""
    reasons = ReasonCounter()
    for line in range(9_000):
        reasons.add("Rejected", f"number {line}", line)
        if line >= 8_000:
            reasons.add("Rejected", "the same", line)
    assert reasons.most_common()[0] == (("Rejected", "the same"), 1_000, (8_000, 8_001, 8_002))
    assert reasons.other_count + sum(count for _, count, _ in reasons.most_common()) == 10_000
    assert len(reasons.most_common()) <= 2_000


def test_names_that_never_end() -> None:
    """After the first few, all other names are one."""
    name = CappedLabels(2)
    assert [name(text) for text in ("a", "b", "c", "a", "d")] == ["a", "b", "others", "a", "others"]
