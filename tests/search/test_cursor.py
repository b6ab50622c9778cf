"""The way through a list that changes while it is read: nothing twice, nothing lost that was there all the time."""

import math
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routee_failover import NoResponse
from routee_failover._search import cursor
from routee_failover._search.cursor import MAX_PAGES_WITHOUT_NEW, ListCursor

Change = tuple[Literal["join", "leave"], list[int]]


class Reading:
    """A list of Routee's that is read by a course, page after page."""

    def __init__(self, length: int, step: int, *, pages: bool, tells_total: bool) -> None:
        self.flows = [f"f-{number}" for number in range(length)]
        self.always = set(self.flows)
        """Those that have been in the list all the time."""
        self.told: list[str] = []
        self.course = ListCursor()
        self.requests = 0
        self._step = step
        self._pages = pages
        self._tells_total = tells_total
        self._newest = length

    def read(self) -> bool:
        """Read a page; `False` where there is none left."""
        at = self.course.next_position
        if at is None:
            return False
        self.requests += 1
        start = at // self._step * self._step if self._pages else at
        page = self.flows[start : start + self._step]
        more = start + self._step < len(self.flows) if self._tells_total else bool(page)
        width = self._step if self._pages else len(page)
        total = len(self.flows) if self._tells_total else None
        new = self.course.record_page(start, start + width if more else math.inf, total, page)
        self.told += [flow for flow, is_new in zip(page, new, strict=True) if is_new]
        return True

    def change(self, change: Change) -> None:
        """Flows begin to match, anywhere in the list, or cease to."""
        kind, places = change
        for place in places:
            if kind == "join":
                self.flows.insert(place % (len(self.flows) + 1), f"f-{self._newest}")
                self._newest += 1
            elif self.flows:
                self.always.discard(self.flows.pop(place % len(self.flows)))


PLACES = st.lists(st.integers(0, 1000), max_size=6)
CHANGES = st.lists(st.tuples(st.sampled_from(["join", "leave"]), PLACES), max_size=15)
SHAPES = {"length": st.integers(0, 40), "step": st.integers(1, 9), "pages": st.booleans()}


@given(changes=CHANGES, **SHAPES)
def test_what_is_there_all_the_time_is_told_once(length: int, step: int, pages: bool, changes: list[Change]) -> None:
    """Whatever joins the list or leaves it between two pages, nobody comes twice and nobody who stays is missed."""
    reading = Reading(length, step, pages=pages, tells_total=True)
    for change in changes:
        reading.read()
        reading.change(change)
    while reading.read():
        pass
    assert len(reading.told) == len(set(reading.told))
    assert reading.always <= set(reading.told)


@given(
    changes=st.lists(st.lists(st.tuples(st.sampled_from(["join", "leave"]), PLACES), max_size=4), max_size=10), **SHAPES
)
def test_nothing_is_told_twice_whatever_happens(
    length: int, step: int, pages: bool, changes: list[list[Change]]
) -> None:
    """Where flows join and leave at once, or Routee does not tell the length, still nobody comes twice, and it ends."""
    for tells_total in (True, False):
        reading = Reading(length, step, pages=pages, tells_total=tells_total)
        for several in changes:
            reading.read()
            for change in several:
                reading.change(change)
        while reading.read():
            pass
        assert len(reading.told) == len(set(reading.told))


@pytest.mark.parametrize("tells_total", [True, False])
def test_a_list_that_stands_still_is_read_once(tells_total: bool) -> None:
    """A thousand flows on pages of fifty cost twenty requests, and one more where only an empty page tells the end."""
    reading = Reading(1000, 50, pages=True, tells_total=tells_total)
    while reading.read():
        pass
    assert reading.told == reading.flows
    assert reading.requests == (20 if tells_total else 21)


def test_a_list_that_keeps_shrinking_is_read_at_most_three_times() -> None:
    """Where a flow leaves between any two pages, what it pulls forward is read again, and the course gets ahead."""
    reading = Reading(1000, 50, pages=True, tells_total=True)
    while reading.read():
        reading.change(("leave", [0]))
    assert reading.always <= set(reading.told)
    assert reading.requests <= 60


def test_pages_that_repeat_end_in_an_error() -> None:
    """A server that gives the same page whatever it is asked for is not asked forever."""
    read = ListCursor()

    def take(page: int) -> None:
        read.record_page(page * 2, page * 2 + 2, None, ["a", "b"])

    for page in range(MAX_PAGES_WITHOUT_NEW + 1):
        take(page)
    with pytest.raises(NoResponse, match="10 pages in a row held nothing new"):
        take(MAX_PAGES_WITHOUT_NEW + 1)


def test_a_length_that_is_never_the_same_ends_in_an_error() -> None:
    """A server that tells another length each time has the reader go back and forth, but not forever."""
    read = ListCursor()

    def go_on() -> None:
        for turn in range(1000):
            at = read.next_position
            assert at is not None
            start = at // 5 * 5
            read.record_page(start, start + 5, 1000 - turn % 2 * 7, [f"f-{start + place}" for place in range(5)])

    with pytest.raises(NoResponse, match="another length"):
        go_on()


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only so many flows are known again; memory does not grow with the list."""
    monkeypatch.setattr(cursor, "MAX_REMEMBERED_FLOWS", 3)
    read = ListCursor()
    assert read.record_page(0, 5, None, list("abcde")) == [True] * 5
    assert read.record_page(5, 10, None, list("edfa")) == [False, False, True, True]
    assert len(read._seen) == 3
