"""What happens in the sandbox, told as it happens: to callbacks, to the inbox page, and to whoever waits for a flow."""

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
    """A flow was taken."""

    flow: AcceptedFlow
    state: SimulatedFlowState
    """How it stood at once."""


@attrs.frozen
class FlowChanged:
    """Something became of a flow: a message was sent or took a status, or the flow did."""

    flow: AcceptedFlow
    at: float
    """When, in virtual seconds since it was accepted."""
    state: SimulatedFlowState
    """How it stood at that moment."""


@attrs.frozen
class CallbackUpdated:
    """A callback of a flow was posted, or is to be."""

    flow: AcceptedFlow
    callback: CallbackRecord
    """How it stands now, with every attempt."""


@attrs.frozen
class ClockChanged:
    """The clock was put forward, or its speed was changed."""


@attrs.frozen
class FlowsCleared:
    """The flows were forgotten."""


@attrs.frozen
class RulesChanged:
    """A rule was made or forgotten."""


@attrs.frozen
class SubscriberLagged:
    """A reader was too slow, and events were dropped: it has to look for itself."""


SandboxEvent = (
    FlowAccepted | FlowChanged | CallbackUpdated | ClockChanged | FlowsCleared | RulesChanged | SubscriberLagged
)
Listener = Callable[[SandboxEvent], None]

MAX_PENDING_EVENTS = 1_000


class EventSubscription:
    """The events of one reader, in order, as an async iterator; it ends when the feed is closed."""

    def __init__(self, max_pending: int) -> None:
        self._max_pending = max_pending
        self._pending: deque[SandboxEvent] = deque()
        self._arrived = asyncio.Event()
        self._closed = False

    def put(self, event: SandboxEvent) -> None:
        """Put an event into the queue; a reader that does not keep up finds `Lagged` in the place of all it missed."""
        if len(self._pending) >= self._max_pending:
            self._pending.clear()
            event = SubscriberLagged()
        self._pending.append(event)
        self._arrived.set()

    def close(self) -> None:
        """Tell nothing more; what waits is still read."""
        self._closed = True
        self._arrived.set()

    async def next_batch(self) -> list[SandboxEvent]:
        """All events that wait, as soon as there are any; none at the end."""
        await self._some()
        events = list(self._pending)
        self._pending.clear()
        return events

    def __aiter__(self) -> "EventSubscription":
        return self

    async def __anext__(self) -> SandboxEvent:
        await self._some()
        if not self._pending:
            raise StopAsyncIteration
        return self._pending.popleft()

    async def _some(self) -> None:
        while not self._pending and not self._closed:
            self._arrived.clear()
            await self._arrived.wait()


class EventBus:
    """Tells every listener of every event, in the order in which they happen."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        self._subscriptions: list[EventSubscription] = []

    def publish(self, event: SandboxEvent) -> None:
        """Tell everybody."""
        for listener in tuple(self._listeners):
            listener(event)

    def add_listener(self, listener: Listener) -> None:
        """Call this with every event from now on, in the sandbox's own turn: it must be quick."""
        self._listeners.append(listener)

    @contextmanager
    def subscribe(self, max_pending: int = MAX_PENDING_EVENTS) -> Iterator[EventSubscription]:
        """The events from now on, for one who reads them in its own time."""
        subscription = EventSubscription(max_pending)
        self._listeners.append(subscription.put)
        self._subscriptions.append(subscription)
        try:
            yield subscription
        finally:
            self._listeners.remove(subscription.put)
            self._subscriptions.remove(subscription)

    def close(self) -> None:
        """End every subscription, so that nobody is kept waiting by a sandbox that stops."""
        for subscription in self._subscriptions:
            subscription.close()
