"""Where the intents are whose leases may be over: a few numbers, so that nobody looks at a million rows for them."""

from collections import deque

_GRAIN = 1.0  # seconds


class LeaseIndex:
    """Which numbers were claimed until about when."""

    def __init__(self) -> None:
        self._spans: deque[list[float]] = deque()  # earliest and latest end of a lease, least and greatest number

    def add(self, first: int, last: int, expires_at: float) -> None:
        """Numbers from `first` to `last`, or some of them, are held until then."""
        if self._spans and 0 <= expires_at - (span := self._spans[-1])[0] < _GRAIN:
            span[1:] = max(span[1], expires_at), min(span[2], first), max(span[3], last)
        else:
            self._spans.append([expires_at, expires_at, first, last])

    def due(self, now: float) -> list[tuple[int, int]]:
        """The spans in which a lease may be over. Those in which all are, are told once."""
        due = [span for span in self._spans if span[0] <= now]
        self._spans = deque(span for span in self._spans if span[1] > now)
        return [(int(first), int(last)) for _, _, first, last in due]
