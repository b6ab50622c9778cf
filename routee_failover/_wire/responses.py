"""Parse Routee's responses to receipts, records and `Rejected` errors.

No exception that is raised here has a response in its frames.
"""

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any, TypeVar

from ..errors import (
    BadRequest,
    FlowFailed,
    Forbidden,
    InsufficientBalance,
    NotFound,
    RateLimited,
    Rejected,
    Unauthorized,
    Unprocessable,
)
from ..records import AnyReceipt, FlowReceipt, OtpReceipt, ViberOtpReceipt
from ..records._fields import get_int, get_str
from ..records.record import JsonObject
from ..records.statuses import FAILURE_REASONS
from .json_codec import decode
from .redaction import make_redactor

_T = TypeVar("_T")

_ERROR_CLASSES: Mapping[int, type[Rejected]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    422: Unprocessable,
    429: RateLimited,
}

_HINTS: Mapping[int, str] = {
    401: "the token was rejected, and renewing it did not help; check the application on Routee's platform",
    403: "the application lacks a role, a scope or a service that this needs",
    404: "the sender, the template or the id is not known to this application",
    429: "too many requests; wait and send again",
}


def parse_object(body: bytes, parse: Callable[[JsonObject], _T]) -> _T | str:
    """Return the record in a response body, or the reason why it cannot be read."""
    try:
        data = decode(body)
        return parse(data) if isinstance(data, dict) else "is not a JSON object"
    except ValueError as error:
        return str(error)


UNREADABLE = object()


def parse_json(body: bytes) -> Any:
    """Return the JSON value in a response body, or `UNREADABLE`."""
    try:
        return decode(body)
    except ValueError:
        return UNREADABLE


def parse_flow_receipt(body: bytes) -> FlowReceipt | FlowFailed | str:
    """Parse the receipt of a standard or transactional flow, or return the reason why it cannot be read."""
    return parse_object(body, FlowReceipt.from_dict)


def parse_otp_receipt(body: bytes) -> OtpReceipt | FlowFailed | str:
    """Parse the receipt of a failover OTP flow; `status: Failed` is a rejection although it comes with a 200."""
    return parse_object(body, _otp_receipt_or_failure)


def parse_viber_otp_receipt(body: bytes) -> ViberOtpReceipt | FlowFailed | str:
    """Parse the receipt of a Viber OTP, or return the reason why it cannot be read."""
    return parse_object(body, ViberOtpReceipt.from_dict)


ReceiptParser = Callable[[bytes], AnyReceipt | FlowFailed | str]


def _otp_receipt_or_failure(data: JsonObject) -> OtpReceipt | FlowFailed:
    status = data.get("status")
    if not isinstance(status, str) or status.lower() != "failed":
        return OtpReceipt.from_dict(data)
    return _flow_failed(get_int(data, "statusCode"), _error_text(data))


def _error_text(data: JsonObject) -> str | None:
    """Return Routee's reason for a failed flow: `error`, or what its services otherwise call it."""
    error = data.get("error")
    text = get_str(data, "error") or (_extract_messages(error)[0] if isinstance(error, dict) else None)
    return (text or _extract_messages(data)[0] or "").strip() or None


def _flow_failed(code: int | None, text: str | None) -> FlowFailed:
    meaning = None if code is None else FAILURE_REASONS.get(code)
    reason = meaning or text or NO_REASON
    addition = f" ({text})" if meaning and text and text.lower() != meaning else ""
    return FlowFailed(
        f"Routee accepted the message on no channel: {reason}{addition}",
        reason=reason,
        status_code=code,
        developer_message=text,
    )


NO_REASON = "no reason given"


def parse_rejection(
    status: int, retry_after: float | None, body: bytes, *, suffix: str = "", secrets: Iterable[str] = ()
) -> Rejected:
    """Return the error for a rejecting response, with Routee's messages in which `secrets` are masked."""
    # 1. Routee's messages, without secrets.
    data = parse_json(body)
    data = data if isinstance(data, dict) else {}
    message, problems = _extract_messages(data)
    redact = _shortening_redactor(secrets)
    message = redact(message) if message else None
    problems = {redact(path): redact(reason) for path, reason in islice(problems.items(), MAX_PROBLEMS)}
    # 2. The class of the error.
    error_class = _ERROR_CLASSES.get(status, Rejected)
    code = get_str(data, "code") or get_str(data, "errorCode") or ""
    # Routee's page lists no code for the case (https://docs.routee.net/docs/error-codes): its text counts as well.
    if error_class is BadRequest and (code == BALANCE_CODE or "balance" in (message or "").lower()):
        error_class = InsufficientBalance
    # 3. The text of the error.
    parts = [
        f"Routee rejected it with {status}",
        message or _HINTS.get(status) or ("check the configured URL" if 300 <= status < 400 else None),
        *(f"{path}: {reason}" for path, reason in problems.items()),
    ]
    return error_class(
        "; ".join(part for part in parts if part) + suffix,
        status=status,
        code=redact(code) or None,
        developer_message=message,
        problems=problems,
        retry_after=retry_after,
    )


BALANCE_CODE = "400001009"
"""Code of an insufficient balance, as public programs that use Routee have recorded it."""
MAX_PROBLEMS = 50
MAX_MESSAGE_LENGTH = 500
"""Characters that an error shows of each of Routee's messages: errors are read by people."""


def redact_rejection(rejection: Rejected, secrets: Iterable[str]) -> Rejected:
    """Return the same error with `secrets` masked in Routee's message, wherever the error shows it."""
    redact = _shortening_redactor(secrets)
    if rejection.developer_message is not None:
        rejection.developer_message = redact(rejection.developer_message)
    if isinstance(rejection, FlowFailed):
        rejection.reason = redact(rejection.reason)
    rejection.args = tuple(map(redact, rejection.args))
    return rejection


def _extract_messages(data: JsonObject) -> tuple[str | None, dict[str, str]]:
    """Return Routee's message and its problems by field, from any of the formats that its services use."""
    message = next((data[key] for key in _MESSAGE_KEYS if isinstance(data.get(key), str)), None)
    problems: dict[str, str] = {}
    properties = data.get("properties")
    if isinstance(properties, dict):
        problems = {str(path): str(reason) for path, reason in properties.items()}
    # The failover OTP service documents no body for its 422; this is the format of similar services.
    detail = data.get("detail")
    for item in detail if isinstance(detail, list) else []:
        if isinstance(item, dict) and isinstance(item.get("loc"), list):
            problems[".".join(str(part) for part in item["loc"])] = str(item.get("msg"))
    return message, problems


_MESSAGE_KEYS = ("developerMessage", "error_description", "message", "error", "detail")


def _shortening_redactor(secrets: Iterable[str]) -> Callable[[str], str]:
    redact = make_redactor(secrets)

    def redact_and_shorten(text: str) -> str:
        text = redact(text)
        return text if len(text) <= MAX_MESSAGE_LENGTH else f"{text[:MAX_MESSAGE_LENGTH]}..."

    return redact_and_shorten
