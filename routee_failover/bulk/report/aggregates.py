"""What is counted on the way through a ledger, each in memory that does not grow with it."""

import math
from typing import NamedTuple

from .model import DurationStats

_BUCKETS_PER_DECADE = 100  # to the factor of ten: 2.3 % from one to the next
_DECADES = range(-4, 6)  # 0.1 ms to 28 hours
_MERGE_FACTORS = (1, 2, 4, 5, 10, 20, 25, 50)
_MAX_COLUMNS = 60
_MIN_SPAN = 80  # a factor of six is to be seen, though all answers were alike


class DurationHistogram:
    """How long things took: a histogram in steps of 2.3 %, however many there are."""

    def __init__(self) -> None:
        self._counts = [0] * (_BUCKETS_PER_DECADE * len(_DECADES))
        self._minimum = math.inf
        self._maximum = 0.0

    def add(self, seconds: float) -> None:
        """One more; nothing takes no time at all."""
        if not 0 < seconds < math.inf:
            return
        place = int((math.log10(seconds) - _DECADES.start) * _BUCKETS_PER_DECADE)
        self._counts[min(max(place, 0), len(self._counts) - 1)] += 1
        self._minimum = min(self._minimum, seconds)
        self._maximum = max(self._maximum, seconds)

    def stats(self) -> DurationStats | None:
        """Quantiles within 2.3 %, the exact extremes, and a histogram of at most 60 columns."""
        total = sum(self._counts)
        if not total:
            return None
        p50, p90, p99 = (self._quantile(share, total) for share in (0.5, 0.9, 0.99))
        used = [place for place, count in enumerate(self._counts) if count]
        low, high = used[0], used[-1]
        if high - low < _MIN_SPAN:
            low = max(low - (_MIN_SPAN - high + low) // 2, 0)
            high = min(low + _MIN_SPAN, len(self._counts) - 1)
        span = high - low + 1
        most = min(_MAX_COLUMNS, max(8, 2 * math.isqrt(total)))  # few things need few columns
        by = next((by for by in _MERGE_FACTORS if span / by <= most), _MERGE_FACTORS[-1])
        columns = [0] * (high // by - low // by + 1)
        for place in used:
            columns[place // by - low // by] += self._counts[place]
        begin = 10 ** (_DECADES.start + low // by * by / _BUCKETS_PER_DECADE)
        return DurationStats(
            total, p50, p90, p99, self._minimum, self._maximum, begin, 10 ** (by / _BUCKETS_PER_DECADE), tuple(columns)
        )

    def _quantile(self, share: float, total: int) -> float:
        rank = share * total
        before = 0
        for place, count in enumerate(self._counts):
            if count and before + count >= rank:
                within = 10 ** (_DECADES.start + (place + (rank - before) / count) / _BUCKETS_PER_DECADE)
                return min(max(within, self._minimum), self._maximum)
            before += count
        return self._maximum  # pragma: no cover  # only where sums of floats are no sums


class ReasonKey(NamedTuple):
    """What a trouble is known by."""

    outcome: str
    text: str


_MAX_REASONS = 2_000
_LINES_PER_REASON = 3


class ReasonCounter:
    """Why things went wrong, how often, and the first lines of each.

    Counts are exact for up to 2,000 different ones. Beyond that the rarest are put together, over and over, so that
    one that comes often is found whenever it begins.
    """

    def __init__(self) -> None:
        self._counts: dict[ReasonKey, list[int]] = {}
        self.other_count: int = 0
        """Those of the rarest, which are not told apart any more."""

    def add(self, outcome: str, text: str, line: int) -> None:
        """One more."""
        reason = ReasonKey(outcome, text)
        found = self._counts.get(reason)
        if found is None:
            if len(self._counts) >= _MAX_REASONS:
                self._merge_rarest()
            self._counts[reason] = [1, line]
            return
        found[0] += 1
        if len(found) <= _LINES_PER_REASON:
            found.append(line)

    def _merge_rarest(self) -> None:
        kept = sorted(self._counts.items(), key=lambda item: -item[1][0])
        self._counts = dict(kept[: _MAX_REASONS // 2])
        self.other_count += sum(found[0] for _, found in kept[_MAX_REASONS // 2 :])

    def most_common(self) -> list[tuple[ReasonKey, int, tuple[int, ...]]]:
        """All that are told apart, the most frequent first, with the first lines of each."""
        ranked = sorted(self._counts.items(), key=lambda item: (-item[1][0], item[0]))
        return [(reason, count, tuple(lines)) for reason, (count, *lines) in ranked]


class CappedLabels:
    """Names that others give, as countries and channels: a handful; should there be more, the rest has one name."""

    def __init__(self, max_labels: int, overflow_label: str = "others") -> None:
        self._max_labels = max_labels
        self._overflow_label = overflow_label
        self._known: set[str] = set()

    def __call__(self, name: str) -> str:
        """The name to count it under."""
        if name in self._known:
            return name
        if len(self._known) >= self._max_labels:
            return self._overflow_label
        self._known.add(name)
        return name
