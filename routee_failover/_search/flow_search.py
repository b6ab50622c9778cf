"""Search for standard and transactional flows.

https://docs.routee.net/reference/track-multiple-failovers-with-filters-for-a-specific-time-range
"""

import functools
import math
from collections.abc import Iterable

import attrs

from .._wire.json_codec import encode
from ..errors import BadRequest, NoResponse
from ..records import FlowPage, FlowRecord
from ..records.record import JsonObject
from ..secret import SecretBytes
from .base import FetchPage, ListPage, Search, count_flows, validate_page_number
from .filters import Filter, FilterField
from .query import FlowQuery


class FlowSearch(Search[FlowRecord]):
    """A search for standard and transactional flows: `async for` iterates over all of them, `page` returns one page.

    Its time range is fixed when it is created: without `until` it ends five minutes after the creation, however often
    and late it is read. For newer flows, create another search.
    """

    def __init__(self, fetch: FetchPage, query: FlowQuery, page_size: int) -> None:
        super().__init__(page_size)
        self._fetch = fetch
        self._query = query
        without_kind = [condition for condition in query.filters if condition.field_name is not FilterField.FLOW_KIND]
        self._filters_by_kind = len(without_kind) < len(query.filters)
        self._body = _body(query.filters)
        self._body_without_kind = _body(without_kind)
        self._kind_rejected = False

    def __repr__(self) -> str:
        query = self._query
        return f"FlowSearch(filters={query.filters!r}, since={query.since!r}, until={query.until!r})"

    async def page(self, number: int) -> FlowPage:
        """Return one page, counted from 0; a page after the last one is empty.

        A flow that is sent between two calls may push another to the next page, so the same flow may appear on both.
        """
        page = await self._request_page(validate_page_number(number), self._size)
        return attrs.evolve(page, records=tuple(filter(self._matches, page.records)))

    async def _request_page(self, number: int, size: int) -> FlowPage:
        path, parse = self._query.path(number, size), functools.partial(_read_page, number=number, size=size)
        if self._kind_rejected or not self._filters_by_kind:
            return await self._fetch(path, parse, self._body_without_kind)
        try:
            return await self._fetch(path, parse, self._body)
        except BadRequest:
            # The filter by flowKind is in Routee's guide to the endpoints, but not in its reference.
            page = await self._fetch(path, parse, self._body_without_kind)
            self._kind_rejected = True
            return page

    async def _fetch_page(self, start: int, page_size: int | None) -> ListPage[FlowRecord]:
        size = self._size if page_size is None else page_size
        number = start // size
        page = await self._request_page(number, size)
        has_more = _has_more_after(page, number, size)
        count = len(page.records)
        stated_size = page.size if page.size is not None and page.size > 0 else None
        if page_size is not None and stated_size not in {None, page_size} and has_more:
            raise _invalid_response(f"the page size changed from {page_size} to {stated_size}")
        # Routee may use a page size of its own, whether it states it or not.
        page_size = page_size or stated_size or (count if has_more else size)
        return ListPage(
            start=number * page_size,
            stop=(number + 1) * page_size if has_more else math.inf,
            total=page.total_elements,
            page_size=page_size,
            records=page.records,
        )

    def _matches(self, record: FlowRecord) -> bool:
        if self._kind_rejected and record.flow_kind is None:
            raise _invalid_response("Routee neither filters by flowKind nor returns the flowKind of its flows")
        return self._query.matches(record)

    def _id(self, record: FlowRecord) -> str | None:
        return record.tracking_id


def _body(filters: Iterable[Filter]) -> SecretBytes:
    # Inferred from the same call for SMS: the body is a list.
    return SecretBytes(encode([condition.to_json() for condition in filters]))


def _read_page(response: JsonObject, *, number: int, size: int) -> FlowPage:
    """Parse a page. Raises `ValueError` if it cannot be the requested one."""
    page = FlowPage.from_dict(response)
    count = count_flows(response, "content", page.total_elements)
    if number > 0 and page.number == 0:
        raise ValueError(f"is page 0, but page {number} was requested")
    if not count and _has_more_after(page, number, size):
        raise ValueError("says that more flows follow, but holds none")
    return page


def _has_more_after(page: FlowPage, number: int, size: int) -> bool:
    """Return whether flows follow after a page: if any of its fields says so; without such, if it is not empty."""
    stated_size = page.size if page.size is not None and page.size > 0 else size
    indications = [
        None if page.last is None else not page.last,
        None if page.total_pages is None else number + 1 < page.total_pages,
        None if page.total_elements is None else (number + 1) * stated_size < page.total_elements,
    ]
    stated = [indication for indication in indications if indication is not None]
    return any(stated) if stated else bool(page.records)


def _invalid_response(reason: str) -> NoResponse:
    return NoResponse(f"{reason}; nothing was changed, repeat the search", reason=reason)
