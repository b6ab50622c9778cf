"""The rules and settings over HTTP: how tests in any language script the sandbox."""

from typing import Any

from aiohttp import web

from ..life.rules import MOST_RULES, TooManyRules
from ..routee.refusals import FAILOVER, Refusal
from ..service import Service, answer
from .near import refuse_strangers


class RulesApi:
    """`/sandbox/rules` and `/sandbox/settings`, for callers on this machine."""

    def __init__(self, service: Service, *, anyone: bool) -> None:
        self._service = service
        self._anyone = anyone

    def routes(self) -> list[web.RouteDef]:
        """The addresses and their handlers."""
        return [
            web.get("/sandbox/rules", self.rules, allow_head=False),
            web.post("/sandbox/rules", self.add),
            web.delete("/sandbox/rules", self.clear),
            web.delete("/sandbox/rules/{id}", self.remove),
            web.get("/sandbox/settings", self.settings, allow_head=False),
            web.post("/sandbox/settings", self.change_settings),
        ]

    async def rules(self, request: web.Request) -> web.Response:
        """The rules, newest first."""
        refuse_strangers(request, self._anyone)
        return self._told()

    async def add(self, request: web.Request) -> web.Response:
        """Put a rule before all others."""
        refuse_strangers(request, self._anyone)
        said: Any = await self._service.body(request, "addSandboxRule", FAILOVER, "Rule")
        try:
            return answer(self._service.rules.add(said).as_json())
        except TooManyRules:
            message = f"There are {MOST_RULES} rules, and no room for another: forget some"
            raise Refusal(409, {"code": "409000000", "developerMessage": message}) from None

    async def clear(self, request: web.Request) -> web.Response:
        """Forget all rules."""
        refuse_strangers(request, self._anyone)
        self._service.rules.clear()
        return self._told()

    async def remove(self, request: web.Request) -> web.Response:
        """Forget one rule."""
        refuse_strangers(request, self._anyone)
        if not self._service.rules.remove(request.match_info["id"]):
            raise FAILOVER.not_found("The rule")
        return self._told()

    def _told(self) -> web.Response:
        return answer({"rules": [rule.as_json() for rule in self._service.rules]})

    async def settings(self, request: web.Request) -> web.Response:
        """What is set."""
        refuse_strangers(request, self._anyone)
        return answer({"searchLag": self._service.settings.search_lag})

    async def change_settings(self, request: web.Request) -> web.Response:
        """Set something."""
        refuse_strangers(request, self._anyone)
        change: Any = await self._service.body(request, "setSandboxSettings", FAILOVER, "Settings")
        self._service.settings.search_lag = change.get("searchLag", self._service.settings.search_lag)
        return answer({"searchLag": self._service.settings.search_lag})
