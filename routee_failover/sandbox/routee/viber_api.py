"""The Viber OTP send, the tracking of a single Viber message, and the account's balance."""

from aiohttp import web

from ..life.plan import Endpoint
from ..service import Service, answer
from . import viber_answers
from .failover_api import require_role, require_sender
from .prices import BALANCE, CURRENCY
from .refusals import FAILOVER

VIBER_ROLE = "MT_ROLE_VIBER"  # INF: only the scope's name is public
_TRACKING_NOT_FOUND = "404019006"


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
        return answer(viber_answers.accepted(flow, self._service.state(flow)[1]))

    async def track(self, request: web.Request) -> web.Response:
        """The record of a Viber OTP."""
        require_role(self._service.token(request, FAILOVER), VIBER_ROLE)
        flow = self._service.book.get(request.match_info["trackingId"], Endpoint.VIBER_OTP)
        if flow is None:
            raise FAILOVER.not_found("The Viber tracking", _TRACKING_NOT_FOUND)
        return answer(viber_answers.tracking(flow, self._service.state(flow)[1]))

    async def balance(self, request: web.Request) -> web.Response:
        """The account's balance; the sandbox's never changes."""
        self._service.token(request, FAILOVER)
        return answer({"balance": BALANCE, "currency": CURRENCY})
