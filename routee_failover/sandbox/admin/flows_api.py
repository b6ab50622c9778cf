"""`/sandbox/flows` and `/sandbox/pin`: list flows, wait for one, act on one, and get the PIN for a number."""

from collections.abc import Callable
from typing import Any

from aiohttp import web

from ..api.errors import FAILOVER_ERRORS
from ..context import SandboxContext, json_response
from ..simulation.flow_store import AcceptedFlow
from ..simulation.lifecycle import ACTION_OUTCOMES, ActionConflict
from ..simulation.number_normalization import normalize_number, strip_number
from ..simulation.waiters import FlowWaiter
from .flow_views import current_flow_detail, flow_summary, pin_for_recipient
from .local_only import require_local_caller
from .message_preview import contains_pin

_ENTITY = "Flows"
_FLOWS, _NEXT, _PIN = "/sandbox/flows", "/sandbox/flows/next", "/sandbox/pin"


class FlowsApi:
    """Handlers of `/sandbox/flows...` and `/sandbox/pin`, for local callers."""

    def __init__(self, context: SandboxContext, *, allow_remote: bool) -> None:
        self._context = context
        self._allow_remote = allow_remote
        self._waiter = FlowWaiter(context.flow_store, context.event_bus)

    def routes(self) -> list[web.RouteDef]:
        """Return the routes and their handlers."""
        return [
            web.get(_FLOWS, self.list_flows, allow_head=False),
            web.delete(_FLOWS, self.clear_flows),
            web.get(_NEXT, self.next_flow, allow_head=False),
            web.get(f"{_FLOWS}/{{id}}", self.get_flow, allow_head=False),
            web.post(f"{_FLOWS}/{{id}}/actions", self.act),
            web.get(_PIN, self.get_pin, allow_head=False),
        ]

    async def list_flows(self, request: web.Request) -> web.Response:
        """Return the newest flows that match all given filters, and the number of matching flows."""
        query = self._query(request, "listSandboxFlows")
        matches = self._filter(query)
        before, limit = query.get("before"), query["limit"]
        total = 0
        page: list[AcceptedFlow] = []
        for flow in self._context.flow_store.newest_first():
            if matches(flow):
                total += 1
                if len(page) < limit and (before is None or flow.number < before):
                    page.append(flow)
        return json_response({"total": total, "flows": [self._summary(flow) for flow in page]})

    async def next_flow(self, request: web.Request) -> web.Response:
        """Return the oldest matching flow after the flow number `after`, waiting for one if there is none yet."""
        query = self._query(request, "nextSandboxFlow")
        flow = await self._waiter.wait_for_oldest(_wait_predicate(query), query["timeout"])
        if flow is None:
            raise FAILOVER_ERRORS.not_found("A matching flow")
        return self._detail_response(flow)

    async def get_flow(self, request: web.Request) -> web.Response:
        """Return the full detail of one flow."""
        require_local_caller(request, self._allow_remote)
        return self._detail_response(self._find(request))

    async def act(self, request: web.Request) -> web.Response:
        """Perform an action on a flow: force the outcome of a message, reply to one, or redeliver a callback."""
        require_local_caller(request, self._allow_remote)
        command: Any = await self._context.read_body(request, "actOnSandboxFlow", FAILOVER_ERRORS, _ENTITY)
        flow = self._find(request)
        try:
            match command["action"]:
                case "reply":
                    self._context.callback_dispatcher.reply(flow, command["text"], position=command.get("position"))
                case "callback":
                    self._redeliver(flow, command["callback"])
                case action:
                    flow = self._context.lifecycle.force_outcome(
                        flow, self._position(flow, command), ACTION_OUTCOMES[action]
                    )
        except ActionConflict as error:
            raise FAILOVER_ERRORS.conflict(str(error) or "The message can no longer be made to end like this") from None
        return self._detail_response(flow)

    def _redeliver(self, flow: AcceptedFlow, callback_id: str) -> None:
        if all(callback.id != callback_id for callback in self._context.callback_dispatcher.log.for_flow(flow.id)):
            raise ActionConflict("The flow has no such callback")
        self._context.callback_dispatcher.redeliver(callback_id)

    async def clear_flows(self, request: web.Request) -> web.Response:
        """Delete all flows and their callbacks."""
        require_local_caller(request, self._allow_remote)
        deleted = len(self._context.flow_store)
        self._context.lifecycle.clear()
        return json_response({"cleared": deleted})

    async def get_pin(self, request: web.Request) -> web.Response:
        """Return the PIN for a number in the newest flow with one, waiting for such a flow if there is none yet."""
        query = self._query(request, "getSandboxPin")
        to, is_newer = normalize_number(query["to"]), _wait_predicate(query)
        flow = await self._waiter.wait_for_newest(
            lambda flow: is_newer(flow) and contains_pin(flow, to), query["timeout"]
        )
        if flow is None:
            raise FAILOVER_ERRORS.not_found("A flow with a PIN to this number")
        pin, channel = pin_for_recipient(self._context.lifecycle.snapshot(flow), to)
        return json_response({"pin": pin, "to": to, "channel": channel, "flowId": flow.id, "number": flow.number})

    def _query(self, request: web.Request, operation: str) -> dict[str, Any]:
        require_local_caller(request, self._allow_remote)
        return self._context.read_query(request, operation, FAILOVER_ERRORS, _ENTITY)

    def _find(self, request: web.Request) -> AcceptedFlow:
        flow = self._context.flow_store.find(request.match_info["id"])
        if flow is None:
            raise FAILOVER_ERRORS.not_found("The flow")
        return flow

    def _position(self, flow: AcceptedFlow, command: dict[str, Any]) -> int:
        """Return the position of the step to act on: the given one, or that of the latest message."""
        if "position" in command:
            return int(command["position"])
        return self._context.lifecycle.latest_position(flow)

    def _filter(self, query: dict[str, Any]) -> Callable[[AcceptedFlow], bool]:
        checks: list[Callable[[AcceptedFlow], bool]] = []
        if "endpoint" in query:
            endpoint = query["endpoint"]
            checks.append(lambda flow: flow.endpoint == endpoint)
        if "status" in query:
            status, lifecycle = query["status"], self._context.lifecycle
            checks.append(lambda flow: lifecycle.snapshot(flow).state.status == status)
        if part := strip_number(query.get("to", "")):
            checks.append(lambda flow: any(part in number for number in flow.to))
        return lambda flow: all(check(flow) for check in checks)

    def _summary(self, flow: AcceptedFlow) -> dict[str, Any]:
        return flow_summary(self._context.lifecycle.snapshot(flow))

    def _detail_response(self, flow: AcceptedFlow) -> web.Response:
        return json_response(current_flow_detail(self._context.lifecycle, self._context.callback_dispatcher, flow))


def _wait_predicate(query: dict[str, Any]) -> Callable[[AcceptedFlow], bool]:
    number, after = normalize_number(query.get("to", "")), query["after"]
    return lambda flow: flow.number > after and (not number or number in flow.to)
