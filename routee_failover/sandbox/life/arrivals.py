"""Waits for flows that have yet to come: a test asks for the code before its program has sent it."""

import asyncio
from collections.abc import Callable, Iterable

import attrs

from .book import AcceptedFlow, FlowBook
from .feed import Feed, FlowAccepted, Lagged

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

    async def _first(
        self, flows: Callable[[], Iterable[AcceptedFlow]], wanted: Wanted, within: float
    ) -> AcceptedFlow | None:
        with self.feed.subscription() as events:
            found = _first_of(flows(), wanted)
            if found is not None or within <= 0:
                return found
            try:
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
            except TimeoutError:
                pass
            return None


def _first_of(flows: Iterable[AcceptedFlow], wanted: Wanted) -> AcceptedFlow | None:
    return next((flow for flow in flows if wanted(flow)), None)
