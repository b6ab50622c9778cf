"""`/sandbox/rules` and `/sandbox/settings`: rules that script the sandbox, and settings, for tests in any language."""

from typing import Any

from aiohttp import web

from ..api.errors import FAILOVER_ERRORS, ApiError
from ..context import SandboxContext, json_response
from ..simulation.rules import MAX_RULES, TooManyRules
from .local_only import require_local_caller


class RulesApi:
    """Handlers of `/sandbox/rules` and `/sandbox/settings`, for local callers."""

    def __init__(self, context: SandboxContext, *, allow_remote: bool) -> None:
        self._context = context
        self._allow_remote = allow_remote

    def routes(self) -> list[web.RouteDef]:
        """Return the routes and their handlers."""
        return [
            web.get("/sandbox/rules", self.list_rules, allow_head=False),
            web.post("/sandbox/rules", self.add_rule),
            web.delete("/sandbox/rules", self.clear_rules),
            web.delete("/sandbox/rules/{id}", self.remove_rule),
            web.get("/sandbox/settings", self.get_settings, allow_head=False),
            web.post("/sandbox/settings", self.change_settings),
        ]

    async def list_rules(self, request: web.Request) -> web.Response:
        """Return the rules, newest first."""
        require_local_caller(request, self._allow_remote)
        return self._rules_response()

    async def add_rule(self, request: web.Request) -> web.Response:
        """Add a rule before all others."""
        require_local_caller(request, self._allow_remote)
        definition: Any = await self._context.read_body(request, "addSandboxRule", FAILOVER_ERRORS, "Rule")
        try:
            return json_response(self._context.rules.add(definition).as_json())
        except TooManyRules:
            message = f"There are {MAX_RULES} rules, the maximum: remove some first"
            raise ApiError(409, {"code": "409000000", "developerMessage": message}) from None

    async def clear_rules(self, request: web.Request) -> web.Response:
        """Remove all rules."""
        require_local_caller(request, self._allow_remote)
        self._context.rules.clear()
        return self._rules_response()

    async def remove_rule(self, request: web.Request) -> web.Response:
        """Remove one rule."""
        require_local_caller(request, self._allow_remote)
        if not self._context.rules.remove(request.match_info["id"]):
            raise FAILOVER_ERRORS.not_found("The rule")
        return self._rules_response()

    def _rules_response(self) -> web.Response:
        return json_response({"rules": [rule.as_json() for rule in self._context.rules]})

    async def get_settings(self, request: web.Request) -> web.Response:
        """Return the settings."""
        require_local_caller(request, self._allow_remote)
        return json_response({"searchLag": self._context.settings.search_lag})

    async def change_settings(self, request: web.Request) -> web.Response:
        """Change settings."""
        require_local_caller(request, self._allow_remote)
        change: Any = await self._context.read_body(request, "setSandboxSettings", FAILOVER_ERRORS, "Settings")
        self._context.settings.search_lag = change.get("searchLag", self._context.settings.search_lag)
        return json_response({"searchLag": self._context.settings.search_lag})
