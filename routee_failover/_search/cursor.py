"""The way through a list that changes while it is read. No I/O happens here.

A list of flows is read by position, page after page, and in the meantime flows begin to match and cease to. Those that
begin push others to later pages, where they are met again: whatever was met is known by its id and not told twice.
Those that cease pull others to earlier pages that were read already; the list is shorter then, and the pages that may
hold what was missed are read again.
"""

import math

from ..errors import NoResponse

MAX_REMEMBERED_FLOWS = 100_000
"""How many flows are known again. Fewer than that may be pushed past the reader at a time; memory stays bounded."""
MAX_PAGES_WITHOUT_NEW = 10
"""How many pages in a row may hold nothing new before the list is given up."""


class ListCursor:
    """Which positions of a list have been read, and which flows have been met."""

    def __init__(self) -> None:
        self._read: list[tuple[float, float]] = []
        """Stretches from a position to the one before another, in order and apart from each other."""
        self._total: int | None = None
        self._seen: dict[str, None] = {}
        self._reached = 0.0
        self._pages = 0
        """How many pages were read for the first time."""
        self._barren = 0
        self._vain = 0

    @property
    def next_position(self) -> int | None:
        """The first position that has not been read, or `None` once all have been."""
        at = self._read[0][1] if self._read and self._read[0][0] == 0 else 0
        return None if at == math.inf else int(at)

    def record_page(self, start: int, stop: float, total: int | None, keys: list[str]) -> list[bool]:
        """Take note of a page, and say of each of its flows whether it is new.

        `stop` is the position after the page, infinite where the list ends with it. `total` is how long the list is, if
        that is known. Raises `NoResponse` where pages keep bringing nothing new.
        """
        new = [self._is_new(key) for key in keys]
        self._check_progress(again=start < self._reached, ends=stop == math.inf, news=any(new))
        if total is not None:
            self._shift(total)
        self._reached = max(self._reached, stop)
        self._mark_read(start, stop)
        return new

    def _check_progress(self, *, again: bool, ends: bool, news: bool) -> None:
        if again:
            # Pages that are read again may well bring nothing new, but not more of them than there are.
            self._vain = 0 if news else self._vain + 1
        else:
            self._pages += 1
            self._barren = 0 if news or ends else self._barren + 1
        if self._barren > MAX_PAGES_WITHOUT_NEW:
            raise _unending(
                f"{MAX_PAGES_WITHOUT_NEW} pages in a row held nothing new: they repeat, or flows arrive faster than they can be "
                "read, and until=... would leave those out"
            )
        if self._vain > MAX_PAGES_WITHOUT_NEW + self._pages:
            raise _unending("Routee tells another length of the list each time that it is asked")

    def _is_new(self, key: str) -> bool:
        if key in self._seen:
            return False
        self._seen[key] = None
        if len(self._seen) > MAX_REMEMBERED_FLOWS:
            del self._seen[next(iter(self._seen))]
        return True

    def _shift(self, total: int) -> None:
        """The list has another length: what was read before stands elsewhere now, nobody knows exactly where."""
        gone = (total if self._total is None else self._total) - total
        self._total = total
        if gone > 0:  # whatever stands here may have been after what was read
            moved = [(start, stop - gone) for start, stop in self._read]
        else:  # whatever was missed before the first of these may stand at their beginning now
            moved = [(start - gone if start else start, stop) for start, stop in self._read]
        self._read = [(start, stop) for start, stop in moved if start < stop]

    def _mark_read(self, start: float, stop: float) -> None:
        apart: list[tuple[float, float]] = []
        for begin, end in self._read:
            if end < start or begin > stop:
                apart.append((begin, end))
            else:
                start, stop = min(start, begin), max(stop, end)
        self._read = sorted([*apart, (start, stop)])


def _unending(cause: str) -> NoResponse:
    return NoResponse(f"{cause}; nothing was changed", reason=cause)
