"""Endpoints of the failover API: the two sends, tracking by id, and the search."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from aiohttp import web

from ..context import SandboxContext, json_response
from ..simulation.flow_plan import SendEndpoint
from ..simulation.flow_store import AcceptedFlow
from . import failover_responses
from .errors import FAILOVER_ERRORS
from .tokens import Token

FAILOVER_ROLE = "MT_ROLE_FAILOVER"
_CHANNEL_ROLES = {"Sms": "MT_ROLE_SMS", "Viber": "MT_ROLE_VIBER", "Voice": "MT_ROLE_VOICE"}
_ENTITY = "Failover"  # INF: the class name that Routee's validation errors carry
_UNKNOWN_SENDER_PREFIX = "unknown"

_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "is": str.__eq__,
    "is_not": str.__eq__,  # negated once all values of the field have been compared
    "contains": str.__contains__,
    "starts_with": str.startswith,
    "ends_with": str.endswith,
}
_STATE_FIELDS = frozenset({"status", "terminationChannel"})


class FailoverApi:
    """Endpoints below `/failover`."""

    def __init__(self, context: SandboxContext) -> None:
        self._context = context

    def routes(self) -> list[web.RouteDef]:
        """Return the routes and their handlers."""
        return [
            web.post("/failover", self.send_standard),
            web.post("/failover/transactional", self.send_transactional),
            web.post("/failover/tracking", self.search),
            web.get("/failover/tracking/{trackingId}", self.track, allow_head=False),
        ]

    async def send_standard(self, request: web.Request) -> web.Response:
        """Accept a standard flow."""
        return await self._send(request, "sendFailover", SendEndpoint.STANDARD)

    async def send_transactional(self, request: web.Request) -> web.Response:
        """Accept a transactional flow."""
        return await self._send(request, "sendTransactionalFailover", SendEndpoint.TRANSACTIONAL)

    async def _send(self, request: web.Request, operation: str, endpoint: SendEndpoint) -> web.Response:
        token = self._authenticate(request)
        body = await self._context.read_body(request, operation, FAILOVER_ERRORS, _ENTITY)
        for position, step in enumerate(body["flow"]):
            require_role(token, _CHANNEL_ROLES[step["type"]])
            if step["type"] == "Viber":
                require_sender(step, f"flow[{position}].senderInfoTrackingId")
        decision = self._context.decide(request, endpoint, body, FAILOVER_ERRORS)
        flow = self._context.accept(endpoint, body, len(body["flow"]), decision)
        return json_response(failover_responses.send_response(flow))

    async def track(self, request: web.Request) -> web.Response:
        """Return the tracking record of one flow."""
        self._authenticate(request)
        flow = self._context.flow_store.get(
            request.match_info["trackingId"], SendEndpoint.STANDARD, SendEndpoint.TRANSACTIONAL
        )
        if flow is None:
            raise FAILOVER_ERRORS.not_found("The failover tracking")
        return json_response(self._record(flow))

    async def search(self, request: web.Request) -> web.Response:
        """Return a page of the flows that match all filters, oldest first (INF), so that pages do not shift."""
        self._authenticate(request)
        query = self._context.read_query(request, "searchFailovers", FAILOVER_ERRORS, _ENTITY)
        since, until = (_date(query, name) for name in ("dateStart", "dateEnd"))
        given: Any = await self._context.read_body(request, "searchFailovers", FAILOVER_ERRORS, _ENTITY) or []
        filters: list[dict[str, str]] = [given] if isinstance(given, dict) else given
        found = list(self._matching_flows(since, until, filters))
        number, size = query["page"], query["size"]
        page = found[number * size : (number + 1) * size]
        return json_response(_page_response([self._record(flow) for flow in page], len(found), number, size))

    def _matching_flows(
        self, since: datetime | None, until: datetime | None, filters: Sequence[Mapping[str, str]]
    ) -> Iterator[AcceptedFlow]:
        # The state of a flow is expensive to compute, so filters on it are evaluated last.
        filters = sorted(filters, key=lambda filter_: filter_["fieldName"] in _STATE_FIELDS)
        to = next((_exact_recipient(filter_) for filter_ in filters if _exact_recipient(filter_) is not None), None)
        for flow in self._context.searchable(SendEndpoint.STANDARD, SendEndpoint.TRANSACTIONAL):
            if to is not None and to not in flow.to:
                continue
            within = (since is None or flow.created_at >= since) and (until is None or flow.created_at <= until)
            if within and all(self._matches(filter_, flow) for filter_ in filters):
                yield flow

    def _matches(self, filter_: Mapping[str, str], flow: AcceptedFlow) -> bool:
        """Return whether a flow matches a filter; of the types and numbers of a flow with several steps, any counts."""
        values: Sequence[str | None]
        match filter_["fieldName"]:
            case "type":
                values = [step.step.channel for step in flow.steps]
            case "to":
                values = [step.recipient.removeprefix("+") for step in flow.steps]
            case "flowKind":  # INF: named by the endpoint guide, not by the reference
                values = [flow.endpoint]
            case "status":
                values = [self._context.current_state(flow)[1].status]
            case _:
                values = [self._context.current_state(flow)[1].termination_channel]
        operator = filter_.get("searchOperator", "is").lower()
        term = filter_["searchTerm"].lower()
        if filter_["fieldName"] == "to":
            term = term.removeprefix("+")
        matched = any(_OPERATORS[operator](value.lower(), term) for value in values if value is not None)
        return matched != (operator == "is_not")

    def _record(self, flow: AcceptedFlow) -> dict[str, Any]:
        steps, state = self._context.current_state(flow)
        return failover_responses.tracking_record(flow, steps, state)

    def _authenticate(self, request: web.Request) -> Token:
        token = self._context.authenticate(request, FAILOVER_ERRORS)
        require_role(token, FAILOVER_ROLE)
        return token


def require_role(token: Token, role: str) -> None:
    """Raise a 403 when the token lacks the role."""
    if role not in token.roles:
        raise FAILOVER_ERRORS.missing_role(role)


def require_sender(body: Mapping[str, Any], location: str) -> None:
    """Raise a 404 for an unknown Viber sender: one whose id begins with `unknown`."""
    if body["senderInfoTrackingId"].startswith(_UNKNOWN_SENDER_PREFIX):
        raise FAILOVER_ERRORS.unknown_sender(location)


def _date(query: Mapping[str, Any], name: str) -> datetime | None:
    return datetime.fromisoformat(query[name]) if name in query else None


def _exact_recipient(filter_: Mapping[str, str]) -> str | None:
    """Return the number that a filter compares recipients with exactly, or None."""
    if filter_["fieldName"] != "to" or filter_.get("searchOperator", "is").lower() != "is":
        return None
    return f"+{filter_['searchTerm'].removeprefix('+')}"


def _page_response(content: Sequence[Mapping[str, Any]], total: int, number: int, size: int) -> dict[str, Any]:
    pages = -(-total // size)
    return {
        "content": content,
        "totalPages": pages,
        "totalElements": total,
        "number": number,
        "size": size,
        "numberOfElements": len(content),
        "first": number == 0,
        "last": number >= pages - 1,
    }
