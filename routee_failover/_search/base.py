"""Base of both searches: an async iterator over all pages that can be resumed after an error or a cancellation."""

import asyncio
import hashlib
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from .._wire.json_codec import encode_canonical
from ..errors import InvalidSearch, Problem
from ..records.record import JsonObject, Record
from ..secret import Secret, SecretBytes
from .cursor import ListCursor

_T = TypeVar("_T", bound=Record)
_A = TypeVar("_A")

DEFAULT_PAGE_SIZE = 50
"""Flows per page. Routee's own default of 10 needs five times as many requests; its maximum is not documented, and a
thousand flows would exceed `Config.max_response_size`."""


class FetchPage(Protocol):
    """Function that sends a read call to Routee."""

    async def __call__(
        self, path: str | Secret, parse: Callable[[JsonObject], _A], body: SecretBytes | None = None
    ) -> _A:
        """Return what `parse` makes of the response; it may raise `ValueError` with a text that quotes nothing of it.

        Raises `NotSent`, `Rejected` or `NoResponse`.
        """
        ...


class ListPage(NamedTuple, Generic[_T]):
    """A page of a list: its position and its flows."""

    start: int
    stop: float
    """The position after it, infinite if the list ends with it."""
    total: int | None
    page_size: int
    """How many flows each page of this list holds."""
    records: tuple[_T, ...]


class Search(ABC, Generic[_T]):
    """A search that can be iterated any number of times; it holds no resources.

    `async for record in search` iterates over all pages. No record is returned twice, even while new flows arrive. A
    flow that starts or stops matching meanwhile may or may not be returned; one that matches throughout is returned, as
    far as Routee reports the length of its list.

    After an error or a cancellation the same iterator (`records = aiter(search)`) resumes where it was. Raises as every
    read call does, and `NoResponse` also for invalid pages: pages that repeat, or that are empty though more follow.
    """

    def __init__(self, page_size: object) -> None:
        self._size = _page_size(page_size)

    def __aiter__(self) -> AsyncIterator[_T]:
        return _RecordIterator(self._fetch_page, self._matches, self._record_key)

    @abstractmethod
    async def _fetch_page(self, start: int, page_size: int | None) -> ListPage[_T]:
        """Fetch the page that holds the position `start`; `page_size` is the size of the pages if already known."""

    @abstractmethod
    def _matches(self, record: _T) -> bool:
        """Return whether a record satisfies the search."""

    @abstractmethod
    def _id(self, record: _T) -> str | None:
        """Return the id of a flow, if it has one."""

    def _record_key(self, record: _T) -> str:
        """Return the key that identifies a flow: its id or, if Routee omits that, a hash of the whole record."""
        return self._id(record) or hashlib.blake2b(encode_canonical(record.raw)).hexdigest()


class _RecordIterator(AsyncIterator[_T], Generic[_T]):
    """Iterator over the records of a search. Its state changes only after a page has arrived."""

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
        self._read_lock = asyncio.Lock()  # of concurrent readers, one fetches the page

    async def __anext__(self) -> _T:
        while not self._buffer:
            async with self._read_lock:
                if not self._buffer:
                    await self._read_page()
        return self._buffer.popleft()

    async def _read_page(self) -> None:
        position = self._cursor.next_position
        if position is None:
            raise StopAsyncIteration
        page: ListPage[_T] = await self._fetch_page(position, self._page_size)
        matching = [self._matches(record) for record in page.records]
        new = self._cursor.record_page(
            page.start, page.stop, page.total, [self._record_key(record) for record in page.records]
        )
        self._page_size = page.page_size
        found = zip(page.records, matching, new, strict=True)
        self._buffer.extend(record for record, is_match, is_new in found if is_match and is_new)


def _page_size(value: object) -> int:
    if type(value) is not int or value < 1:
        raise InvalidSearch("search", [Problem(("page_size",), "must be a whole number of at least 1")])
    return value


def validate_page_number(value: object) -> int:
    """Return a page number, counted from 0. Raises `InvalidSearch`."""
    if type(value) is not int or value < 0:
        raise InvalidSearch("page", [Problem((), "takes a whole number, counted from 0")])
    return value


def count_flows(page: JsonObject, key: str, total: int | None) -> int:
    """Return how many flows a page holds. Raises `ValueError` for an invalid page: reading on could skip flows."""
    found: Any = page.get(key)
    if not isinstance(found, list):
        if total == 0:
            return 0
        raise ValueError(f"has no list of flows ({key})")
    if not all(isinstance(flow, dict) for flow in found):
        raise ValueError("lists a flow that is not an object")
    return len(found)
