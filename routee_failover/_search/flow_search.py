"""The search for standard and transactional flows.

https://docs.routee.net/reference/track-multiple-failovers-with-filters-for-a-specific-time-range
"""

import functools
import math
from collections.abc import Iterable

import attrs

from .._wire.json import encode
from ..errors import BadRequest, NoResponse
from ..records import FlowPage, FlowRecord
from ..records.record import JsonObject
from ..secret import SecretBytes
from .base import FetchPage, ListPage, Search, count_flows, validate_page_number
from .filters import Filter, FilterField
from .query import FlowQuery


class FlowSearch(Search[FlowRecord]):
    """A search for standard and transactional flows: `async for` goes through all of them, `page` through one page.

    Its range is settled when it is made: without `until` it ends five minutes after that moment, however often and
    late it is read. Whoever wants newer flows makes another one.
    """

    def __init__(self, fetch: FetchPage, query: FlowQuery, page_size: int) -> None:
        super().__init__(page_size)
        self._fetch = fetch
        self._query = query
        without_kind = [one for one in query.filters if one.field_name is not FilterField.FLOW_KIND]
        self._by_kind = len(without_kind) < len(query.filters)
        self._body = _body(query.filters)
        self._body_without_kind = _body(without_kind)
        self._kind_rejected = False

    def __repr__(self) -> str:
        question = self._query
        return f"FlowSearch(filters={question.filters!r}, since={question.since!r}, until={question.until!r})"

    async def page(self, number: int) -> FlowPage:
        """One page, counted from 0; past the last one it is empty.

        What is sent between two pages may push a flow from one to the other: whoever pages by hand may meet it twice.
        """
        page = await self._request_page(validate_page_number(number), self._size)
        return attrs.evolve(page, records=tuple(filter(self._matches, page.records)))

    async def _request_page(self, number: int, size: int) -> FlowPage:
        path, read = self._query.path(number, size), functools.partial(_read_page, number=number, size=size)
        if self._kind_rejected or not self._by_kind:
            return await self._fetch(path, read, self._body_without_kind)
        try:
            return await self._fetch(path, read, self._body)
        except BadRequest:
            # That Routee filters by flowKind stands in its guide to the endpoints and not in its reference.
            page = await self._fetch(path, read, self._body_without_kind)
            self._kind_rejected = True
            return page

    async def _fetch_page(self, start: int, page_size: int | None) -> ListPage[FlowRecord]:
        size = self._size if page_size is None else page_size
        number = start // size
        page = await self._request_page(number, size)
        more = _more_follow(page, number, size)
        count = len(page.records)
        told = page.size if page.size is not None and page.size > 0 else None
        if page_size is not None and told not in {None, page_size} and more:
            raise _invalid_response(f"the pages change their size from {page_size} to {told}")
        # Routee may have pages of its own size, whether it says so or not.
        page_size = page_size or told or (count if more else size)
        return ListPage(
            start=number * page_size,
            stop=(number + 1) * page_size if more else math.inf,
            total=page.total_elements,
            page_size=page_size,
            records=page.records,
        )

    def _matches(self, record: FlowRecord) -> bool:
        if self._kind_rejected and record.flow_kind is None:
            raise _invalid_response("Routee neither filters by flowKind nor says the flowKind of its flows")
        return self._query.matches(record)

    def _id(self, record: FlowRecord) -> str | None:
        return record.tracking_id


def _body(filters: Iterable[Filter]) -> SecretBytes:
    # That it is a list is inferred from the same call for SMS.
    return SecretBytes(encode([condition.to_json() for condition in filters]))


def _read_page(answer: JsonObject, *, number: int, size: int) -> FlowPage:
    """The page in an answer. Raises `ValueError` for one that cannot be what was asked for."""
    page = FlowPage.from_dict(answer)
    count = count_flows(answer, "content", page.total_elements)
    if number > 0 and page.number == 0:
        raise ValueError(f"is page 0, and page {number} was asked for")
    if not count and _more_follow(page, number, size):
        raise ValueError("says that more flows follow, and holds none")
    return page


def _more_follow(page: FlowPage, number: int, size: int) -> bool:
    """Whether flows follow after a page. Whatever says so is believed; where nothing says anything, one has to look."""
    told = page.size if page.size is not None and page.size > 0 else size
    claims = [
        None if page.last is None else not page.last,
        None if page.total_pages is None else number + 1 < page.total_pages,
        None if page.total_elements is None else (number + 1) * told < page.total_elements,
    ]
    known = [claim for claim in claims if claim is not None]
    return any(known) if known else bool(page.records)


def _invalid_response(cause: str) -> NoResponse:
    return NoResponse(f"{cause}; nothing was changed, ask again", reason=cause)
