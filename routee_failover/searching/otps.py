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
from .filters import why_no_text, why_no_word
from .search import Ask, Leaf, Search, flows_of, page_number


class OtpSearch(Search[OtpRecord]):
    """A search for failover OTP flows: `async for` goes through all of them, `page` through one page."""

    def __init__(self, ask: Ask, terms: Mapping[str, Any], page_size: int) -> None:
        super().__init__(page_size)
        self._ask = ask
        self._terms = _checked(terms)

    def __repr__(self) -> str:
        shown = {name: mask_phone(term) if name == "phone_number" else repr(term) for name, term in self._terms.items()}
        return f"OtpSearch({', '.join(f'{name}={term}' for name, term in shown.items())})"

    async def page(self, number: int) -> OtpPage:
        """One page, counted from 0; past the last one it is empty.

        What is sent between two pages may push a flow from one to the other: whoever pages by hand may meet it twice.
        """
        page = await self._page(page_number(number) * self._size)
        return attrs.evolve(page, records=tuple(filter(self._wants, page.records)))

    async def _page(self, offset: int) -> OtpPage:
        query = urlencode({**self._terms, "limit": self._size, "offset": offset}, quote_via=quote)
        return await self._ask(f"/failover-otp/otp/failover?{query}", functools.partial(_read_page, offset=offset))

    async def _leaf(self, start: int, step: int | None) -> Leaf[OtpRecord]:
        page = await self._page(start)
        stop = start + len(page.records) if _more_follow(page, start) else math.inf
        return Leaf(start=start, stop=stop, total=page.total, step=step or self._size, records=page.records)

    def _wants(self, record: OtpRecord) -> bool:
        """A flow that speaks against the terms itself is left out; its label it does not tell."""
        said = {"status": record.status, "flow_id": record.flow_id}
        return not any(
            word is not None and name in self._terms and word.lower() != self._terms[name].lower()
            for name, word in said.items()
        )

    def _id(self, record: OtpRecord) -> str | None:
        return record.flow_id


def _checked(terms: Mapping[str, Any]) -> dict[str, str]:
    given = {name: term for name, term in terms.items() if term is not None}
    problems: list[Problem] = []
    for name, term in given.items():
        why = why_no_text(term)
        if why is None and name == "status":
            why = why_no_word(FlowStatus, term)
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
    count = flows_of(answer, "results", page.total)
    if offset > 0 and page.offset == 0:
        raise ValueError(f"begins with the first flow, and {offset} were to be left out")
    if not count and _more_follow(page, offset):
        raise ValueError("says that more flows follow, and holds none")
    return page


def _more_follow(page: OtpPage, offset: int) -> bool:
    """Whether flows follow after a page; where Routee does not say how many there are, one has to look."""
    return bool(page.records) if page.total is None else offset + len(page.records) < page.total
