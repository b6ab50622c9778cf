"""Waits for flows that have yet to come: a test asks for the code before its program has sent it."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import attrs

from .book import AcceptedFlow, FlowBook
from .feed import Feed, FlowAccepted, Lagged, Subscription

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
        with self._events(within) as events:
            found = look()
            while not enough(found) and await events.together():
                found = look()
            return found

    async def _first(
        self, flows: Callable[[], Iterable[AcceptedFlow]], wanted: Wanted, within: float
    ) -> AcceptedFlow | None:
        with self._events(within) as events:
            found = _first_of(flows(), wanted)
            while found is None:
                for event in (happened := await events.together()):
                    match event:
                        case FlowAccepted(flow):
                            found = found or _first_of((flow,), wanted)
                        case Lagged():
                            found = found or _first_of(flows(), wanted)
                        case _:
                            pass
                if not happened:
                    break
            return found

    @contextmanager
    def _events(self, within: float) -> Iterator[Subscription]:
        """What happens within so many real seconds."""
        with self.feed.subscription() as events:
            over = asyncio.get_running_loop().call_later(within, events.close)
            try:
                yield events
            finally:
                over.cancel()


def _first_of(flows: Iterable[AcceptedFlow], wanted: Wanted) -> AcceptedFlow | None:
    return next((flow for flow in flows if wanted(flow)), None)
