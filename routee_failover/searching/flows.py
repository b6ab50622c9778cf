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
from .filters import Filter, FilterField
from .question import FlowQuestion
from .search import Ask, Leaf, Search, flows_of, page_number


class FlowSearch(Search[FlowRecord]):
    """A search for standard and transactional flows: `async for` goes through all of them, `page` through one page.

    Its range is settled when it is made: without `until` it ends five minutes after that moment, however often and
    late it is read. Whoever wants newer flows makes another one.
    """

    def __init__(self, ask: Ask, question: FlowQuestion, page_size: int) -> None:
        super().__init__(page_size)
        self._ask = ask
        self._question = question
        without_kind = [one for one in question.filters if one.field_name is not FilterField.FLOW_KIND]
        self._by_kind = len(without_kind) < len(question.filters)
        self._body = _body(question.filters)
        self._body_without_kind = _body(without_kind)
        self._kind_refused = False

    def __repr__(self) -> str:
        question = self._question
        return f"FlowSearch(filters={question.filters!r}, since={question.since!r}, until={question.until!r})"

    async def page(self, number: int) -> FlowPage:
        """One page, counted from 0; past the last one it is empty.

        What is sent between two pages may push a flow from one to the other: whoever pages by hand may meet it twice.
        """
        page = await self._page(page_number(number), self._size)
        return attrs.evolve(page, records=tuple(filter(self._wants, page.records)))

    async def _page(self, number: int, size: int) -> FlowPage:
        path, read = self._question.path(number, size), functools.partial(_read_page, number=number, size=size)
        if self._kind_refused or not self._by_kind:
            return await self._ask(path, read, self._body_without_kind)
        try:
            return await self._ask(path, read, self._body)
        except BadRequest:
            # That Routee filters by flowKind stands in its guide to the endpoints and not in its reference.
            page = await self._ask(path, read, self._body_without_kind)
            self._kind_refused = True
            return page

    async def _leaf(self, start: int, step: int | None) -> Leaf[FlowRecord]:
        size = self._size if step is None else step
        number = start // size
        page = await self._page(number, size)
        more = _more_follow(page, number, size)
        count = len(page.records)
        told = page.size if page.size is not None and page.size > 0 else None
        if step is not None and told not in {None, step} and more:
            raise _made_no_sense(f"the pages change their size from {step} to {told}")
        # Routee may have pages of its own size, whether it says so or not.
        step = step or told or (count if more else size)
        return Leaf(
            start=number * step,
            stop=(number + 1) * step if more else math.inf,
            total=page.total_elements,
            step=step,
            records=page.records,
        )

    def _wants(self, record: FlowRecord) -> bool:
        if self._kind_refused and record.flow_kind is None:
            raise _made_no_sense("Routee neither filters by flowKind nor says the flowKind of its flows")
        return self._question.wants(record)

    def _id(self, record: FlowRecord) -> str | None:
        return record.tracking_id


def _body(filters: Iterable[Filter]) -> SecretBytes:
    # That it is a list is inferred from the same call for SMS.
    return SecretBytes(encode([condition.dumped() for condition in filters]))


def _read_page(answer: JsonObject, *, number: int, size: int) -> FlowPage:
    """The page in an answer. Raises `ValueError` for one that cannot be what was asked for."""
    page = FlowPage.from_dict(answer)
    count = flows_of(answer, "content", page.total_elements)
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


def _made_no_sense(cause: str) -> NoResponse:
    return NoResponse(f"{cause}; nothing was changed, ask again", reason=cause)
