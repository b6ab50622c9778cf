"""What answers at which address, and what is done with every request: it is counted, ruled, refused in JSON, kept."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from .admin.callbacks_api import CallbacksApi
from .admin.clock_api import ClockApi
from .admin.events_api import EventsApi
from .admin.flows_api import FlowsApi
from .admin.rules_api import RulesApi
from .admin.sandbox_api import SandboxApi
from .admin.ui_static import StaticUi
from .api.errors import FAILOVER_ERRORS, OTP_ERRORS, ApiError, ErrorFormat
from .api.failover_api import FailoverApi
from .api.otp_api import PREFIX as OTP_PREFIX
from .api.otp_api import SEND_PATH, OtpApi
from .api.token_api import TokenApi
from .api.viber_api import ViberApi
from .context import MAX_BODY_SIZE, SandboxContext, json_response
from .fault_injection import FAULT_KEY, ConnectionDropRequested, FaultInjector

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def create_app(context: SandboxContext, fault_injector: FaultInjector, *, allow_remote_admin: bool) -> web.Application:
    """The sandbox as an aiohttp application. `allow_remote_admin` lets callers on other machines control it."""

    async def answered(request: web.Request, handler: _Handler) -> web.StreamResponse:
        try:
            if context.rules and _only_reads(request):
                context.apply_rules(request, "reading", _dialect(request))
            response = await handler(request)
            await context.store.flush()
        except ApiError as refusal:
            context.counters.rejected += 1
            return json_response(refusal.body, refusal.status, refusal.headers)
        except ConnectionDropRequested:
            return json_response(None)  # which nobody gets
        except (web.HTTPNotFound, web.HTTPMethodNotAllowed) as error:
            context.counters.rejected += 1
            return _lost(request, error)
        return response

    @web.middleware
    async def every_request(request: web.Request, handler: _Handler) -> web.StreamResponse:
        context.counters.requests += 1
        response = await answered(request, handler)
        fault = request.get(FAULT_KEY)
        if fault is None or not isinstance(response, web.Response):
            return response
        return await fault_injector.inject(fault, request, response)

    application = web.Application(middlewares=[every_request], client_max_size=MAX_BODY_SIZE)
    for routee in (TokenApi, FailoverApi, OtpApi, ViberApi):
        application.add_routes(routee(context).routes())
    for own in (ClockApi, FlowsApi, EventsApi, CallbacksApi, RulesApi, SandboxApi):
        application.add_routes(own(context, allow_remote=allow_remote_admin).routes())
    application.add_routes(StaticUi().routes())
    return application


_READ = ("/failover/tracking", OTP_PREFIX, "/viber/tracking", "/accounts/")


def _only_reads(request: web.Request) -> bool:
    return request.path.startswith(_READ) and request.path != SEND_PATH


def _dialect(request: web.Request) -> ErrorFormat:
    return OTP_ERRORS if request.path.startswith(OTP_PREFIX) else FAILOVER_ERRORS


def _lost(request: web.Request, error: web.HTTPNotFound | web.HTTPMethodNotAllowed) -> web.Response:
    """A path or method that nobody serves, in the words of the service that it was meant for."""
    dialect = _dialect(request)
    if isinstance(error, web.HTTPNotFound):
        refusal = dialect.not_found("The path")
        return json_response(refusal.body, refusal.status)
    refusal = dialect.method_not_allowed()
    response = json_response(refusal.body, refusal.status)
    response.headers["Allow"] = ", ".join(sorted(error.allowed_methods))
    return response
