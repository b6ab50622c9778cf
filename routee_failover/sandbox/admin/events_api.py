"""`/sandbox/events`: the events of the sandbox as server-sent events, for the inbox page and other observers."""

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

HEARTBEAT_SECONDS = 15.0  # so that neither end, nor a proxy between them, mistakes silence for a closed connection
BATCH_INTERVAL_SECONDS = 0.05  # events within it are sent together, and those of one flow as one
MAX_EVENTS_PER_BATCH = 100  # a larger batch is replaced by `lagged`: no reader can use thousands of events a second

_HEADERS = {"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
_RETRY_HINT = b"retry: 1000\n\n"  # milliseconds after which a browser reconnects a broken stream
_HEARTBEAT = b": still here\n\n"


class EventsApi:
    """Handler of `/sandbox/events`, for local callers."""

    def __init__(self, context: SandboxContext, *, allow_remote: bool) -> None:
        self._context = context
        self._allow_remote = allow_remote

    def routes(self) -> list[web.RouteDef]:
        """Return the route and its handler."""
        return [web.get("/sandbox/events", self.stream, allow_head=False)]

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Stream all events from now on, until the client disconnects or the sandbox stops."""
        require_local_caller(request, self._allow_remote)
        response = web.StreamResponse(headers=_HEADERS)
        with self._context.event_bus.subscribe() as events:
            try:
                await response.prepare(request)
                await response.write(_RETRY_HINT)
                await self._send_events(events, response)
            except ConnectionResetError:
                pass  # the client has disconnected
        return response

    async def _send_events(self, events: EventSubscription, response: web.StreamResponse) -> None:
        while True:
            try:
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    batch = await events.next_batch()
            except TimeoutError:
                await response.write(_HEARTBEAT)
                continue
            if not batch:
                return
            await response.write(self._encode_batch(batch))
            await asyncio.sleep(BATCH_INTERVAL_SECONDS)

    def _encode_batch(self, events: Iterable[SandboxEvent]) -> bytes:
        """Return the events as text; of those about one flow or callback only the last, which supersedes the others."""
        latest: dict[str, SandboxEvent] = {}
        for event in events:
            if isinstance(event, FlowsCleared | SubscriberLagged):
                latest.clear()  # earlier events are obsolete
            key = _coalescing_key(event)
            latest.pop(key, None)
            latest[key] = event
        if len(latest) > MAX_EVENTS_PER_BATCH:
            latest = {"lagged": SubscriberLagged()} | {key: latest[key] for key in _KEPT_WHEN_LAGGED if key in latest}
        return b"".join(_encode_event(*self._event_data(event)) for event in latest.values())

    def _event_data(self, event: SandboxEvent) -> tuple[str, dict[str, Any]]:
        match event:
            case FlowAccepted(flow) | FlowChanged(flow):
                current = self._context.flow_store.find(flow.id) or flow
                return "flow", flow_summary(self._context.lifecycle.snapshot(current))
            case CallbackUpdated(flow, record):
                return "callback", {"flowId": flow.id, "callback": callback_view(flow, record)}
            case ClockChanged():
                clock = self._context.clock
                return "clock", {"now": clock.now(), "speed": clock.speed}
            case FlowsCleared():
                return "cleared", {}
            case RulesChanged():
                return "rules", {}
            case SubscriberLagged():  # pragma: no branch  # there are no other events
                return "lagged", {}


def _coalescing_key(event: SandboxEvent) -> str:
    """Return the key of the object that an event is about; a later event with the same key replaces it."""
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
            return "reload"


_KEPT_WHEN_LAGGED = ("clock", "rules")


def _encode_event(name: str, data: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()
