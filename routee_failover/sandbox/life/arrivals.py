"""Waits for flows that have yet to come: a test asks for the code before its program has sent it."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TypeVar

import attrs

from .book import AcceptedFlow, FlowBook
from .feed import Feed, FlowAccepted, Lagged

_T = TypeVar("_T")
Wanted = Callable[[AcceptedFlow], bool]


@attrs.frozen
class Arrivals:
    """The flows of a book, and those to come."""

    book: FlowBook
    feed: Feed

    async def oldest(self, wanted: Wanted, within: float) -> AcceptedFlow | None:
        """The oldest flow that is wanted, or the first to come within so many real seconds."""
        return await self._first(lambda: self.book, wanted, within)

    async def newest(self, wanted: Wanted, within: float) -> AcceptedFlow | None:
        """The newest flow that is wanted, or the first to come within so many real seconds."""
        return await self._first(self.book.newest_first, wanted, within)

    async def until(self, look: Callable[[], _T], enough: Callable[[_T], bool], within: float) -> _T:
        """What there is to see as soon as it is enough, or when so many real seconds are over."""
        with self.feed.subscription() as events:
            found = look()
            with suppress(TimeoutError):
                async with asyncio.timeout(within):
                    while not enough(found) and await events.together():
                        found = look()
            return found

    async def _first(
        self, flows: Callable[[], Iterable[AcceptedFlow]], wanted: Wanted, within: float
    ) -> AcceptedFlow | None:
        with self.feed.subscription() as events:
            found = _first_of(flows(), wanted)
            if found is not None or within <= 0:
                return found
            with suppress(TimeoutError):
                async with asyncio.timeout(within):
                    async for event in events:
                        match event:
                            case FlowAccepted(flow):
                                found = _first_of((flow,), wanted)
                            case Lagged():
                                found = _first_of(flows(), wanted)
                            case _:
                                continue
                        if found is not None:
                            return found
            return None


def _first_of(flows: Iterable[AcceptedFlow], wanted: Wanted) -> AcceptedFlow | None:
    return next((flow for flow in flows if wanted(flow)), None)
