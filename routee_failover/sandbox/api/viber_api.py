"""Endpoints for the Viber OTP send, the tracking of a single Viber message, and the account's balance."""

from aiohttp import web

from ..context import SandboxContext, json_response
from ..simulation.flow_plan import SendEndpoint
from . import viber_responses
from .errors import FAILOVER_ERRORS
from .failover_api import require_role, require_sender
from .pricing import BALANCE, CURRENCY

VIBER_ROLE = "MT_ROLE_VIBER"  # INF: only the scope's name is public
_TRACKING_NOT_FOUND = "404019006"


class ViberApi:
    """Endpoints below `/viber`, and `/accounts/me/balance`."""

    def __init__(self, context: SandboxContext) -> None:
        self._context = context

    def routes(self) -> list[web.RouteDef]:
        """Return the routes and their handlers."""
        return [
            web.post("/viber/otp", self.send),
            web.get("/viber/tracking/{trackingId}", self.track, allow_head=False),
            web.get("/accounts/me/balance", self.balance, allow_head=False),
        ]

    async def send(self, request: web.Request) -> web.Response:
        """Accept a Viber OTP."""
        require_role(self._context.authenticate(request, FAILOVER_ERRORS), VIBER_ROLE)
        body = await self._context.read_body(request, "sendViberOtp", FAILOVER_ERRORS, "ViberOtp")
        require_sender(body, "senderInfoTrackingId")
        decision = self._context.decide(request, SendEndpoint.VIBER_OTP, body, FAILOVER_ERRORS)
        flow = self._context.accept(SendEndpoint.VIBER_OTP, body, 0, decision)
        return json_response(viber_responses.send_response(flow, self._context.current_state(flow)[1]))

    async def track(self, request: web.Request) -> web.Response:
        """Return the tracking record of a Viber OTP."""
        require_role(self._context.authenticate(request, FAILOVER_ERRORS), VIBER_ROLE)
        flow = self._context.flow_store.get(request.match_info["trackingId"], SendEndpoint.VIBER_OTP)
        if flow is None:
            raise FAILOVER_ERRORS.not_found("The Viber tracking", _TRACKING_NOT_FOUND)
        return json_response(viber_responses.tracking_record(flow, self._context.current_state(flow)[1]))

    async def balance(self, request: web.Request) -> web.Response:
        """Return the account's balance; in the sandbox it never changes."""
        self._context.authenticate(request, FAILOVER_ERRORS)
        return json_response({"balance": BALANCE, "currency": CURRENCY})
