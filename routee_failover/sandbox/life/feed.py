"""What happens in the sandbox, told as it happens: to callbacks, to the inbox page, and to whoever waits for a flow."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import attrs

from ..callbacks.records import CallbackRecord
from .book import AcceptedFlow
from .engine import FlowState


@attrs.frozen
class FlowAccepted:
    """A flow was taken."""

    flow: AcceptedFlow
    state: FlowState
    """How it stood at once."""


@attrs.frozen
class FlowChanged:
    """Something became of a flow: a message was sent or took a status, or the flow did."""

    flow: AcceptedFlow
    at: float
    """When, in virtual seconds since it was accepted."""
    state: FlowState
    """How it stood at that moment."""


@attrs.frozen
class CallbackTried:
    """A callback of a flow was posted, or is to be."""

    flow: AcceptedFlow
    callback: CallbackRecord
    """How it stands now, with every attempt."""


@attrs.frozen
class ClockSet:
    """The clock was put forward, or its speed was changed."""


@attrs.frozen
class Cleared:
    """The flows were forgotten."""


@attrs.frozen
class RulesChanged:
    """A rule was made or forgotten."""


@attrs.frozen
class Lagged:
    """A reader was too slow, and events were dropped: it has to look for itself."""


Event = FlowAccepted | FlowChanged | CallbackTried | ClockSet | Cleared | RulesChanged | Lagged
Listener = Callable[[Event], None]

MOST_WAITING = 1_000


class Subscription:
    """The events of one reader, in order, as an async iterator; it ends when the feed is closed."""

    def __init__(self, most_waiting: int) -> None:
        self._most_waiting = most_waiting
        self._waiting: deque[Event] = deque()
        self._arrived = asyncio.Event()
        self._closed = False

    def tell(self, event: Event) -> None:
        """Put an event into the queue; a reader that does not keep up finds `Lagged` in the place of all it missed."""
        if len(self._waiting) >= self._most_waiting:
            self._waiting.clear()
            event = Lagged()
        self._waiting.append(event)
        self._arrived.set()

    def close(self) -> None:
        """Tell nothing more; what waits is still read."""
        self._closed = True
        self._arrived.set()

    async def together(self) -> list[Event]:
        """All events that wait, as soon as there are any; none at the end."""
        await self._some()
        events = list(self._waiting)
        self._waiting.clear()
        return events

    def __aiter__(self) -> "Subscription":
        return self

    async def __anext__(self) -> Event:
        await self._some()
        if not self._waiting:
            raise StopAsyncIteration
        return self._waiting.popleft()

    async def _some(self) -> None:
        while not self._waiting and not self._closed:
            self._arrived.clear()
            await self._arrived.wait()


class Feed:
    """Tells every listener of every event, in the order in which they happen."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        self._subscriptions: list[Subscription] = []

    def publish(self, event: Event) -> None:
        """Tell everybody."""
        for listener in tuple(self._listeners):
            listener(event)

    def listen(self, listener: Listener) -> None:
        """Call this with every event from now on, in the sandbox's own turn: it must be quick."""
        self._listeners.append(listener)

    @contextmanager
    def subscription(self, most_waiting: int = MOST_WAITING) -> Iterator[Subscription]:
        """The events from now on, for one who reads them in its own time."""
        subscription = Subscription(most_waiting)
        self._listeners.append(subscription.tell)
        self._subscriptions.append(subscription)
        try:
            yield subscription
        finally:
            self._listeners.remove(subscription.tell)
            self._subscriptions.remove(subscription)

    def close(self) -> None:
        """End every subscription, so that nobody is kept waiting by a sandbox that stops."""
        for subscription in self._subscriptions:
            subscription.close()
