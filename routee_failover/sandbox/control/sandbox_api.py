"""The sandbox as a whole: set back to its start between tests, and written out in one document."""

import attrs
from aiohttp import web

from ..service import Service, answer
from .near import refuse_strangers
from .views import detail


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
        forgotten = len(self._service.book)
        self._service.journeys.clear()
        self._service.counts.reset()
        self._service.rules.clear()
        self._service.settings.reset()
        return answer({"cleared": forgotten})

    async def export(self, request: web.Request) -> web.Response:
        """All that the sandbox holds."""
        refuse_strangers(request, self._anyone)
        service = self._service
        return answer(
            {
                "flows": [detail(service.journeys.standing(flow)) for flow in service.book],
                "clock": {"now": service.clock.now(), "speed": service.clock.speed},
                "counts": attrs.asdict(service.counts),
            }
        )
