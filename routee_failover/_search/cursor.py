"""Cursor in a paginated list that changes while it is read. Sans-I/O.

A list of flows is read by position, page after page, and meanwhile flows start to match the query or stop matching it.
Those that start push others to later pages, where they appear again: a flow that was seen is recognized by its id and
not returned twice. Those that stop pull others to earlier pages that were already read; the list is shorter then, and
the pages that may hold the missed flows are read again.
"""

import math

from ..errors import NoResponse

MAX_REMEMBERED_FLOWS = 100_000
"""How many seen flows are remembered, which bounds the memory. No flow is returned twice as long as fewer than this are
pushed to later pages at once."""
MAX_PAGES_WITHOUT_NEW = 10
"""How many pages in a row may hold nothing new before reading is aborted."""


class ListCursor:
    """Which positions of a list have been read, and which flows have been seen."""

    def __init__(self) -> None:
        self._read_ranges: list[tuple[float, float]] = []
        """Half-open ranges of positions, sorted and disjoint."""
        self._total: int | None = None
        self._seen: dict[str, None] = {}
        self._furthest = 0.0
        self._first_reads = 0
        """Number of pages that were read for the first time."""
        self._pages_without_new = 0
        self._rereads_without_new = 0

    @property
    def next_position(self) -> int | None:
        """The first position that has not been read, `None` once all have been."""
        position = self._read_ranges[0][1] if self._read_ranges and self._read_ranges[0][0] == 0 else 0
        return None if position == math.inf else int(position)

    def record_page(self, start: int, stop: float, total: int | None, keys: list[str]) -> list[bool]:
        """Record a page, and return for each of its flows whether it is new.

        `stop` is the position after the page, infinite if the list ends with it. `total` is the length of the list, if
        it is known. Raises `NoResponse` when too many pages bring nothing new.
        """
        new = [self._is_new(key) for key in keys]
        self._check_progress(is_reread=start < self._furthest, is_last=stop == math.inf, has_new=any(new))
        if total is not None:
            self._shift(total)
        self._furthest = max(self._furthest, stop)
        self._mark_read(start, stop)
        return new

    def _check_progress(self, *, is_reread: bool, is_last: bool, has_new: bool) -> None:
        if is_reread:
            # Pages that are read again may bring nothing new, but there cannot be more of them than there are pages.
            self._rereads_without_new = 0 if has_new else self._rereads_without_new + 1
        else:
            self._first_reads += 1
            self._pages_without_new = 0 if has_new or is_last else self._pages_without_new + 1
        if self._pages_without_new > MAX_PAGES_WITHOUT_NEW:
            raise _no_progress(
                f"{MAX_PAGES_WITHOUT_NEW} pages in a row held nothing new: they repeat, or flows arrive faster than "
                "they can be read (until=... leaves out those that arrive later)"
            )
        if self._rereads_without_new > MAX_PAGES_WITHOUT_NEW + self._first_reads:
            raise _no_progress("Routee returns another length of the list with each page")

    def _is_new(self, key: str) -> bool:
        if key in self._seen:
            return False
        self._seen[key] = None
        if len(self._seen) > MAX_REMEMBERED_FLOWS:
            del self._seen[next(iter(self._seen))]
        return True

    def _shift(self, total: int) -> None:
        """Apply a new length of the list: what was read before has moved, and it is not known exactly where to."""
        removed = (total if self._total is None else self._total) - total
        self._total = total
        if removed > 0:  # the end of each range may now hold flows that were after it
            moved = [(start, stop - removed) for start, stop in self._read_ranges]
        else:  # flows missed before a range may have moved to its start
            moved = [(start - removed if start else start, stop) for start, stop in self._read_ranges]
        self._read_ranges = [(start, stop) for start, stop in moved if start < stop]

    def _mark_read(self, start: float, stop: float) -> None:
        ranges: list[tuple[float, float]] = []
        for other_start, other_stop in self._read_ranges:
            if other_stop < start or other_start > stop:
                ranges.append((other_start, other_stop))
            else:
                start, stop = min(start, other_start), max(stop, other_stop)
        self._read_ranges = sorted([*ranges, (start, stop)])


def _no_progress(reason: str) -> NoResponse:
    return NoResponse(f"{reason}; nothing was changed", reason=reason)
