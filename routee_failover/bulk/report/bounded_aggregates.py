"""Streaming aggregates for the pass over a ledger, each in bounded memory."""

import math
from typing import NamedTuple

from .model import DurationStats

_BUCKETS_PER_DECADE = 100  # each bucket starts 2.3 % above the previous one
_DECADES = range(-4, 6)  # 0.1 ms to 28 hours
_MERGE_FACTORS = (1, 2, 4, 5, 10, 20, 25, 50)
_MAX_COLUMNS = 60
_MIN_SPAN = 80  # at least a factor of six is shown, even if all durations are similar


class DurationHistogram:
    """Histogram of durations in logarithmic buckets, 2.3 % apart; its size does not depend on the number of values."""

    def __init__(self) -> None:
        self._counts = [0] * (_BUCKETS_PER_DECADE * len(_DECADES))
        self._minimum = math.inf
        self._maximum = 0.0

    def add(self, seconds: float) -> None:
        """Add a duration; values that are not positive or not finite are ignored."""
        if not 0 < seconds < math.inf:
            return
        index = int((math.log10(seconds) - _DECADES.start) * _BUCKETS_PER_DECADE)
        self._counts[min(max(index, 0), len(self._counts) - 1)] += 1
        self._minimum = min(self._minimum, seconds)
        self._maximum = max(self._maximum, seconds)

    def stats(self) -> DurationStats | None:
        """Return quantiles within 2.3 %, the exact extremes, and a histogram of at most 60 columns."""
        total = sum(self._counts)
        if not total:
            return None
        p50, p90, p99 = (self._quantile(fraction, total) for fraction in (0.5, 0.9, 0.99))
        used = [index for index, count in enumerate(self._counts) if count]
        # 1. Choose the range of buckets that is shown.
        low, high = used[0], used[-1]
        if high - low < _MIN_SPAN:
            low = max(low - (_MIN_SPAN - high + low) // 2, 0)
            high = min(low + _MIN_SPAN, len(self._counts) - 1)
        span = high - low + 1
        # 2. Merge buckets into columns; fewer columns for fewer values.
        max_columns = min(_MAX_COLUMNS, max(8, 2 * math.isqrt(total)))
        factor = next((factor for factor in _MERGE_FACTORS if span / factor <= max_columns), _MERGE_FACTORS[-1])
        columns = [0] * (high // factor - low // factor + 1)
        for index in used:
            columns[index // factor - low // factor] += self._counts[index]
        start = 10 ** (_DECADES.start + low // factor * factor / _BUCKETS_PER_DECADE)
        return DurationStats(
            total,
            p50,
            p90,
            p99,
            self._minimum,
            self._maximum,
            start,
            10 ** (factor / _BUCKETS_PER_DECADE),
            tuple(columns),
        )

    def _quantile(self, fraction: float, total: int) -> float:
        rank = fraction * total
        before = 0
        for index, count in enumerate(self._counts):
            if count and before + count >= rank:
                value = 10 ** (_DECADES.start + (index + (rank - before) / count) / _BUCKETS_PER_DECADE)
                return min(max(value, self._minimum), self._maximum)
            before += count
        return self._maximum  # pragma: no cover  # reached only by rounding errors


class ReasonKey(NamedTuple):
    """Outcome and reason text by which messages are grouped."""

    outcome: str
    text: str


_MAX_REASONS = 2_000
_LINES_PER_REASON = 3


class ReasonCounter:
    """Counter of the most frequent reasons, with the first source lines of each.

    Counts are exact for up to 2,000 different reasons. Beyond that the rarest ones are merged again and again, so that
    a frequent reason is found even if it first occurs late.
    """

    def __init__(self) -> None:
        self._counts: dict[ReasonKey, list[int]] = {}
        self.other_count: int = 0
        """Number of messages with one of the rarest reasons, which were merged."""

    def add(self, outcome: str, text: str, line: int) -> None:
        """Count a message with this outcome, reason and source line."""
        reason = ReasonKey(outcome, text)
        entry = self._counts.get(reason)
        if entry is None:
            if len(self._counts) >= _MAX_REASONS:
                self._merge_rarest()
            self._counts[reason] = [1, line]
            return
        entry[0] += 1
        if len(entry) <= _LINES_PER_REASON:
            entry.append(line)

    def _merge_rarest(self) -> None:
        ranked = sorted(self._counts.items(), key=lambda item: -item[1][0])
        self._counts = dict(ranked[: _MAX_REASONS // 2])
        self.other_count += sum(entry[0] for _, entry in ranked[_MAX_REASONS // 2 :])

    def most_common(self) -> list[tuple[ReasonKey, int, tuple[int, ...]]]:
        """Return the reasons that are counted separately, most frequent first, each with its first lines."""
        ranked = sorted(self._counts.items(), key=lambda item: (-item[1][0], item[0]))
        return [(reason, count, tuple(lines)) for reason, (count, *lines) in ranked]


class CappedLabels:
    """Limits the number of distinct labels from outside, such as countries: further ones become `overflow_label`."""

    def __init__(self, max_labels: int, overflow_label: str = "others") -> None:
        self._max_labels = max_labels
        self._overflow_label = overflow_label
        self._known: set[str] = set()

    def __call__(self, name: str) -> str:
        """Return the label under which a name is counted."""
        if name in self._known:
            return name
        if len(self._known) >= self._max_labels:
            return self._overflow_label
        self._known.add(name)
        return name
