"""Endpoints of the failover OTP service: about, health, the send, tracking by flow or message, list and templates."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from ..context import SandboxContext, json_response, utc_now
from ..simulation.flow_plan import SendEndpoint, plan_steps, rejection_reason
from ..simulation.flow_store import AcceptedFlow
from ..simulation.status_sequences import FailureCode
from . import otp_responses
from .errors import OTP_ERRORS
from .failover_responses import format_timestamp

PREFIX = "/failover-otp"
SEND_PATH = f"{PREFIX}/otp/send-failover"


class OtpApi:
    """Endpoints below `/failover-otp`."""

    def __init__(self, context: SandboxContext) -> None:
        self._context = context

    def routes(self) -> list[web.RouteDef]:
        """Return the routes and their handlers."""
        return [
            web.get(PREFIX, self.about, allow_head=False),
            web.get(f"{PREFIX}/health", self.health, allow_head=False),
            web.post(SEND_PATH, self.send),
            web.get(f"{PREFIX}/otp/failover", self.list_flows, allow_head=False),
            web.get(f"{PREFIX}/otp/failover/{{id}}", self.track, allow_head=False),
            web.get(f"{PREFIX}/otp/templates", self.templates, allow_head=False),
        ]

    async def about(self, _request: web.Request) -> web.Response:
        """Return the name and version of the service; needs no token."""
        return json_response(otp_responses.SERVICE)

    async def health(self, _request: web.Request) -> web.Response:
        """Return the health of the service; needs no token."""
        return json_response({"status": "ok"})

    async def send(self, request: web.Request) -> web.Response:
        """Accept an OTP flow; the response is a 200 also when no channel accepts it."""
        self._context.authenticate(request, OTP_ERRORS)
        body = await self._context.read_body(request, "sendFailoverOtp", OTP_ERRORS, "body")
        decision = self._context.decide(request, SendEndpoint.OTP, body, OTP_ERRORS)
        steps = plan_steps(SendEndpoint.OTP, body, decision.scripts)
        reason = FailureCode.INSUFFICIENT_BALANCE if decision.response else rejection_reason(SendEndpoint.OTP, steps)
        if reason is not None:
            self._context.counters.rejected += 1
            return json_response(otp_responses.failed_send_response(body, format_timestamp(utc_now()), reason))
        flow = self._context.accept(SendEndpoint.OTP, body, len(steps), decision)
        return json_response(otp_responses.send_response(flow, steps))

    async def track(self, request: web.Request) -> web.Response:
        """Return the record of one flow, by its id or by the id of one of its messages that was sent."""
        self._context.authenticate(request, OTP_ERRORS)
        requested_id = request.match_info["id"]
        flow_store = self._context.flow_store
        flow = flow_store.get(requested_id, SendEndpoint.OTP) or flow_store.find_by_message(
            requested_id, SendEndpoint.OTP
        )
        if flow is None:
            raise OTP_ERRORS.not_found("Flow")
        steps, state = self._context.current_state(flow)
        if requested_id != flow.id and requested_id not in flow.message_ids[: len(state.messages)]:
            raise OTP_ERRORS.not_found("Flow")
        return json_response(otp_responses.tracking_record(flow, steps, state))

    async def list_flows(self, request: web.Request) -> web.Response:
        """Return the flows that match all given filters, oldest first (INF)."""
        self._context.authenticate(request, OTP_ERRORS)
        query = self._context.read_query(request, "listFailoverOtps", OTP_ERRORS, "query")
        if "phone_number" in query:  # an unescaped plus arrives as a blank
            query["phone_number"] = query["phone_number"].strip().removeprefix("+")
        found = [flow for flow in self._context.searchable(SendEndpoint.OTP) if self._matches(query, flow)]
        limit, offset = query["limit"], query["offset"]
        page = [(flow, *self._context.current_state(flow)) for flow in found[offset : offset + limit]]
        results = [otp_responses.tracking_record(*flow_and_state) for flow_and_state in page]
        return json_response({"total": len(found), "limit": limit, "offset": offset, "results": results})

    def _matches(self, query: Mapping[str, Any], flow: AcceptedFlow) -> bool:
        """Return whether a flow matches the query; its state, which is expensive to compute, is compared last."""
        return (
            ("flow_id" not in query or query["flow_id"] == flow.id)
            and ("phone_number" not in query or f"+{query['phone_number']}" in flow.to)
            and ("tag" not in query or any(query["tag"] == step.body.get("label") for step in flow.steps))
            and ("status" not in query or query["status"] == self._context.current_state(flow)[1].status)
        )

    async def templates(self, request: web.Request) -> web.Response:
        """Return the OTP templates."""
        self._context.authenticate(request, OTP_ERRORS)
        return json_response(otp_responses.templates())
