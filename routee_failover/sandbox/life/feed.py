"""What happens in the sandbox, told as it happens: to callbacks, to the inbox page, and to whoever waits for a flow."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import attrs

from .book import AcceptedFlow
from .engine import FlowState


@attrs.frozen
class FlowAccepted:
    """A flow was taken."""

    flow: AcceptedFlow


@attrs.frozen
class FlowChanged:
    """Something became of a flow: a message was sent or took a status, or the flow did."""

    flow: AcceptedFlow
    at: float
    """When, in virtual seconds since it was accepted."""
    state: FlowState
    """How it stood at that moment."""


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


Event = FlowAccepted | FlowChanged | ClockSet | Cleared | RulesChanged | Lagged
Listener = Callable[[Event], None]

MOST_WAITING = 1_000


class Subscription:
    """The events of one reader, in order, as an async iterator."""

    def __init__(self, most_waiting: int) -> None:
        self._most_waiting = most_waiting
        self._waiting: deque[Event] = deque()
        self._arrived = asyncio.Event()

    def tell(self, event: Event) -> None:
        """Put an event into the queue; a reader that does not keep up finds `Lagged` in the place of all it missed."""
        if len(self._waiting) >= self._most_waiting:
            self._waiting.clear()
            event = Lagged()
        self._waiting.append(event)
        self._arrived.set()

    def __aiter__(self) -> "Subscription":
        return self

    async def __anext__(self) -> Event:
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        return self._waiting.popleft()


class Feed:
    """Tells every listener of every event, in the order in which they happen."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

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
        try:
            yield subscription
        finally:
            self._listeners.remove(subscription.tell)
