"""What answers at which address, and what is done with every request: it is counted, ruled, refused in JSON, kept."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from .control.callbacks_api import CallbacksApi
from .control.clock_api import ClockApi
from .control.events_api import EventsApi
from .control.flows_api import FlowsApi
from .control.page_api import PageApi
from .control.rules_api import RulesApi
from .control.sandbox_api import SandboxApi
from .faults import FAULT, Faults, Unanswered
from .routee.failover_api import FailoverApi
from .routee.otp_api import PREFIX as OTP_PREFIX
from .routee.otp_api import SEND_PATH, OtpApi
from .routee.refusals import FAILOVER, OTP, Dialect, Refusal
from .routee.token_api import TokenApi
from .routee.viber_api import ViberApi
from .service import LARGEST_BODY, Service, answer

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def application(service: Service, faults: Faults, *, remote_control: bool) -> web.Application:
    """The sandbox as an aiohttp application. `remote_control` lets callers on other machines control it."""

    async def answered(request: web.Request, handler: _Handler) -> web.StreamResponse:
        try:
            if service.rules and _only_reads(request):
                service.heed_rules(request, "reading", _dialect(request))
            response = await handler(request)
            await service.store.settled()
        except Refusal as refusal:
            service.counts.refused += 1
            return answer(refusal.body, refusal.status, refusal.headers)
        except Unanswered:
            return answer(None)  # which nobody gets
        except (web.HTTPNotFound, web.HTTPMethodNotAllowed) as error:
            service.counts.refused += 1
            return _lost(request, error)
        return response

    @web.middleware
    async def every_request(request: web.Request, handler: _Handler) -> web.StreamResponse:
        service.counts.requests += 1
        response = await answered(request, handler)
        fault = request.get(FAULT)
        if fault is None or not isinstance(response, web.Response):
            return response
        return await faults.carry_out(fault, request, response)

    application = web.Application(middlewares=[every_request], client_max_size=LARGEST_BODY)
    for routee in (TokenApi, FailoverApi, OtpApi, ViberApi):
        application.add_routes(routee(service).routes())
    for own in (ClockApi, FlowsApi, EventsApi, CallbacksApi, RulesApi, SandboxApi):
        application.add_routes(own(service, anyone=remote_control).routes())
    application.add_routes(PageApi().routes())
    return application


_READ = ("/failover/tracking", OTP_PREFIX, "/viber/tracking", "/accounts/")


def _only_reads(request: web.Request) -> bool:
    return request.path.startswith(_READ) and request.path != SEND_PATH


def _dialect(request: web.Request) -> Dialect:
    return OTP if request.path.startswith(OTP_PREFIX) else FAILOVER


def _lost(request: web.Request, error: web.HTTPNotFound | web.HTTPMethodNotAllowed) -> web.Response:
    """A path or method that nobody serves, in the words of the service that it was meant for."""
    dialect = _dialect(request)
    if isinstance(error, web.HTTPNotFound):
        refusal = dialect.not_found("The path")
        return answer(refusal.body, refusal.status)
    refusal = dialect.wrong_method()
    response = answer(refusal.body, refusal.status)
    response.headers["Allow"] = ", ".join(sorted(error.allowed_methods))
    return response
