"""Index of entries whose leases may have expired: a few spans of numbers instead of a search of a million rows."""

from collections import deque

_RESOLUTION = 1.0  # seconds


class LeaseIndex:
    """Spans of entry numbers, with the approximate time at which their leases expire."""

    def __init__(self) -> None:
        self._spans: deque[list[float]] = deque()  # earliest and latest expiry, lowest and highest number

    def add(self, first: int, last: int, expires_at: float) -> None:
        """Add a lease until `expires_at` on the numbers from `first` to `last`, or on some of them."""
        if self._spans and 0 <= expires_at - (span := self._spans[-1])[0] < _RESOLUTION:
            span[1:] = max(span[1], expires_at), min(span[2], first), max(span[3], last)
        else:
            self._spans.append([expires_at, expires_at, first, last])

    def due(self, now: float) -> list[tuple[int, int]]:
        """Return the spans in which a lease may have expired. Spans in which all have expired are removed."""
        due = [span for span in self._spans if span[0] <= now]
        self._spans = deque(span for span in self._spans if span[1] > now)
        return [(int(first), int(last)) for _, _, first, last in due]
