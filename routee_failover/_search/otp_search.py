"""The list of failover OTP flows (https://docs.routee.net/docs/quick-reference)."""

import functools
import math
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import attrs

from ..errors import InvalidSearch, Problem
from ..records import FlowStatus, OtpPage, OtpRecord
from ..records.record import JsonObject
from ..secret import mask_phone
from .base import FetchPage, ListPage, Search, count_flows, validate_page_number
from .filters import enum_problem, text_problem


class OtpSearch(Search[OtpRecord]):
    """A search for failover OTP flows: `async for` goes through all of them, `page` through one page."""

    def __init__(self, fetch: FetchPage, terms: Mapping[str, Any], page_size: int) -> None:
        super().__init__(page_size)
        self._fetch = fetch
        self._terms = _validated(terms)

    def __repr__(self) -> str:
        shown = {name: mask_phone(term) if name == "phone_number" else repr(term) for name, term in self._terms.items()}
        return f"OtpSearch({', '.join(f'{name}={term}' for name, term in shown.items())})"

    async def page(self, number: int) -> OtpPage:
        """One page, counted from 0; past the last one it is empty.

        What is sent between two pages may push a flow from one to the other: whoever pages by hand may meet it twice.
        """
        page = await self._request_page(validate_page_number(number) * self._size)
        return attrs.evolve(page, records=tuple(filter(self._matches, page.records)))

    async def _request_page(self, offset: int) -> OtpPage:
        query = urlencode({**self._terms, "limit": self._size, "offset": offset}, quote_via=quote)
        return await self._fetch(f"/failover-otp/otp/failover?{query}", functools.partial(_read_page, offset=offset))

    async def _fetch_page(self, start: int, page_size: int | None) -> ListPage[OtpRecord]:
        page = await self._request_page(start)
        stop = start + len(page.records) if _more_follow(page, start) else math.inf
        return ListPage(
            start=start, stop=stop, total=page.total, page_size=page_size or self._size, records=page.records
        )

    def _matches(self, record: OtpRecord) -> bool:
        """A flow that speaks against the terms itself is left out; its label it does not tell."""
        said = {"status": record.status, "flow_id": record.flow_id}
        return not any(
            word is not None and name in self._terms and word.lower() != self._terms[name].lower()
            for name, word in said.items()
        )

    def _id(self, record: OtpRecord) -> str | None:
        return record.flow_id


def _validated(terms: Mapping[str, Any]) -> dict[str, str]:
    given = {name: term for name, term in terms.items() if term is not None}
    problems: list[Problem] = []
    for name, term in given.items():
        why = text_problem(term)
        if why is None and name == "status":
            why = enum_problem(FlowStatus, term)
        if why is not None:
            problems.append(Problem((name,), why))
    if problems:
        raise InvalidSearch("search_otp", problems)
    if "status" in given:
        given["status"] = FlowStatus(given["status"]).value
    if "phone_number" in given:
        # Inferred: this service writes numbers without their plus, so that it is likely to look for them like that.
        given["phone_number"] = given["phone_number"].strip().removeprefix("+")
    return given


def _read_page(answer: JsonObject, *, offset: int) -> OtpPage:
    """The page in an answer. Raises `ValueError` for one that cannot be what was asked for."""
    page = OtpPage.from_dict(answer)
    count = count_flows(answer, "results", page.total)
    if offset > 0 and page.offset == 0:
        raise ValueError(f"begins with the first flow, and {offset} were to be left out")
    if not count and _more_follow(page, offset):
        raise ValueError("says that more flows follow, and holds none")
    return page


def _more_follow(page: OtpPage, offset: int) -> bool:
    """Whether flows follow after a page; where Routee does not say how many there are, one has to look."""
    return bool(page.records) if page.total is None else offset + len(page.records) < page.total
