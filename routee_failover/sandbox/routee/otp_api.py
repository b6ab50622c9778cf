"""The failover OTP service's addresses: about itself, the send, tracking by flow or message, list and templates."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from ..life.book import AcceptedFlow
from ..life.channels import FailureCode
from ..life.plan import Endpoint, planned_steps, refused_at_once
from ..service import Service, answer, now
from . import otp_answers
from .failover_answers import moment
from .refusals import OTP

PREFIX = "/failover-otp"
SEND_PATH = f"{PREFIX}/otp/send-failover"


class OtpApi:
    """`/failover-otp` and what lies below it."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> list[web.RouteDef]:
        """The addresses and their handlers."""
        return [
            web.get(PREFIX, self.about, allow_head=False),
            web.get(f"{PREFIX}/health", self.health, allow_head=False),
            web.post(SEND_PATH, self.send),
            web.get(f"{PREFIX}/otp/failover", self.list_flows, allow_head=False),
            web.get(f"{PREFIX}/otp/failover/{{id}}", self.track, allow_head=False),
            web.get(f"{PREFIX}/otp/templates", self.templates, allow_head=False),
        ]

    async def about(self, _request: web.Request) -> web.Response:
        """The service about itself; needs no token."""
        return answer(otp_answers.SERVICE)

    async def health(self, _request: web.Request) -> web.Response:
        """The service is well; needs no token."""
        return answer({"status": "ok"})

    async def send(self, request: web.Request) -> web.Response:
        """Take an OTP flow; the answer is 200 also when no channel takes it."""
        self._service.token(request, OTP)
        body = await self._service.body(request, "sendFailoverOtp", OTP, "body")
        ruling = self._service.ruling(request, Endpoint.OTP, body, OTP)
        steps = planned_steps(Endpoint.OTP, body, ruling.scripts)
        reason = FailureCode.INSUFFICIENT_BALANCE if ruling.answer else refused_at_once(Endpoint.OTP, steps)
        if reason is not None:
            self._service.counts.refused += 1
            return answer(otp_answers.refused(body, moment(now()), reason))
        flow = self._service.accept(Endpoint.OTP, body, len(steps), ruling)
        return answer(otp_answers.accepted(flow, steps))

    async def track(self, request: web.Request) -> web.Response:
        """The record of one flow, by its id or by the id of one of its messages once that was sent."""
        self._service.token(request, OTP)
        wanted = request.match_info["id"]
        book = self._service.book
        flow = book.get(wanted, Endpoint.OTP) or book.with_message(wanted, Endpoint.OTP)
        if flow is None:
            raise OTP.not_found("Flow")
        steps, state = self._service.state(flow)
        if wanted != flow.id and wanted not in flow.message_ids[: len(state.messages)]:
            raise OTP.not_found("Flow")
        return answer(otp_answers.tracking(flow, steps, state))

    async def list_flows(self, request: web.Request) -> web.Response:
        """The flows that every given filter lets through, oldest first (INF)."""
        self._service.token(request, OTP)
        query = self._service.query(request, "listFailoverOtps", OTP, "query")
        if "phone_number" in query:  # an unescaped plus arrives as a blank
            query["phone_number"] = query["phone_number"].strip().removeprefix("+")
        found = [flow for flow in self._service.searchable(Endpoint.OTP) if self._passes(query, flow)]
        limit, offset = query["limit"], query["offset"]
        shown = [(flow, *self._service.state(flow)) for flow in found[offset : offset + limit]]
        results = [otp_answers.tracking(*one) for one in shown]
        return answer({"total": len(found), "limit": limit, "offset": offset, "results": results})

    def _passes(self, query: Mapping[str, Any], flow: AcceptedFlow) -> bool:
        """Whether a flow is what the query asks for; how it stands, which costs most to say, is asked last."""
        return (
            ("flow_id" not in query or query["flow_id"] == flow.id)
            and ("phone_number" not in query or f"+{query['phone_number']}" in flow.to)
            and ("tag" not in query or any(query["tag"] == step.body.get("label") for step in flow.steps))
            and ("status" not in query or query["status"] == self._service.state(flow)[1].status)
        )

    async def templates(self, request: web.Request) -> web.Response:
        """The OTP templates."""
        self._service.token(request, OTP)
        return answer(otp_answers.templates())
