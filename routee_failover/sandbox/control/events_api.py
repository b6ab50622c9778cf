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
PAUSE_SECONDS = 0.05  # what happens within it is told together, and a flow once: thousands a second stay readable

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
        lines: dict[str, bytes] = {}
        for event in events:
            match event:
                case FlowAccepted(flow) | FlowChanged(flow):
                    known = self._service.book.find(flow.id) or flow
                    lines.pop(flow.id, None)
                    lines[flow.id] = _event("flow", summary(self._service.journeys.standing(known)))
                case Cleared():
                    lines = {"cleared": _event("cleared", {})}
                case Lagged():
                    lines = {"lagged": _event("lagged", {})}
                case CallbackTried(flow, record):
                    lines.pop(record.id, None)
                    told = {"flowId": flow.id, "callback": callback_view(flow, record)}
                    lines[record.id] = _event("callback", told)
                case RulesChanged():
                    lines["rules"] = _event("rules", {})
                case ClockSet():  # pragma: no branch  # there are no others
                    clock = self._service.clock
                    lines["clock"] = _event("clock", {"now": clock.now(), "speed": clock.speed})
        return b"".join(lines.values())


def _event(name: str, data: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()
