"""`/sandbox/reset` and `/sandbox/export`: reset the sandbox between tests, and export its state."""

import asyncio
import json

import attrs
from aiohttp import web

from ..context import SandboxContext, json_response, reset_state
from ..contract import JSON_MEDIA
from .flow_views import current_flow_detail
from .local_only import require_local_caller


class SandboxApi:
    """Handlers of `/sandbox/reset` and `/sandbox/export`, for local callers."""

    def __init__(self, context: SandboxContext, *, allow_remote: bool) -> None:
        self._context = context
        self._allow_remote = allow_remote

    def routes(self) -> list[web.RouteDef]:
        """Return the routes and their handlers."""
        return [
            web.post("/sandbox/reset", self.reset),
            web.get("/sandbox/export", self.export, allow_head=False),
        ]

    async def reset(self, request: web.Request) -> web.Response:
        """Delete flows, callbacks and rules, and reset settings and counters; the clock keeps running."""
        require_local_caller(request, self._allow_remote)
        context = self._context
        deleted = len(context.flow_store)
        reset_state(context.lifecycle, context.rules, context.settings, context.counters)
        return json_response({"cleared": deleted})

    async def export(self, request: web.Request) -> web.StreamResponse:
        """Export the state of the sandbox, streamed flow by flow, so that thousands of flows do not block the loop."""
        require_local_caller(request, self._allow_remote)
        context = self._context
        response = web.StreamResponse(headers={"Content-Type": JSON_MEDIA})
        try:
            await response.prepare(request)
            header = {
                "rules": [rule.as_json() for rule in context.rules],
                "clock": {"now": context.clock.now(), "speed": context.clock.speed},
                "counts": attrs.asdict(context.counters),
            }
            await response.write(json.dumps(header)[:-1].encode() + b', "flows": [')
            for number, flow in enumerate(list(context.flow_store)):
                text = json.dumps(current_flow_detail(context.lifecycle, context.callback_dispatcher, flow))
                await response.write(f"{', ' if number else ''}{text}".encode())
                await asyncio.sleep(0)
            await response.write(b"]}")
        except ConnectionResetError:
            pass  # the client has disconnected
        return response
