"""What the sandbox has beside Routee's API: its own contract, and its clock, for tests in any language."""

from typing import Any

from aiohttp import web

from ..api.errors import FAILOVER_ERRORS
from ..context import SandboxContext, json_response
from ..simulation.event_bus import ClockChanged
from .local_only import require_local_caller

_ENTITY = "Clock"


class ClockApi:
    """`/openapi.json` and `/sandbox/...`. None of it needs a token; what changes something takes loopback callers only.

    `anyone` lets every caller in: whoever runs a sandbox for others has to say so.
    """

    def __init__(self, context: SandboxContext, *, allow_remote: bool) -> None:
        self._context = context
        self._allow_remote = allow_remote

    def routes(self) -> list[web.RouteDef]:
        """The addresses and their handlers."""
        return [
            web.get("/openapi.json", self.get_contract, allow_head=False),
            web.get("/sandbox/clock", self.get_clock, allow_head=False),
            web.post("/sandbox/clock", self.set_clock),
        ]

    async def get_contract(self, _request: web.Request) -> web.Response:
        """The contract that every request is judged by."""
        return json_response(self._context.contract.document)

    async def get_clock(self, _request: web.Request) -> web.Response:
        """What time it is on the virtual clock, and how fast it goes."""
        return self._clock_response()

    async def set_clock(self, request: web.Request) -> web.Response:
        """Put the clock forward, or change its speed, or both: the speed first."""
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
