"""The aiohttp application: routes, and what applies to every request: counters, rules, JSON errors, saving."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from .admin.callbacks_api import CallbacksApi
from .admin.clock_api import ClockApi
from .admin.events_api import EventsApi
from .admin.flows_api import FlowsApi
from .admin.rules_api import RulesApi
from .admin.state_api import SandboxApi
from .admin.ui_static import StaticUi
from .api.errors import FAILOVER_ERRORS, OTP_ERRORS, ApiError, ErrorFormat
from .api.failover_api import FailoverApi
from .api.otp_api import PREFIX as OTP_PREFIX
from .api.otp_api import SEND_PATH, OtpApi
from .api.token_api import TokenApi
from .api.viber_api import ViberApi
from .connection_faults import FAULT_KEY, ConnectionDropRequested, FaultInjector
from .context import MAX_BODY_SIZE, SandboxContext, json_response

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def create_app(context: SandboxContext, fault_injector: FaultInjector, *, allow_remote_admin: bool) -> web.Application:
    """Return the sandbox as an aiohttp application. `allow_remote_admin` opens the admin API to other machines."""

    async def handle(request: web.Request, handler: _Handler) -> web.StreamResponse:
        try:
            if context.rules and _is_read(request):
                context.apply_rules(request, "reading", _error_format(request))
            response = await handler(request)
            await context.store.flush()
        except ApiError as error:
            context.counters.rejected += 1
            return json_response(error.body, error.status, error.headers)
        except ConnectionDropRequested:
            return json_response(None)  # never sent
        except (web.HTTPNotFound, web.HTTPMethodNotAllowed) as error:
            context.counters.rejected += 1
            return _routing_error(request, error)
        return response

    @web.middleware
    async def middleware(request: web.Request, handler: _Handler) -> web.StreamResponse:
        context.counters.requests += 1
        response = await handle(request, handler)
        fault = request.get(FAULT_KEY)
        if fault is None or not isinstance(response, web.Response):
            return response
        return await fault_injector.inject(fault, request, response)

    application = web.Application(middlewares=[middleware], client_max_size=MAX_BODY_SIZE)
    for api in (TokenApi, FailoverApi, OtpApi, ViberApi):
        application.add_routes(api(context).routes())
    for admin_api in (ClockApi, FlowsApi, EventsApi, CallbacksApi, RulesApi, SandboxApi):
        application.add_routes(admin_api(context, allow_remote=allow_remote_admin).routes())
    application.add_routes(StaticUi().routes())
    return application


_READ_PATHS = ("/failover/tracking", OTP_PREFIX, "/viber/tracking", "/accounts/")


def _is_read(request: web.Request) -> bool:
    return request.path.startswith(_READ_PATHS) and request.path != SEND_PATH


def _error_format(request: web.Request) -> ErrorFormat:
    return OTP_ERRORS if request.path.startswith(OTP_PREFIX) else FAILOVER_ERRORS


def _routing_error(request: web.Request, error: web.HTTPNotFound | web.HTTPMethodNotAllowed) -> web.Response:
    """Return the response for an unknown path or method, in the error format of the service that it belongs to."""
    error_format = _error_format(request)
    if isinstance(error, web.HTTPNotFound):
        api_error = error_format.not_found("The path")
        return json_response(api_error.body, api_error.status)
    api_error = error_format.method_not_allowed()
    response = json_response(api_error.body, api_error.status)
    response.headers["Allow"] = ", ".join(sorted(error.allowed_methods))
    return response
