"""What happens in the sandbox as server-sent events, for the inbox page and for whoever watches."""

import asyncio
import json
from collections.abc import Iterable
from typing import Any

from aiohttp import web

from ..life.feed import (
    CallbackTried,
    Cleared,
    ClockSet,
    Event,
    FlowAccepted,
    FlowChanged,
    Lagged,
    RulesChanged,
    Subscription,
)
from ..service import Service
from .callbacks_api import callback_view
from .near import refuse_strangers
from .views import summary

HEARTBEAT_SECONDS = 15.0  # so that neither end, nor anybody between them, takes silence for an end
PAUSE_SECONDS = 0.05  # what happens within it is told together, and a flow once
MOST_AT_ONCE = 100  # where more happens within it, a reader is told to look anew: nobody reads thousands a second

_HEADERS = {"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
_HELLO = b"retry: 1000\n\n"  # milliseconds after which a browser whose connection broke comes back
_STILL_HERE = b": still here\n\n"


class EventsApi:
    """`/sandbox/events`, for callers on this machine."""

    def __init__(self, service: Service, *, anyone: bool) -> None:
        self._service = service
        self._anyone = anyone

    def routes(self) -> list[web.RouteDef]:
        """The address and its handler."""
        return [web.get("/sandbox/events", self.follow, allow_head=False)]

    async def follow(self, request: web.Request) -> web.StreamResponse:
        """Tell everything that happens from now on, until the reader leaves or the sandbox stops."""
        refuse_strangers(request, self._anyone)
        response = web.StreamResponse(headers=_HEADERS)
        with self._service.feed.subscription() as events:
            try:
                await response.prepare(request)
                await response.write(_HELLO)
                await self._tell(events, response)
            except ConnectionResetError:
                pass  # the reader has left
        return response

    async def _tell(self, events: Subscription, response: web.StreamResponse) -> None:
        while True:
            try:
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    happened = await events.together()
            except TimeoutError:
                await response.write(_STILL_HERE)
                continue
            if not happened:
                return
            await response.write(self._written(happened))
            await asyncio.sleep(PAUSE_SECONDS)

    def _written(self, events: Iterable[Event]) -> bytes:
        """The events as text; of the events of one flow or callback the last alone, which says all that they said."""
        last: dict[str, Event] = {}
        for event in events:
            if isinstance(event, Cleared | Lagged):
                last.clear()  # what was told before counts no more
            key = _key(event)
            last.pop(key, None)
            last[key] = event
        if len(last) > MOST_AT_ONCE:
            last = {"lagged": Lagged()} | {key: last[key] for key in _FEW if key in last}
        return b"".join(_event(*self._told(event)) for event in last.values())

    def _told(self, event: Event) -> tuple[str, dict[str, Any]]:
        match event:
            case FlowAccepted(flow) | FlowChanged(flow):
                known = self._service.book.find(flow.id) or flow
                return "flow", summary(self._service.journeys.standing(known))
            case CallbackTried(flow, record):
                return "callback", {"flowId": flow.id, "callback": callback_view(flow, record)}
            case ClockSet():
                clock = self._service.clock
                return "clock", {"now": clock.now(), "speed": clock.speed}
            case Cleared():
                return "cleared", {}
            case RulesChanged():
                return "rules", {}
            case Lagged():  # pragma: no branch  # there are no others
                return "lagged", {}


def _key(event: Event) -> str:
    """What an event is about; a later one about the same takes its place."""
    match event:
        case FlowAccepted(flow) | FlowChanged(flow):
            return flow.id
        case CallbackTried(_, record):
            return record.id
        case ClockSet():
            return "clock"
        case RulesChanged():
            return "rules"
        case Cleared() | Lagged():  # pragma: no branch
            return "anew"


_FEW = ("clock", "rules")


def _event(name: str, data: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()
