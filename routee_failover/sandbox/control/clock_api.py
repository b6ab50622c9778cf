"""What the sandbox has beside Routee's API: its own contract, and its clock, for tests in any language."""

from typing import Any

from aiohttp import web

from ..life.feed import ClockSet
from ..routee.refusals import FAILOVER
from ..service import Service, answer
from .near import refuse_strangers

_ENTITY = "Clock"


class ClockApi:
    """`/openapi.json` and `/sandbox/...`. None of it needs a token; what changes something takes loopback callers only.

    `anyone` lets every caller in: whoever runs a sandbox for others has to say so.
    """

    def __init__(self, service: Service, *, anyone: bool) -> None:
        self._service = service
        self._anyone = anyone

    def routes(self) -> list[web.RouteDef]:
        """The addresses and their handlers."""
        return [
            web.get("/openapi.json", self.contract, allow_head=False),
            web.get("/sandbox/clock", self.clock, allow_head=False),
            web.post("/sandbox/clock", self.set_clock),
        ]

    async def contract(self, _request: web.Request) -> web.Response:
        """The contract that every request is judged by."""
        return answer(self._service.contract.document)

    async def clock(self, _request: web.Request) -> web.Response:
        """What time it is on the virtual clock, and how fast it goes."""
        return self._told()

    async def set_clock(self, request: web.Request) -> web.Response:
        """Put the clock forward, or change its speed, or both: the speed first."""
        refuse_strangers(request, self._anyone)
        change: Any = await self._service.body(request, "setSandboxClock", FAILOVER, _ENTITY)
        if "speed" in change:
            self._service.agenda.set_speed(float(change["speed"]))
        await self._service.agenda.advance(float(change.get("advance", 0)))
        self._service.feed.publish(ClockSet())
        return self._told()

    def _told(self) -> web.Response:
        clock = self._service.clock
        return answer({"now": clock.now(), "speed": clock.speed})
