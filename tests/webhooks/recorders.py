"""What tests of the inbox listen with."""

import asyncio
from collections.abc import Callable
from typing import Any

from routee_failover import CallbackEvent, CallbackInbox
from routee_failover.events import CallbackDropped, CallbackRejected, Event, HandlerFailed


class Notes:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.told = asyncio.Event()
        """Set by each event."""

    def observe(self, event: Event, /) -> None:
        """Keep it."""
        self.events.append(event)
        self.told.set()

    @property
    def dropped(self) -> list[tuple[str | None, str, bool]]:
        """Id, reason and loss of each callback that was dropped."""
        return [(e.tracking_id, e.reason, e.lost) for e in self.events if isinstance(e, CallbackDropped)]

    @property
    def failed(self) -> list[tuple[str, str]]:
        """Name and error of each handler that failed."""
        return [(e.handler, e.error) for e in self.events if isinstance(e, HandlerFailed)]

    @property
    def refused(self) -> list[int]:
        """Each status that a receiver refused with."""
        return [e.status for e in self.events if isinstance(e, CallbackRejected)]


class Heard:
    """A handler that keeps its events and can be waited for."""

    def __init__(self, *inboxes: CallbackInbox) -> None:
        self.events: list[CallbackEvent[Any]] = []
        self._news = asyncio.Condition()
        for inbox in inboxes:
            inbox.on_flow(self)
            inbox.on_otp(self)
            inbox.on_inbound(self)

    async def __call__(self, event: CallbackEvent[Any]) -> None:
        """Keep an event."""
        async with self._news:
            self.events.append(event)
            self._news.notify_all()

    async def until(self, enough: Callable[[list[CallbackEvent[Any]]], object]) -> None:
        """Wait for what is wanted to be among the events."""
        async with asyncio.timeout(10), self._news:
            await self._news.wait_for(lambda: enough(self.events))

    async def count(self, number: int) -> list[CallbackEvent[Any]]:
        """The events, once there are so many."""
        await self.until(lambda events: len(events) >= number)
        return self.events

    @property
    def said(self) -> list[str]:
        """The status of each flow, or what a person wrote."""
        return [str(getattr(e.record, "status", None) or getattr(e.record, "message", None)) for e in self.events]
