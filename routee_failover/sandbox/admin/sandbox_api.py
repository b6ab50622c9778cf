"""The sandbox as a whole: set back to its start between tests, and written out in one document."""

import asyncio
import json

import attrs
from aiohttp import web

from ..context import SandboxContext, json_response, reset_state
from ..contract import JSON_MEDIA
from .flow_views import current_flow_detail
from .local_only import require_local_caller


class SandboxApi:
    """`/sandbox/reset` and `/sandbox/export`, for callers on this machine."""

    def __init__(self, context: SandboxContext, *, allow_remote: bool) -> None:
        self._context = context
        self._allow_remote = allow_remote

    def routes(self) -> list[web.RouteDef]:
        """The addresses and their handlers."""
        return [
            web.post("/sandbox/reset", self.reset),
            web.get("/sandbox/export", self.export, allow_head=False),
        ]

    async def reset(self, request: web.Request) -> web.Response:
        """Forget everything, and count from nothing; the clock runs on."""
        require_local_caller(request, self._allow_remote)
        service = self._context
        forgotten = len(service.flow_store)
        reset_state(service.lifecycle, service.rules, service.settings, service.counters)
        return json_response({"cleared": forgotten})

    async def export(self, request: web.Request) -> web.StreamResponse:
        """All that the sandbox holds, written as it is read: thousands of flows hold nobody else up."""
        require_local_caller(request, self._allow_remote)
        service = self._context
        response = web.StreamResponse(headers={"Content-Type": JSON_MEDIA})
        try:
            await response.prepare(request)
            rest = {
                "rules": [rule.as_json() for rule in service.rules],
                "clock": {"now": service.clock.now(), "speed": service.clock.speed},
                "counts": attrs.asdict(service.counters),
            }
            await response.write(json.dumps(rest)[:-1].encode() + b', "flows": [')
            for number, flow in enumerate(list(service.flow_store)):
                text = json.dumps(current_flow_detail(service.lifecycle, service.callback_dispatcher, flow))
                await response.write(f"{', ' if number else ''}{text}".encode())
                await asyncio.sleep(0)
            await response.write(b"]}")
        except ConnectionResetError:
            pass  # the reader has left
        return response
