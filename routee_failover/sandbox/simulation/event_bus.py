"""Event bus of the sandbox: publishes its events to the callback dispatcher, the inbox page and waiting requests."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import attrs

from ..callbacks.records import CallbackRecord
from .flow_store import AcceptedFlow
from .timeline import SimulatedFlowState


@attrs.frozen
class FlowAccepted:
    """A flow was accepted."""

    flow: AcceptedFlow
    state: SimulatedFlowState
    """Its state at that time."""


@attrs.frozen
class FlowChanged:
    """A flow changed: a message was sent, or the status of a message or of the flow changed."""

    flow: AcceptedFlow
    at: float
    """When, in virtual seconds since it was accepted."""
    state: SimulatedFlowState
    """Its state at that time."""


@attrs.frozen
class CallbackUpdated:
    """A callback of a flow was scheduled, posted or dropped."""

    flow: AcceptedFlow
    callback: CallbackRecord
    """Its current record, with every attempt."""


@attrs.frozen
class ClockChanged:
    """The clock was advanced, or its speed was changed."""


@attrs.frozen
class FlowsCleared:
    """All flows were deleted."""


@attrs.frozen
class RulesChanged:
    """A rule was added or removed."""


@attrs.frozen
class SubscriberLagged:
    """A subscriber was too slow and events were dropped: it has to reload its state."""


SandboxEvent = (
    FlowAccepted | FlowChanged | CallbackUpdated | ClockChanged | FlowsCleared | RulesChanged | SubscriberLagged
)
Listener = Callable[[SandboxEvent], None]

MAX_PENDING_EVENTS = 1_000


class EventSubscription:
    """Event queue of one subscriber, in order, as an async iterator; it ends when the bus is closed."""

    def __init__(self, max_pending: int) -> None:
        self._max_pending = max_pending
        self._pending: deque[SandboxEvent] = deque()
        self._arrived = asyncio.Event()
        self._closed = False

    def put(self, event: SandboxEvent) -> None:
        """Queue an event; when the queue is full, replace it and all queued ones with one `SubscriberLagged`."""
        if len(self._pending) >= self._max_pending:
            self._pending.clear()
            event = SubscriberLagged()
        self._pending.append(event)
        self._arrived.set()

    def close(self) -> None:
        """Accept no more events; queued ones can still be read."""
        self._closed = True
        self._arrived.set()

    async def next_batch(self) -> list[SandboxEvent]:
        """Wait for events and return all that are queued; an empty list once the subscription is closed."""
        await self._wait_for_event()
        events = list(self._pending)
        self._pending.clear()
        return events

    def __aiter__(self) -> "EventSubscription":
        return self

    async def __anext__(self) -> SandboxEvent:
        await self._wait_for_event()
        if not self._pending:
            raise StopAsyncIteration
        return self._pending.popleft()

    async def _wait_for_event(self) -> None:
        while not self._pending and not self._closed:
            self._arrived.clear()
            await self._arrived.wait()


class EventBus:
    """Publishes every event to every listener, in order."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        self._subscriptions: list[EventSubscription] = []

    def publish(self, event: SandboxEvent) -> None:
        """Call every listener with this event."""
        for listener in tuple(self._listeners):
            listener(event)

    def add_listener(self, listener: Listener) -> None:
        """Call `listener` with every event from now on, inside `publish` and in the sandbox's loop: it must be fast."""
        self._listeners.append(listener)

    @contextmanager
    def subscribe(self, max_pending: int = MAX_PENDING_EVENTS) -> Iterator[EventSubscription]:
        """Subscribe to the events from now on, queued for a subscriber that reads them at its own pace."""
        subscription = EventSubscription(max_pending)
        self._listeners.append(subscription.put)
        self._subscriptions.append(subscription)
        try:
            yield subscription
        finally:
            self._listeners.remove(subscription.put)
            self._subscriptions.remove(subscription)

    def close(self) -> None:
        """End every subscription, so that a sandbox that stops keeps no subscriber waiting."""
        for subscription in self._subscriptions:
            subscription.close()
