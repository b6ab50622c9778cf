"""Streaming aggregates stay correct and bounded, however many values there are."""

from hypothesis import given
from hypothesis import strategies as st

from routee_failover.bulk.report.bounded_aggregates import CappedLabels, DurationHistogram, ReasonCounter


def test_histogram_without_valid_durations_has_no_stats() -> None:
    """Without a valid duration there are no quantiles."""
    histogram = DurationHistogram()
    for invalid in (0.0, -1.0, float("inf"), float("nan")):
        histogram.add(invalid)
    assert histogram.stats() is None


@given(st.lists(st.floats(2e-4, 9e4), min_size=1, max_size=300))
def test_quantiles_are_within_one_bucket_of_exact(values: list[float]) -> None:
    """Quantiles are within one bucket of the exact ones; the extremes are exact."""
    histogram = DurationHistogram()
    for value in values:
        histogram.add(value)
    stats = histogram.stats()
    assert stats is not None
    ranked = sorted(values)
    for fraction, quantile in ((0.5, stats.p50), (0.9, stats.p90), (0.99, stats.p99)):
        exact = ranked[max(0, -int(-fraction * len(ranked) // 1) - 1)]
        assert exact / 1.024 <= quantile <= exact * 1.024
    assert (stats.minimum, stats.maximum, stats.total, sum(stats.buckets)) == (
        ranked[0],
        ranked[-1],
        len(values),
        len(values),
    )
    assert len(stats.buckets) <= 61
    assert stats.histogram_start <= ranked[0] * 1.0001
    assert stats.histogram_start * stats.bucket_ratio ** len(stats.buckets) >= ranked[-1] / 1.0001


def test_durations_beyond_the_histogram_have_exact_extremes() -> None:
    """A microsecond and a week count in the outer buckets, and the extremes are exact."""
    histogram = DurationHistogram()
    histogram.add(1e-6)
    histogram.add(6e5)
    stats = histogram.stats()
    assert stats is not None
    assert (stats.total, stats.minimum, stats.maximum) == (2, 1e-6, 6e5)


def test_reasons_are_ranked_with_their_first_lines() -> None:
    """The most frequent comes first, with its count and its first three lines."""
    reasons = ReasonCounter()
    for line in range(1, 8):
        reasons.add("Rejected", "no", line)
    reasons.add("Unknown", "lost", 9)
    assert reasons.most_common() == [(("Rejected", "no"), 7, (1, 2, 3)), (("Unknown", "lost"), 1, (9,))]


def test_frequent_reason_is_found_even_if_it_starts_late() -> None:
    """After thousands of distinct reasons, a frequent one is first; all are counted."""
    reasons = ReasonCounter()
    for line in range(9_000):
        reasons.add("Rejected", f"number {line}", line)
        if line >= 8_000:
            reasons.add("Rejected", "the same", line)
    assert reasons.most_common()[0] == (("Rejected", "the same"), 1_000, (8_000, 8_001, 8_002))
    assert reasons.other_count + sum(count for _, count, _ in reasons.most_common()) == 10_000
    assert len(reasons.most_common()) <= 2_000


def test_labels_beyond_the_limit_are_merged() -> None:
    """After the first few, all other labels are one."""
    label = CappedLabels(2)
    assert [label(text) for text in ("a", "b", "c", "a", "d")] == ["a", "b", "others", "a", "others"]
