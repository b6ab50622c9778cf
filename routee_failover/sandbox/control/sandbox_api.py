"""The sandbox as a whole: set back to its start between tests, and written out in one document."""

import asyncio
import json

import attrs
from aiohttp import web

from ..contract import JSON_MEDIA
from ..service import Service, answer, start_anew
from .near import refuse_strangers
from .views import full


class SandboxApi:
    """`/sandbox/reset` and `/sandbox/export`, for callers on this machine."""

    def __init__(self, service: Service, *, anyone: bool) -> None:
        self._service = service
        self._anyone = anyone

    def routes(self) -> list[web.RouteDef]:
        """The addresses and their handlers."""
        return [
            web.post("/sandbox/reset", self.reset),
            web.get("/sandbox/export", self.export, allow_head=False),
        ]

    async def reset(self, request: web.Request) -> web.Response:
        """Forget everything, and count from nothing; the clock runs on."""
        refuse_strangers(request, self._anyone)
        service = self._service
        forgotten = len(service.book)
        start_anew(service.journeys, service.rules, service.settings, service.counts)
        return answer({"cleared": forgotten})

    async def export(self, request: web.Request) -> web.StreamResponse:
        """All that the sandbox holds, written as it is read: thousands of flows hold nobody else up."""
        refuse_strangers(request, self._anyone)
        service = self._service
        response = web.StreamResponse(headers={"Content-Type": JSON_MEDIA})
        try:
            await response.prepare(request)
            rest = {
                "rules": [rule.as_json() for rule in service.rules],
                "clock": {"now": service.clock.now(), "speed": service.clock.speed},
                "counts": attrs.asdict(service.counts),
            }
            await response.write(json.dumps(rest)[:-1].encode() + b', "flows": [')
            for number, flow in enumerate(list(service.book)):
                text = json.dumps(full(service.journeys, service.callbacks, flow))
                await response.write(f"{', ' if number else ''}{text}".encode())
                await asyncio.sleep(0)
            await response.write(b"]}")
        except ConnectionResetError:
            pass  # the reader has left
        return response
