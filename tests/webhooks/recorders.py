"""Recording observers and handlers for tests of the inbox."""

import asyncio
from collections.abc import Callable
from typing import Any

from routee_failover import CallbackEvent, CallbackInbox
from routee_failover.events import CallbackDropped, CallbackRejected, Event, HandlerFailed


class RecordingObserver:
    """Observer that records its events."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.received = asyncio.Event()
        """Set by every event."""

    def observe(self, event: Event, /) -> None:
        """Record an event."""
        self.events.append(event)
        self.received.set()

    @property
    def dropped(self) -> list[tuple[str | None, str, bool]]:
        """Id, reason and `lost` of each callback that was dropped."""
        return [(e.tracking_id, e.reason, e.lost) for e in self.events if isinstance(e, CallbackDropped)]

    @property
    def failed(self) -> list[tuple[str, str]]:
        """Name and error class of each handler that failed."""
        return [(e.handler, e.error) for e in self.events if isinstance(e, HandlerFailed)]

    @property
    def rejected(self) -> list[int]:
        """Status of each request that a receiver rejected."""
        return [e.status for e in self.events if isinstance(e, CallbackRejected)]


class RecordingHandler:
    """Handler that records its events, and lets a test wait for them."""

    def __init__(self, *inboxes: CallbackInbox) -> None:
        self.events: list[CallbackEvent[Any]] = []
        self._changed = asyncio.Condition()
        for inbox in inboxes:
            inbox.on_flow(self)
            inbox.on_otp(self)
            inbox.on_viber_otp(self)
            inbox.on_inbound(self)

    async def __call__(self, event: CallbackEvent[Any]) -> None:
        """Record an event."""
        async with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    async def wait_until(self, condition: Callable[[list[CallbackEvent[Any]]], object]) -> None:
        """Wait until a condition holds for the recorded events."""
        async with asyncio.timeout(10), self._changed:
            await self._changed.wait_for(lambda: condition(self.events))

    async def wait_for(self, number: int) -> list[CallbackEvent[Any]]:
        """Wait for a number of events, and return all that are recorded."""
        await self.wait_until(lambda events: len(events) >= number)
        return self.events

    @property
    def statuses(self) -> list[str]:
        """Status of each flow, or text of each inbound message."""
        return [str(getattr(e.record, "status", None) or getattr(e.record, "message", None)) for e in self.events]
