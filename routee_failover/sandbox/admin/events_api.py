"""What happens in the sandbox as server-sent events, for the inbox page and for whoever watches."""

import asyncio
import json
from collections.abc import Iterable
from typing import Any

from aiohttp import web

from ..context import SandboxContext
from ..simulation.event_bus import (
    CallbackUpdated,
    ClockChanged,
    EventSubscription,
    FlowAccepted,
    FlowChanged,
    FlowsCleared,
    RulesChanged,
    SandboxEvent,
    SubscriberLagged,
)
from .callbacks_api import callback_view
from .flow_views import flow_summary
from .local_only import require_local_caller

HEARTBEAT_SECONDS = 15.0  # so that neither end, nor anybody between them, takes silence for an end
BATCH_INTERVAL_SECONDS = 0.05  # what happens within it is told together, and a flow once
MAX_EVENTS_PER_BATCH = (
    100  # where more happens within it, a reader is told to look anew: nobody reads thousands a second
)

_HEADERS = {"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
_HELLO = b"retry: 1000\n\n"  # milliseconds after which a browser whose connection broke comes back
_STILL_HERE = b": still here\n\n"


class EventsApi:
    """`/sandbox/events`, for callers on this machine."""

    def __init__(self, context: SandboxContext, *, allow_remote: bool) -> None:
        self._context = context
        self._allow_remote = allow_remote

    def routes(self) -> list[web.RouteDef]:
        """The address and its handler."""
        return [web.get("/sandbox/events", self.stream, allow_head=False)]

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Tell everything that happens from now on, until the reader leaves or the sandbox stops."""
        require_local_caller(request, self._allow_remote)
        response = web.StreamResponse(headers=_HEADERS)
        with self._context.event_bus.subscribe() as events:
            try:
                await response.prepare(request)
                await response.write(_HELLO)
                await self._send_events(events, response)
            except ConnectionResetError:
                pass  # the reader has left
        return response

    async def _send_events(self, events: EventSubscription, response: web.StreamResponse) -> None:
        while True:
            try:
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    happened = await events.next_batch()
            except TimeoutError:
                await response.write(_STILL_HERE)
                continue
            if not happened:
                return
            await response.write(self._encode_batch(happened))
            await asyncio.sleep(BATCH_INTERVAL_SECONDS)

    def _encode_batch(self, events: Iterable[SandboxEvent]) -> bytes:
        """The events as text; of the events of one flow or callback the last alone, which says all that they said."""
        last: dict[str, SandboxEvent] = {}
        for event in events:
            if isinstance(event, FlowsCleared | SubscriberLagged):
                last.clear()  # what was told before counts no more
            key = _coalescing_key(event)
            last.pop(key, None)
            last[key] = event
        if len(last) > MAX_EVENTS_PER_BATCH:
            last = {"lagged": SubscriberLagged()} | {key: last[key] for key in _FEW if key in last}
        return b"".join(_encode_event(*self._event_data(event)) for event in last.values())

    def _event_data(self, event: SandboxEvent) -> tuple[str, dict[str, Any]]:
        match event:
            case FlowAccepted(flow) | FlowChanged(flow):
                known = self._context.flow_store.find(flow.id) or flow
                return "flow", flow_summary(self._context.lifecycle.snapshot(known))
            case CallbackUpdated(flow, record):
                return "callback", {"flowId": flow.id, "callback": callback_view(flow, record)}
            case ClockChanged():
                clock = self._context.clock
                return "clock", {"now": clock.now(), "speed": clock.speed}
            case FlowsCleared():
                return "cleared", {}
            case RulesChanged():
                return "rules", {}
            case SubscriberLagged():  # pragma: no branch  # there are no others
                return "lagged", {}


def _coalescing_key(event: SandboxEvent) -> str:
    """What an event is about; a later one about the same takes its place."""
    match event:
        case FlowAccepted(flow) | FlowChanged(flow):
            return flow.id
        case CallbackUpdated(_, record):
            return record.id
        case ClockChanged():
            return "clock"
        case RulesChanged():
            return "rules"
        case FlowsCleared() | SubscriberLagged():  # pragma: no branch
            return "anew"


_FEW = ("clock", "rules")


def _encode_event(name: str, data: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()
