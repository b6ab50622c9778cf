"""`/openapi.json` and `/sandbox/clock`: the OpenAPI document of the sandbox, and its virtual clock."""

from typing import Any

from aiohttp import web

from ..api.errors import FAILOVER_ERRORS
from ..context import SandboxContext, json_response
from ..simulation.event_bus import ClockChanged
from .local_only import require_local_caller

_ENTITY = "Clock"


class ClockApi:
    """Handlers of `/openapi.json` and `/sandbox/clock`. None needs a token; changes are for local callers only.

    `allow_remote` allows every caller to make changes: sharing a sandbox has to be an explicit choice.
    """

    def __init__(self, context: SandboxContext, *, allow_remote: bool) -> None:
        self._context = context
        self._allow_remote = allow_remote

    def routes(self) -> list[web.RouteDef]:
        """Return the routes and their handlers."""
        return [
            web.get("/openapi.json", self.get_contract, allow_head=False),
            web.get("/sandbox/clock", self.get_clock, allow_head=False),
            web.post("/sandbox/clock", self.set_clock),
        ]

    async def get_contract(self, _request: web.Request) -> web.Response:
        """Return the contract by which every request is validated."""
        return json_response(self._context.contract.document)

    async def get_clock(self, _request: web.Request) -> web.Response:
        """Return the reading and the speed of the virtual clock."""
        return self._clock_response()

    async def set_clock(self, request: web.Request) -> web.Response:
        """Change the speed of the clock, then advance it, as the body asks."""
        require_local_caller(request, self._allow_remote)
        change: Any = await self._context.read_body(request, "setSandboxClock", FAILOVER_ERRORS, _ENTITY)
        if "speed" in change:
            self._context.scheduler.set_speed(float(change["speed"]))
        await self._context.scheduler.advance(float(change.get("advance", 0)))
        self._context.event_bus.publish(ClockChanged())
        return self._clock_response()

    def _clock_response(self) -> web.Response:
        clock = self._context.clock
        return json_response({"now": clock.now(), "speed": clock.speed})
