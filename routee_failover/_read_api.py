"""Reading calls: they change nothing at Routee, so each may be repeated, and each error of theirs says so.

It stands apart from the client, which has a verb for each of them, so that searching and waiting can ask as well.
"""

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import quote

from ._transport import ApiRequest, Transport
from ._wire.responses import UNREADABLE, parse_json, parse_object, parse_rejection
from ._wire.routes import TRACKING_ROUTES
from .errors import ConnectFailed, InvalidFlow, NoResponse, Outcome, Problem
from .flows import Endpoint
from .records import AnyReceipt, FlowReceipt, FlowRecord, OtpReceipt, OtpRecord, ViberOtpReceipt, ViberOtpRecord
from .records.record import JsonObject
from .secret import SecretBytes

_T = TypeVar("_T")

AnyRecord = FlowRecord | OtpRecord | ViberOtpRecord
"""Whatever tracking gives."""


class ReadApi:
    """Asks Routee over a client's transport.

    Every question raises `NotSent`, `Rejected` or `NoResponse`, and all of them are safe to repeat.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def track(self, tracking_id: str, endpoint: Endpoint) -> AnyRecord:
        """What has become of a message so far."""
        path, read = TRACKING_ROUTES[endpoint]
        return await self.fetch(path + quote(tracking_id, safe=""), read)

    async def fetch(self, path: str, parse: Callable[[JsonObject], _T], body: SecretBytes | None = None) -> _T:
        """The object that Routee answers with, as `read` understands it; a question with a body is a POST.

        `read` may raise `ValueError` with words that quote nothing of the answer: then it counts as none.
        """
        record = parse_object(await self._ask(path, body), parse)
        if isinstance(record, str):
            raise _unreadable(record)
        return record

    async def fetch_json(self, path: str) -> Any:
        """What Routee answers with, whatever it is."""
        answer = parse_json(await self._ask(path))
        if answer is UNREADABLE:
            raise _unreadable("is not JSON")
        return answer

    async def _ask(self, path: str, body: SecretBytes | None = None) -> bytes:
        verb = "GET" if body is None else "POST"
        outcome, evidence = await self._transport.send_request(ApiRequest(verb, path, body, safe=True))
        answer = evidence.response
        if outcome is Outcome.NOT_SENT:
            raise ConnectFailed(f"{evidence.reason}; the question did not reach Routee and can be asked again")
        if answer is None or outcome is Outcome.UNKNOWN:
            raise NoResponse(f"{evidence.summary}; nothing was changed, ask again", reason=evidence.summary)
        if outcome is Outcome.REJECTED:
            raise parse_rejection(answer.status, answer.retry_after, answer.body)
        return answer.body


def resolve_target(
    method: str, message: AnyReceipt | AnyRecord | str, endpoint: Endpoint | str
) -> tuple[str, Endpoint]:
    """The id that a message is followed by, and the endpoint that knows it. Raises `InvalidFlow` for what is no id."""
    identity: str | None
    match message:
        case FlowReceipt() | FlowRecord():
            identity, endpoint = message.tracking_id, Endpoint.STANDARD
        case OtpReceipt() | OtpRecord():
            identity, endpoint = message.flow_id, Endpoint.OTP
        case ViberOtpReceipt() | ViberOtpRecord():
            identity, endpoint = message.tracking_id, Endpoint.VIBER_OTP
        case _:
            identity = message
    if not isinstance(identity, str) or not identity.isprintable() or identity.strip(". ") == "":
        raise InvalidFlow(method, [Problem((), "takes a receipt, a record, or the id in one")])
    if endpoint not in [*Endpoint]:
        raise InvalidFlow(method, [Problem(("endpoint",), f"must be one of {', '.join(Endpoint)}")])
    return identity, Endpoint(endpoint)


def _unreadable(why: str) -> NoResponse:
    cause = f"the answer {why}"
    return NoResponse(f"{cause}; nothing was changed, ask again", reason=cause)
