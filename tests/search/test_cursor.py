"""List cursor: no flow is returned twice, and none that is in the list all the time is missed."""

import math
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routee_failover import NoResponse
from routee_failover._search import cursor
from routee_failover._search.cursor import MAX_PAGES_WITHOUT_NEW, ListCursor

Change = tuple[Literal["join", "leave"], list[int]]


class ChangingList:
    """A list of Routee that changes while it is read with a cursor, page after page."""

    def __init__(self, length: int, page_size: int, *, pages: bool, has_total: bool) -> None:
        self.flows = [f"f-{number}" for number in range(length)]
        self.always = set(self.flows)
        """Flows that have been in the list all the time."""
        self.returned: list[str] = []
        self.cursor = ListCursor()
        self.requests = 0
        self._page_size = page_size
        self._pages = pages
        self._has_total = has_total
        self._newest = length

    def read(self) -> bool:
        """Read a page; return False if none is left."""
        position = self.cursor.next_position
        if position is None:
            return False
        self.requests += 1
        start = position // self._page_size * self._page_size if self._pages else position
        page = self.flows[start : start + self._page_size]
        has_more = start + self._page_size < len(self.flows) if self._has_total else bool(page)
        width = self._page_size if self._pages else len(page)
        total = len(self.flows) if self._has_total else None
        new = self.cursor.record_page(start, start + width if has_more else math.inf, total, page)
        self.returned += [flow for flow, is_new in zip(page, new, strict=True) if is_new]
        return True

    def change(self, change: Change) -> None:
        """Add flows anywhere in the list, or remove some."""
        kind, positions = change
        for at_position in positions:
            if kind == "join":
                self.flows.insert(at_position % (len(self.flows) + 1), f"f-{self._newest}")
                self._newest += 1
            elif self.flows:
                self.always.discard(self.flows.pop(at_position % len(self.flows)))


POSITIONS = st.lists(st.integers(0, 1000), max_size=6)
CHANGES = st.lists(st.tuples(st.sampled_from(["join", "leave"]), POSITIONS), max_size=15)
SHAPES = {"length": st.integers(0, 40), "page_size": st.integers(1, 9), "pages": st.booleans()}


@given(changes=CHANGES, **SHAPES)
def test_flow_that_stays_in_the_list_is_returned_once(
    length: int, page_size: int, pages: bool, changes: list[Change]
) -> None:
    """Whatever joins or leaves the list between two pages, no flow is returned twice, and none that stays is missed."""
    flow_list = ChangingList(length, page_size, pages=pages, has_total=True)
    for change in changes:
        flow_list.read()
        flow_list.change(change)
    while flow_list.read():
        pass
    assert len(flow_list.returned) == len(set(flow_list.returned))
    assert flow_list.always <= set(flow_list.returned)


@given(
    changes=st.lists(st.lists(st.tuples(st.sampled_from(["join", "leave"]), POSITIONS), max_size=4), max_size=10),
    **SHAPES,
)
def test_no_flow_is_returned_twice_in_any_schedule_of_changes(
    length: int, page_size: int, pages: bool, changes: list[list[Change]]
) -> None:
    """Even if flows join and leave together, or the length is unknown, no flow is returned twice, and reading ends."""
    for has_total in (True, False):
        flow_list = ChangingList(length, page_size, pages=pages, has_total=has_total)
        for several in changes:
            flow_list.read()
            for change in several:
                flow_list.change(change)
        while flow_list.read():
            pass
        assert len(flow_list.returned) == len(set(flow_list.returned))


@pytest.mark.parametrize("has_total", [True, False])
def test_unchanged_list_is_read_once(has_total: bool) -> None:
    """A thousand flows on pages of fifty need twenty requests, and one more if only an empty page marks the end."""
    flow_list = ChangingList(1000, 50, pages=True, has_total=has_total)
    while flow_list.read():
        pass
    assert flow_list.returned == flow_list.flows
    assert flow_list.requests == (20 if has_total else 21)


def test_shrinking_list_is_read_at_most_three_times() -> None:
    """If a flow leaves between any two pages, pages are read again, and the cursor still makes progress."""
    flow_list = ChangingList(1000, 50, pages=True, has_total=True)
    while flow_list.read():
        flow_list.change(("leave", [0]))
    assert flow_list.always <= set(flow_list.returned)
    assert flow_list.requests <= 60


def test_repeating_pages_raise_no_response() -> None:
    """A server that always returns the same page is not read forever."""
    list_cursor = ListCursor()

    def record(page: int) -> None:
        list_cursor.record_page(page * 2, page * 2 + 2, None, ["a", "b"])

    for page in range(MAX_PAGES_WITHOUT_NEW + 1):
        record(page)
    with pytest.raises(NoResponse, match="10 pages in a row held nothing new"):
        record(MAX_PAGES_WITHOUT_NEW + 1)


def test_alternating_list_length_raises_no_response() -> None:
    """A server that returns another length each time makes the cursor read pages again, but not forever."""
    list_cursor = ListCursor()

    def read_pages() -> None:
        for request in range(1000):
            position = list_cursor.next_position
            assert position is not None
            start = position // 5 * 5
            list_cursor.record_page(
                start, start + 5, 1000 - request % 2 * 7, [f"f-{start + index}" for index in range(5)]
            )

    with pytest.raises(NoResponse, match="another length"):
        read_pages()


def test_number_of_remembered_flows_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only MAX_REMEMBERED_FLOWS flows are recognized; memory does not grow with the list."""
    monkeypatch.setattr(cursor, "MAX_REMEMBERED_FLOWS", 3)
    list_cursor = ListCursor()
    assert list_cursor.record_page(0, 5, None, list("abcde")) == [True] * 5
    assert list_cursor.record_page(5, 10, None, list("edfa")) == [False, False, True, True]
    assert len(list_cursor._seen) == 3
