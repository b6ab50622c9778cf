"""The Viber OTP send, the tracking of a single Viber message, and the account's balance."""

from typing import Any

from aiohttp import web

from ..life.book import AcceptedFlow
from ..life.engine import Message
from ..life.plan import Endpoint
from ..service import Service, answer
from .failover_answers import moment
from .failover_api import require_role, require_sender
from .prices import APPLICATION_NAME, BALANCE, CURRENCY, amount, country, part_price
from .refusals import FAILOVER

VIBER_ROLE = "MT_ROLE_VIBER"  # INF: only the scope's name is public
_TRACKING_NOT_FOUND = "404019006"
_ECHOED = ("ttl", "seq", "label", "type", "templateId", "templateParams", "templateLang")


class ViberApi:
    """`/viber/...` and `/accounts/me/balance`."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> list[web.RouteDef]:
        """The addresses and their handlers."""
        return [
            web.post("/viber/otp", self.send),
            web.get("/viber/tracking/{trackingId}", self.track, allow_head=False),
            web.get("/accounts/me/balance", self.balance, allow_head=False),
        ]

    async def send(self, request: web.Request) -> web.Response:
        """Take a Viber OTP."""
        require_role(self._service.token(request, FAILOVER), VIBER_ROLE)
        body = await self._service.body(request, "sendViberOtp", FAILOVER, "ViberOtp")
        require_sender(body, "senderInfoTrackingId")
        ruling = self._service.ruling(request, Endpoint.VIBER_OTP, body, FAILOVER)
        flow = self._service.accept(Endpoint.VIBER_OTP, body, 0, ruling)
        first = self._message(flow)
        echo = {name: body[name] for name in _ECHOED if name in body}
        return answer(_record(flow, first, 0.0) | echo)

    async def track(self, request: web.Request) -> web.Response:
        """The record of a Viber OTP."""
        require_role(self._service.token(request, FAILOVER), VIBER_ROLE)
        flow = self._service.book.get(request.match_info["trackingId"], Endpoint.VIBER_OTP)
        if flow is None:
            raise FAILOVER.not_found("The Viber tracking", _TRACKING_NOT_FOUND)
        message = self._message(flow)
        elapsed = self._service.clock.now() - flow.accepted_at
        record = _record(flow, message, elapsed) | {
            "originatingService": "Viber",
            "price": amount(part_price(message, elapsed)),
            "expireOnDelivery": False,
        }
        return answer(record | ({"ttl": flow.body["ttl"]} if "ttl" in flow.body else {}))

    def _message(self, flow: AcceptedFlow) -> Message:
        _, state = self._service.state(flow)
        return state.messages[0]

    async def balance(self, request: web.Request) -> web.Response:
        """The account's balance; the sandbox's never changes."""
        self._service.token(request, FAILOVER)
        return answer({"balance": BALANCE, "currency": CURRENCY})


def _record(flow: AcceptedFlow, message: Message, elapsed: float) -> dict[str, Any]:
    status = message.status(elapsed)
    body = flow.body
    record: dict[str, Any] = {
        "trackingId": flow.id,
        "to": body["to"],
        "from": body["senderInfoTrackingId"],  # INF: Routee shows the sender's name, which only Routee knows
        "status": {
            "status": status.name,
            "date": moment(flow.at, status.at),
            "reason": {"detailedStatus": status.detail, "description": f"The message is {status.name}"},
        },
        "applicationName": APPLICATION_NAME,
        "direction": "Outbound",
    }
    if (known := country(body["to"])) is not None:
        record["country"] = known
    return record
