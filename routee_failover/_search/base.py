"""What both searches share: records that come page by page, in an order that survives cancellation."""

import asyncio
import hashlib
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from .._wire.json import encode_canonical
from ..errors import InvalidSearch, Problem
from ..records.record import JsonObject, Record
from ..secret import SecretBytes
from .cursor import ListCursor

_T = TypeVar("_T", bound=Record)
_A = TypeVar("_A")

DEFAULT_PAGE_SIZE = 50
"""Flows on a page. Routee's own default of 10 asks five times as often; the largest that it takes is not documented,
and a thousand flows would not pass `Config.max_response_size`."""


class FetchPage(Protocol):
    """Asks Routee a question."""

    async def __call__(self, path: str, parse: Callable[[JsonObject], _A], body: SecretBytes | None = None) -> _A:
        """What `read` makes of the answer; it may raise `ValueError` with words that quote nothing of it.

        Raises `NotSent`, `Rejected` or `NoResponse`.
        """
        ...


class ListPage(NamedTuple, Generic[_T]):
    """A page as it is read on the way: where in the list it stands, and its flows."""

    start: int
    stop: float
    """The position after it, infinite where the list ends with it."""
    total: int | None
    page_size: int
    """How many flows the pages of this list hold."""
    records: tuple[_T, ...]


class Search(ABC, Generic[_T]):
    """A search that can be asked as often as one likes; it holds nothing open.

    `async for record in search` goes through all pages. No record comes twice, also while new flows arrive. A flow that
    begins or ceases to match meanwhile may or may not be among them; those that match throughout are, as far as Routee
    tells how long its list is.

    After an error or a cancellation the same iterator (`records = aiter(search)`) goes on where it was. Raises what all
    reading calls raise, and `NoResponse` for pages that make no sense, too: that repeat, or are empty though more follow.
    """

    def __init__(self, page_size: object) -> None:
        self._size = _page_size(page_size)

    def __aiter__(self) -> AsyncIterator[_T]:
        return _RecordIterator(self._fetch_page, self._matches, self._record_key)

    @abstractmethod
    async def _fetch_page(self, start: int, page_size: int | None) -> ListPage[_T]:
        """The page that holds a position, where pages hold as many flows as `step` says, if that is known by now."""

    @abstractmethod
    def _matches(self, record: _T) -> bool:
        """Whether a record is what the search is for."""

    @abstractmethod
    def _id(self, record: _T) -> str | None:
        """What a flow is known by."""

    def _record_key(self, record: _T) -> str:
        """What a flow is known again by: its id, and where Routee leaves that out, all that is said of it."""
        return self._id(record) or hashlib.blake2b(encode_canonical(record.raw)).hexdigest()


class _RecordIterator(AsyncIterator[_T], Generic[_T]):
    """The records of a search, one after the other. What it knows changes only once a page is there."""

    def __init__(
        self,
        fetch_page: Callable[[int, int | None], Any],
        matches: Callable[[_T], bool],
        key: Callable[[_T], str],
    ) -> None:
        self._fetch_page = fetch_page
        self._matches = matches
        self._record_key = key
        self._cursor = ListCursor()
        self._page_size: int | None = None
        self._buffer: deque[_T] = deque()
        self._reading = asyncio.Lock()  # of several who ask at once, one reads a page

    async def __anext__(self) -> _T:
        while not self._buffer:
            async with self._reading:
                if not self._buffer:
                    await self._read_page()
        return self._buffer.popleft()

    async def _read_page(self) -> None:
        at = self._cursor.next_position
        if at is None:
            raise StopAsyncIteration
        leaf: ListPage[_T] = await self._fetch_page(at, self._page_size)
        wanted = [self._matches(record) for record in leaf.records]
        new = self._cursor.record_page(
            leaf.start, leaf.stop, leaf.total, [self._record_key(record) for record in leaf.records]
        )
        self._page_size = leaf.page_size
        found = zip(leaf.records, wanted, new, strict=True)
        self._buffer.extend(record for record, is_wanted, is_new in found if is_wanted and is_new)


def _page_size(value: object) -> int:
    if type(value) is not int or value < 1:
        raise InvalidSearch("search", [Problem(("page_size",), "must be a whole number of at least 1")])
    return value


def validate_page_number(value: object) -> int:
    """A number of a page, counted from 0."""
    if type(value) is not int or value < 0:
        raise InvalidSearch("page", [Problem((), "takes a whole number, counted from 0")])
    return value


def count_flows(answer: JsonObject, key: str, total: int | None) -> int:
    """How many flows a page holds. Raises `ValueError` for a page that is none: reading on would lose some."""
    found: Any = answer.get(key)
    if not isinstance(found, list):
        if total == 0:
            return 0
        raise ValueError(f"has no list of flows ({key})")
    if not all(isinstance(flow, dict) for flow in found):
        raise ValueError("lists a flow that is no object")
    return len(found)
