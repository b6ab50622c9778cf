"""The flows for tests in any language and for the inbox page: list, wait for one, act on one, the PIN for a number."""

from collections.abc import Callable
from typing import Any

from aiohttp import web

from ..api.errors import FAILOVER_ERRORS
from ..context import SandboxContext, json_response
from ..simulation.flow_store import AcceptedFlow
from ..simulation.lifecycle import ACTION_OUTCOMES, ActionConflict
from ..simulation.recipients import normalize_number, strip_number
from ..simulation.waiters import FlowWaiter
from .flow_views import current_flow_detail, flow_summary, pin_for_recipient
from .local_only import require_local_caller
from .message_preview import contains_pin

_ENTITY = "Flows"
_FLOWS, _NEXT, _PIN = "/sandbox/flows", "/sandbox/flows/next", "/sandbox/pin"


class FlowsApi:
    """`/sandbox/flows...` and `/sandbox/pin`, for callers on this machine."""

    def __init__(self, context: SandboxContext, *, allow_remote: bool) -> None:
        self._context = context
        self._allow_remote = allow_remote
        self._waiter = FlowWaiter(context.flow_store, context.event_bus)

    def routes(self) -> list[web.RouteDef]:
        """The addresses and their handlers."""
        return [
            web.get(_FLOWS, self.list_flows, allow_head=False),
            web.delete(_FLOWS, self.clear_flows),
            web.get(_NEXT, self.next_flow, allow_head=False),
            web.get(f"{_FLOWS}/{{id}}", self.get_flow, allow_head=False),
            web.post(f"{_FLOWS}/{{id}}/actions", self.act),
            web.get(_PIN, self.get_pin, allow_head=False),
        ]

    async def list_flows(self, request: web.Request) -> web.Response:
        """The newest flows that every given filter lets through, and how many there are of such."""
        query = self._query(request, "listSandboxFlows")
        wanted = self._filter(query)
        before, limit = query.get("before"), query["limit"]
        total = 0
        page: list[AcceptedFlow] = []
        for flow in self._context.flow_store.newest_first():
            if wanted(flow):
                total += 1
                if len(page) < limit and (before is None or flow.number < before):
                    page.append(flow)
        return json_response({"total": total, "flows": [self._summary(flow) for flow in page]})

    async def next_flow(self, request: web.Request) -> web.Response:
        """The oldest flow to a number after another one, waited for."""
        query = self._query(request, "nextSandboxFlow")
        flow = await self._waiter.wait_for_oldest(_to_after(query), query["timeout"])
        if flow is None:
            raise FAILOVER_ERRORS.not_found("A flow like this")
        return self._detail_response(flow)

    async def get_flow(self, request: web.Request) -> web.Response:
        """Everything about one flow."""
        require_local_caller(request, self._allow_remote)
        return self._detail_response(self._find(request))

    async def act(self, request: web.Request) -> web.Response:
        """Make something of a flow by hand: have a message end, answer it, or have a callback posted again."""
        require_local_caller(request, self._allow_remote)
        change: Any = await self._context.read_body(request, "actOnSandboxFlow", FAILOVER_ERRORS, _ENTITY)
        flow = self._find(request)
        try:
            match change["action"]:
                case "reply":
                    self._context.callback_dispatcher.reply(flow, change["text"], position=change.get("position"))
                case "callback":
                    self._redeliver(flow, change["callback"])
                case action:
                    flow = self._context.lifecycle.force_outcome(
                        flow, self._position(flow, change), ACTION_OUTCOMES[action]
                    )
        except ActionConflict as error:
            raise FAILOVER_ERRORS.conflict(str(error) or "The message can no longer be made to end like this") from None
        return self._detail_response(flow)

    def _redeliver(self, flow: AcceptedFlow, callback_id: str) -> None:
        if all(one.id != callback_id for one in self._context.callback_dispatcher.log.for_flow(flow.id)):
            raise ActionConflict("The flow has no such callback")
        self._context.callback_dispatcher.redeliver(callback_id)

    async def clear_flows(self, request: web.Request) -> web.Response:
        """Forget the flows, and what was to be posted about them."""
        require_local_caller(request, self._allow_remote)
        forgotten = len(self._context.flow_store)
        self._context.lifecycle.clear()
        return json_response({"cleared": forgotten})

    async def get_pin(self, request: web.Request) -> web.Response:
        """The PIN that the newest flow to a number holds, waited for."""
        query = self._query(request, "getSandboxPin")
        to, is_wanted = normalize_number(query["to"]), _to_after(query)
        flow = await self._waiter.wait_for_newest(
            lambda one: is_wanted(one) and contains_pin(one, to), query["timeout"]
        )
        if flow is None:
            raise FAILOVER_ERRORS.not_found("A flow with a PIN to this number")
        code, channel = pin_for_recipient(self._context.lifecycle.snapshot(flow), to)
        return json_response({"pin": code, "to": to, "channel": channel, "flowId": flow.id, "number": flow.number})

    def _query(self, request: web.Request, operation: str) -> dict[str, Any]:
        require_local_caller(request, self._allow_remote)
        return self._context.read_query(request, operation, FAILOVER_ERRORS, _ENTITY)

    def _find(self, request: web.Request) -> AcceptedFlow:
        flow = self._context.flow_store.find(request.match_info["id"])
        if flow is None:
            raise FAILOVER_ERRORS.not_found("The flow")
        return flow

    def _position(self, flow: AcceptedFlow, change: dict[str, Any]) -> int:
        """The step that is meant: the one named, or that of the message that was sent last."""
        if "position" in change:
            return int(change["position"])
        return self._context.lifecycle.latest_position(flow)

    def _filter(self, query: dict[str, Any]) -> Callable[[AcceptedFlow], bool]:
        checks: list[Callable[[AcceptedFlow], bool]] = []
        if "endpoint" in query:
            endpoint = query["endpoint"]
            checks.append(lambda flow: flow.endpoint == endpoint)
        if "status" in query:
            status, journeys = query["status"], self._context.lifecycle
            checks.append(lambda flow: journeys.snapshot(flow).state.status == status)
        if part := strip_number(query.get("to", "")):
            checks.append(lambda flow: any(part in number for number in flow.to))
        return lambda flow: all(check(flow) for check in checks)

    def _summary(self, flow: AcceptedFlow) -> dict[str, Any]:
        return flow_summary(self._context.lifecycle.snapshot(flow))

    def _detail_response(self, flow: AcceptedFlow) -> web.Response:
        return json_response(current_flow_detail(self._context.lifecycle, self._context.callback_dispatcher, flow))


def _to_after(query: dict[str, Any]) -> Callable[[AcceptedFlow], bool]:
    number, after = normalize_number(query.get("to", "")), query["after"]
    return lambda flow: flow.number > after and (not number or number in flow.to)
