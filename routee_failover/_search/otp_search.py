"""Search for failover OTP flows (https://docs.routee.net/docs/quick-reference)."""

import functools
import math
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import attrs

from ..errors import InvalidSearch, Problem
from ..records import FlowStatus, OtpPage, OtpRecord
from ..records.record import JsonObject
from ..secret import Secret, mask_phone
from .base import FetchPage, ListPage, Search, count_flows, validate_page_number
from .filters import enum_problem, text_problem


class OtpSearch(Search[OtpRecord]):
    """A search for failover OTP flows: `async for` iterates over all of them, `page` returns one page."""

    def __init__(self, fetch: FetchPage, terms: Mapping[str, Any], page_size: int) -> None:
        super().__init__(page_size)
        self._fetch = fetch
        self._terms = _validated(terms)

    def __repr__(self) -> str:
        masked = {
            name: mask_phone(term) if name == "phone_number" else repr(term) for name, term in self._terms.items()
        }
        return f"OtpSearch({', '.join(f'{name}={term}' for name, term in masked.items())})"

    async def page(self, number: int) -> OtpPage:
        """Return one page, counted from 0; a page after the last one is empty.

        A flow that is sent between two calls may push another to the next page, so the same flow may appear on both.
        """
        page = await self._request_page(validate_page_number(number) * self._size)
        return attrs.evolve(page, records=tuple(filter(self._matches, page.records)))

    async def _request_page(self, offset: int) -> OtpPage:
        return await self._fetch(self._path(offset), functools.partial(_read_page, offset=offset))

    def _path(self, offset: int) -> Secret:
        """Return path and query string, which may hold a number: no traceback shows them."""
        query = urlencode({**self._terms, "limit": self._size, "offset": offset}, quote_via=quote)
        return Secret(f"/failover-otp/otp/failover?{query}")

    async def _fetch_page(self, start: int, page_size: int | None) -> ListPage[OtpRecord]:
        page = await self._request_page(start)
        stop = start + len(page.records) if _has_more_after(page, start) else math.inf
        return ListPage(
            start=start, stop=stop, total=page.total, page_size=page_size or self._size, records=page.records
        )

    def _matches(self, record: OtpRecord) -> bool:
        """Return whether a record contradicts no term. A record holds no label, so that term cannot be checked."""
        values = {"status": record.status, "flow_id": record.flow_id}
        return not any(
            value is not None and name in self._terms and value.lower() != self._terms[name].lower()
            for name, value in values.items()
        )

    def _id(self, record: OtpRecord) -> str | None:
        return record.flow_id


def _validated(terms: Mapping[str, Any]) -> dict[str, str]:
    given = {name: term for name, term in terms.items() if term is not None}
    problems: list[Problem] = []
    for name, term in given.items():
        reason = text_problem(term)
        if reason is None and name == "status":
            reason = enum_problem(FlowStatus, term)
        if reason is not None:
            problems.append(Problem((name,), reason))
    if problems:
        raise InvalidSearch("search_otp", problems)
    if "status" in given:
        given["status"] = FlowStatus(given["status"]).value
    if "phone_number" in given:
        # Inferred: this service returns numbers without their plus, so it probably stores and compares them like that.
        given["phone_number"] = given["phone_number"].strip().removeprefix("+")
    return given


def _read_page(response: JsonObject, *, offset: int) -> OtpPage:
    """Parse a page. Raises `ValueError` if it cannot be the requested one."""
    page = OtpPage.from_dict(response)
    count = count_flows(response, "results", page.total)
    if offset > 0 and page.offset == 0:
        raise ValueError(f"begins with the first flow, but {offset} flows were to be skipped")
    if not count and _has_more_after(page, offset):
        raise ValueError("says that more flows follow, but holds none")
    return page


def _has_more_after(page: OtpPage, offset: int) -> bool:
    """Return whether flows follow after a page; without a total from Routee, only an empty page is the last."""
    return bool(page.records) if page.total is None else offset + len(page.records) < page.total
