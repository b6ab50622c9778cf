"""The flows for tests in any language and for the inbox page: list, wait for one, act on one, the PIN for a number."""

from collections.abc import Callable
from typing import Any

from aiohttp import web

from ..life.arrivals import Arrivals
from ..life.book import AcceptedFlow
from ..life.journeys import ACTIONS, CannotAct
from ..life.people import bare, spelled
from ..routee.refusals import FAILOVER
from ..service import Service, answer
from .bubbles import holds_pin
from .near import refuse_strangers
from .views import full, pin_of, summary

_ENTITY = "Flows"
_FLOWS, _NEXT, _PIN = "/sandbox/flows", "/sandbox/flows/next", "/sandbox/pin"


class FlowsApi:
    """`/sandbox/flows...` and `/sandbox/pin`, for callers on this machine."""

    def __init__(self, service: Service, *, anyone: bool) -> None:
        self._service = service
        self._anyone = anyone
        self._arrivals = Arrivals(service.book, service.feed)

    def routes(self) -> list[web.RouteDef]:
        """The addresses and their handlers."""
        return [
            web.get(_FLOWS, self.list_flows, allow_head=False),
            web.delete(_FLOWS, self.clear),
            web.get(_NEXT, self.next_flow, allow_head=False),
            web.get(f"{_FLOWS}/{{id}}", self.flow, allow_head=False),
            web.post(f"{_FLOWS}/{{id}}/actions", self.act),
            web.get(_PIN, self.pin, allow_head=False),
        ]

    async def list_flows(self, request: web.Request) -> web.Response:
        """The newest flows that every given filter lets through, and how many there are of such."""
        query = self._query(request, "listSandboxFlows")
        wanted = self._filter(query)
        before, limit = query.get("before"), query["limit"]
        total = 0
        page: list[AcceptedFlow] = []
        for flow in self._service.book.newest_first():
            if wanted(flow):
                total += 1
                if len(page) < limit and (before is None or flow.number < before):
                    page.append(flow)
        return answer({"total": total, "flows": [self._summary(flow) for flow in page]})

    async def next_flow(self, request: web.Request) -> web.Response:
        """The oldest flow to a number after another one, waited for."""
        query = self._query(request, "nextSandboxFlow")
        flow = await self._arrivals.oldest(_to_after(query), query["timeout"])
        if flow is None:
            raise FAILOVER.not_found("A flow like this")
        return self._told(flow)

    async def flow(self, request: web.Request) -> web.Response:
        """Everything about one flow."""
        refuse_strangers(request, self._anyone)
        return self._told(self._find(request))

    async def act(self, request: web.Request) -> web.Response:
        """Make something of a flow by hand: have a message end, answer it, or have a callback posted again."""
        refuse_strangers(request, self._anyone)
        change: Any = await self._service.body(request, "actOnSandboxFlow", FAILOVER, _ENTITY)
        flow = self._find(request)
        try:
            match change["action"]:
                case "reply":
                    self._service.callbacks.reply(flow, change["text"], position=change.get("position"))
                case "callback":
                    self._call_back(flow, change["callback"])
                case action:
                    flow = self._service.journeys.act(flow, self._position(flow, change), ACTIONS[action])
        except CannotAct as error:
            raise FAILOVER.too_late(str(error) or "The message can no longer be made to end like this") from None
        return self._told(flow)

    def _call_back(self, flow: AcceptedFlow, callback_id: str) -> None:
        if all(one.id != callback_id for one in self._service.callbacks.log.of(flow.id)):
            raise CannotAct("The flow has no such callback")
        self._service.callbacks.redeliver(callback_id)

    async def clear(self, request: web.Request) -> web.Response:
        """Forget the flows, and what was to be posted about them."""
        refuse_strangers(request, self._anyone)
        forgotten = len(self._service.book)
        self._service.journeys.clear()
        return answer({"cleared": forgotten})

    async def pin(self, request: web.Request) -> web.Response:
        """The PIN that the newest flow to a number holds, waited for."""
        query = self._query(request, "getSandboxPin")
        to, is_wanted = spelled(query["to"]), _to_after(query)
        flow = await self._arrivals.newest(lambda one: is_wanted(one) and holds_pin(one, to), query["timeout"])
        if flow is None:
            raise FAILOVER.not_found("A flow with a PIN to this number")
        code, channel = pin_of(self._service.journeys.standing(flow), to)
        return answer({"pin": code, "to": to, "channel": channel, "flowId": flow.id, "number": flow.number})

    def _query(self, request: web.Request, operation: str) -> dict[str, Any]:
        refuse_strangers(request, self._anyone)
        return self._service.query(request, operation, FAILOVER, _ENTITY)

    def _find(self, request: web.Request) -> AcceptedFlow:
        flow = self._service.book.find(request.match_info["id"])
        if flow is None:
            raise FAILOVER.not_found("The flow")
        return flow

    def _position(self, flow: AcceptedFlow, change: dict[str, Any]) -> int:
        """The step that is meant: the one named, or that of the message that was sent last."""
        if "position" in change:
            return int(change["position"])
        return self._service.journeys.latest(flow)

    def _filter(self, query: dict[str, Any]) -> Callable[[AcceptedFlow], bool]:
        checks: list[Callable[[AcceptedFlow], bool]] = []
        if "endpoint" in query:
            endpoint = query["endpoint"]
            checks.append(lambda flow: flow.endpoint == endpoint)
        if "status" in query:
            status, journeys = query["status"], self._service.journeys
            checks.append(lambda flow: journeys.standing(flow).state.status == status)
        if part := bare(query.get("to", "")):
            checks.append(lambda flow: any(part in number for number in flow.to))
        return lambda flow: all(check(flow) for check in checks)

    def _summary(self, flow: AcceptedFlow) -> dict[str, Any]:
        return summary(self._service.journeys.standing(flow))

    def _told(self, flow: AcceptedFlow) -> web.Response:
        return answer(full(self._service.journeys, self._service.callbacks, flow))


def _to_after(query: dict[str, Any]) -> Callable[[AcceptedFlow], bool]:
    number, after = spelled(query.get("to", "")), query["after"]
    return lambda flow: flow.number > after and (not number or number in flow.to)
