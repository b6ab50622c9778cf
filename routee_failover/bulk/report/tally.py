"""What is counted on the way through a ledger, each in memory that does not grow with it."""

import math
from typing import NamedTuple

from .values import Durations

_FINE = 100  # to the factor of ten: 2.3 % from one to the next
_DECADES = range(-4, 6)  # 0.1 ms to 28 hours
_COARSER = (1, 2, 4, 5, 10, 20, 25, 50)
_MOST_COLUMNS = 60
_LEAST_SPAN = 80  # a factor of six is to be seen, though all answers were alike


class Lengths:
    """How long things took: a histogram in steps of 2.3 %, however many there are."""

    def __init__(self) -> None:
        self._counts = [0] * (_FINE * len(_DECADES))
        self._least = math.inf
        self._most = 0.0

    def add(self, seconds: float) -> None:
        """One more; nothing takes no time at all."""
        if not 0 < seconds < math.inf:
            return
        place = int((math.log10(seconds) - _DECADES.start) * _FINE)
        self._counts[min(max(place, 0), len(self._counts) - 1)] += 1
        self._least = min(self._least, seconds)
        self._most = max(self._most, seconds)

    def durations(self) -> Durations | None:
        """Quantiles within 2.3 %, the exact extremes, and a histogram of at most 60 columns."""
        total = sum(self._counts)
        if not total:
            return None
        p50, p90, p99 = (self._quantile(share, total) for share in (0.5, 0.9, 0.99))
        used = [place for place, count in enumerate(self._counts) if count]
        low, high = used[0], used[-1]
        if high - low < _LEAST_SPAN:
            low = max(low - (_LEAST_SPAN - high + low) // 2, 0)
            high = min(low + _LEAST_SPAN, len(self._counts) - 1)
        span = high - low + 1
        most = min(_MOST_COLUMNS, max(8, 2 * math.isqrt(total)))  # few things need few columns
        by = next((by for by in _COARSER if span / by <= most), _COARSER[-1])
        columns = [0] * (high // by - low // by + 1)
        for place in used:
            columns[place // by - low // by] += self._counts[place]
        begin = 10 ** (_DECADES.start + low // by * by / _FINE)
        return Durations(total, p50, p90, p99, self._least, self._most, begin, 10 ** (by / _FINE), tuple(columns))

    def _quantile(self, share: float, total: int) -> float:
        rank = share * total
        before = 0
        for place, count in enumerate(self._counts):
            if count and before + count >= rank:
                within = 10 ** (_DECADES.start + (place + (rank - before) / count) / _FINE)
                return min(max(within, self._least), self._most)
            before += count
        return self._most  # pragma: no cover  # only where sums of floats are no sums


class Reason(NamedTuple):
    """What a trouble is known by."""

    outcome: str
    text: str


_MOST_REASONS = 2_000
_LINES = 3


class Reasons:
    """Why things went wrong, how often, and the first lines of each.

    Counts are exact for up to 2,000 different ones. Beyond that the rarest are put together, over and over, so that
    one that comes often is found whenever it begins.
    """

    def __init__(self) -> None:
        self._found: dict[Reason, list[int]] = {}
        self.rest: int = 0
        """Those of the rarest, which are not told apart any more."""

    def add(self, outcome: str, text: str, line: int) -> None:
        """One more."""
        reason = Reason(outcome, text)
        found = self._found.get(reason)
        if found is None:
            if len(self._found) >= _MOST_REASONS:
                self._forget()
            self._found[reason] = [1, line]
            return
        found[0] += 1
        if len(found) <= _LINES:
            found.append(line)

    def _forget(self) -> None:
        kept = sorted(self._found.items(), key=lambda item: -item[1][0])
        self._found = dict(kept[: _MOST_REASONS // 2])
        self.rest += sum(found[0] for _, found in kept[_MOST_REASONS // 2 :])

    def worst(self) -> list[tuple[Reason, int, tuple[int, ...]]]:
        """All that are told apart, the most frequent first, with the first lines of each."""
        ranked = sorted(self._found.items(), key=lambda item: (-item[1][0], item[0]))
        return [(reason, count, tuple(lines)) for reason, (count, *lines) in ranked]


class Names:
    """Names that others give, as countries and channels: a handful; should there be more, the rest has one name."""

    def __init__(self, most: int, rest: str = "others") -> None:
        self._most = most
        self._rest = rest
        self._known: set[str] = set()

    def __call__(self, name: str) -> str:
        """The name to count it under."""
        if name in self._known:
            return name
        if len(self._known) >= self._most:
            return self._rest
        self._known.add(name)
        return name
