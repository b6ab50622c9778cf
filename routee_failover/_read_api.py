"""Read calls: requests that change nothing at Routee, so that each may be repeated, and each error says so.

Separate from the client, which has one method per call, so that search and polling can make read calls too.
"""

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import quote

from ._transport import ApiRequest, Transport
from ._wire.redaction import header_secrets, numbers_in
from ._wire.responses import UNREADABLE, parse_json, parse_object, parse_rejection
from ._wire.routes import TRACKING_ROUTES
from ._wire.token_response import explain_forbidden
from .errors import ConnectFailed, InvalidFlow, NoResponse, NotFound, Outcome, Problem
from .flows import Endpoint
from .flows.endpoint import endpoint_problem
from .records import (
    AnyReceipt,
    FlowReceipt,
    FlowRecord,
    OtpReceipt,
    OtpRecord,
    TokenInfo,
    ViberOtpReceipt,
    ViberOtpRecord,
)
from .records.otp_template import OtpTemplate, read_otp_templates
from .records.record import JsonObject
from .secret import Secret, SecretBytes

_T = TypeVar("_T")

AnyRecord = FlowRecord | OtpRecord | ViberOtpRecord
"""Any record that tracking returns."""


class ReadApi:
    """Read calls over the transport of a client.

    Every call raises `NotSent`, `Rejected` or `NoResponse`; all are safe to repeat.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def track(self, tracking_id: str, endpoint: Endpoint, *, by_id: bool = False) -> AnyRecord:
        """Return the current record of a message. `by_id`: by an id, whose endpoint may be another one."""
        path, parse = TRACKING_ROUTES[endpoint]
        try:
            return await self.fetch(path + quote(tracking_id, safe=""), parse)
        except NotFound as error:
            if by_id:
                error.args = (f"{error}; {_other_endpoints(endpoint)}",)
            raise

    async def fetch(self, path: str | Secret, parse: Callable[[JsonObject], _T], body: SecretBytes | None = None) -> _T:
        """Return the JSON object of the response as `parse` converts it. A request with a body is a POST.

        A `path` whose query may hold a phone number is a `Secret`, so that no traceback shows it.
        `parse` may raise `ValueError`, with a text that quotes nothing of the response: it is raised as `NoResponse`.
        """
        record = parse_object(await self._request(path, body), parse)
        if isinstance(record, str):
            raise _unreadable(record)
        return record

    async def fetch_json(self, path: str | Secret) -> Any:
        """Return the JSON of the response, whatever its shape; `path` is as in `fetch`."""
        value = parse_json(await self._request(path))
        if value is UNREADABLE:
            raise _unreadable("is not JSON")
        return value

    async def otp_templates(self) -> tuple[OtpTemplate, ...]:
        """Return the templates for failover OTP flows."""
        response = await self.fetch_json("/failover-otp/otp/templates")
        try:
            return read_otp_templates(response)
        except ValueError as error:
            raise _unreadable(str(error)) from None

    async def token_info(self) -> TokenInfo:
        """Return what the access token allows."""
        access_token = await self._transport.get_access_token()
        return TokenInfo.from_dict({}) if access_token is None else access_token.info

    async def _request(self, path: str | Secret, body: SecretBytes | None = None) -> bytes:
        method = "GET" if body is None else "POST"
        request = ApiRequest(method, path.reveal() if isinstance(path, Secret) else path, body, safe=True)
        outcome, result, _ = await self._transport.send_request(request)
        response = result.response
        if outcome is Outcome.NOT_SENT:
            not_sent = f"{result.reason}; the request did not reach Routee and can be repeated"
            raise ConnectFailed(not_sent) from result.cause
        if response is None or outcome is Outcome.UNKNOWN:
            no_response = f"{result.summary}; nothing was changed, repeat the request"
            raise NoResponse(no_response, reason=result.summary) from result.cause
        if outcome is Outcome.REJECTED:
            error = parse_rejection(response.status, response.retry_after, response.body, secrets=_secrets(request))
            explain_forbidden(error, self._transport.access_token)
            raise error
        return response.body


def resolve_target(
    method: str, message: AnyReceipt | AnyRecord | str, endpoint: Endpoint | str
) -> tuple[str, Endpoint]:
    """Return the id by which a message is tracked, and its endpoint. Raises `InvalidFlow` for an unusable id."""
    tracking_id: str | None
    match message:
        case FlowReceipt() | FlowRecord():
            tracking_id, endpoint = message.tracking_id, Endpoint.STANDARD
        case OtpReceipt() | OtpRecord():
            tracking_id, endpoint = message.flow_id, Endpoint.OTP
        case ViberOtpReceipt() | ViberOtpRecord():
            tracking_id, endpoint = message.tracking_id, Endpoint.VIBER_OTP
        case _:
            tracking_id = message
    if not isinstance(tracking_id, str) or not tracking_id.isprintable() or tracking_id.strip(". ") == "":
        raise InvalidFlow(method, [Problem((), "takes a receipt, a record, or the id of one")])
    if endpoint not in [*Endpoint]:
        raise InvalidFlow(method, [Problem(("endpoint",), endpoint_problem(endpoint))])
    return tracking_id, Endpoint(endpoint)


def _secrets(request: ApiRequest) -> list[str]:
    """Return what a rejection may quote and no error may show: credentials, and the numbers that are searched for."""
    sent = request.path.partition("?")[2] + ("" if request.body is None else request.body.reveal().decode())
    return [*header_secrets(request.sent_headers), *numbers_in(sent)]


def _other_endpoints(endpoint: Endpoint) -> str:
    """Return how an id is looked up at the other endpoints: a receipt knows its own, an id does not."""
    path, _ = TRACKING_ROUTES[endpoint]
    others = [str(other) for other in Endpoint if TRACKING_ROUTES[other][0] != path and other != Endpoint.TRANSACTIONAL]
    return (
        f"the endpoint {endpoint} was asked: pass the receipt, or name the endpoint that the message was sent to, "
        f"endpoint={' or '.join(map(repr, others))} for example"
    )


def _unreadable(problem: str) -> NoResponse:
    reason = f"the response {problem}"
    return NoResponse(f"{reason}; nothing was changed, repeat the request", reason=reason)
