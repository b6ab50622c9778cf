"""Waiting for flows that have not arrived yet: a test asks for the code before its program has sent it."""

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
    """Waits for flows that match a predicate, among those in the store and those that arrive."""

    flow_store: FlowStore
    event_bus: EventBus

    async def wait_for_oldest(self, predicate: FlowPredicate, timeout: float) -> AcceptedFlow | None:
        """Return the oldest matching flow, or the first to arrive within `timeout` real seconds, or None."""
        return await self._first(lambda: self.flow_store, predicate, timeout)

    async def wait_for_newest(self, predicate: FlowPredicate, timeout: float) -> AcceptedFlow | None:
        """Return the newest matching flow, or the first to arrive within `timeout` real seconds, or None."""
        return await self._first(self.flow_store.newest_first, predicate, timeout)

    async def wait_until(self, read: Callable[[], _T], is_enough: Callable[[_T], bool], timeout: float) -> _T:
        """Return the result of `read` once `is_enough` accepts it, or the latest one after `timeout` real seconds."""
        with self._events(timeout) as events:
            found = read()
            while not is_enough(found) and await events.next_batch():
                found = read()
            return found

    async def _first(
        self, flows: Callable[[], Iterable[AcceptedFlow]], predicate: FlowPredicate, timeout: float
    ) -> AcceptedFlow | None:
        with self._events(timeout) as events:
            found = _first_match(flows(), predicate)
            while found is None:
                for event in (batch := await events.next_batch()):
                    match event:
                        case FlowAccepted(flow):
                            found = found or _first_match((flow,), predicate)
                        case SubscriberLagged():
                            found = found or _first_match(flows(), predicate)
                        case _:
                            pass
                if not batch:
                    break
            return found

    @contextmanager
    def _events(self, timeout: float) -> Iterator[EventSubscription]:
        """Subscribe to the events of the next `timeout` real seconds."""
        with self.event_bus.subscribe() as events:
            timer = asyncio.get_running_loop().call_later(timeout, events.close)
            try:
                yield events
            finally:
                timer.cancel()


def _first_match(flows: Iterable[AcceptedFlow], predicate: FlowPredicate) -> AcceptedFlow | None:
    return next((flow for flow in flows if predicate(flow)), None)
