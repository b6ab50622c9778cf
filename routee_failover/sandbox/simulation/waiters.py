"""Waits for flows that have yet to come: a test asks for the code before its program has sent it."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import attrs

from .event_bus import EventBus, EventSubscription, FlowAccepted, SubscriberLagged
from .flow_store import AcceptedFlow, FlowStore

_T = TypeVar("_T")
FlowPredicate = Callable[[AcceptedFlow], bool]


@attrs.frozen
class FlowWaiter:
    """The flows of a book, and those to come."""

    flow_store: FlowStore
    event_bus: EventBus

    async def wait_for_oldest(self, predicate: FlowPredicate, timeout: float) -> AcceptedFlow | None:
        """The oldest flow that is wanted, or the first to come within so many real seconds."""
        return await self._first(lambda: self.flow_store, predicate, timeout)

    async def wait_for_newest(self, predicate: FlowPredicate, timeout: float) -> AcceptedFlow | None:
        """The newest flow that is wanted, or the first to come within so many real seconds."""
        return await self._first(self.flow_store.newest_first, predicate, timeout)

    async def wait_until(self, read: Callable[[], _T], is_enough: Callable[[_T], bool], timeout: float) -> _T:
        """What there is to see as soon as it is enough, or when so many real seconds are over."""
        with self._events(timeout) as events:
            found = read()
            while not is_enough(found) and await events.next_batch():
                found = read()
            return found

    async def _first(
        self, flows: Callable[[], Iterable[AcceptedFlow]], predicate: FlowPredicate, timeout: float
    ) -> AcceptedFlow | None:
        with self._events(timeout) as events:
            found = first_match(flows(), predicate)
            while found is None:
                for event in (happened := await events.next_batch()):
                    match event:
                        case FlowAccepted(flow):
                            found = found or first_match((flow,), predicate)
                        case SubscriberLagged():
                            found = found or first_match(flows(), predicate)
                        case _:
                            pass
                if not happened:
                    break
            return found

    @contextmanager
    def _events(self, timeout: float) -> Iterator[EventSubscription]:
        """What happens within so many real seconds."""
        with self.event_bus.subscribe() as events:
            over = asyncio.get_running_loop().call_later(timeout, events.close)
            try:
                yield events
            finally:
                over.cancel()


def first_match(flows: Iterable[AcceptedFlow], wanted: FlowPredicate) -> AcceptedFlow | None:
    return next((flow for flow in flows if wanted(flow)), None)
