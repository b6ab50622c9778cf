"""Routee's answers become receipts, records and refusals. Nothing here raises with an answer in its frames."""

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
from ..secret import MASK
from .json import decode

_T = TypeVar("_T")

_KINDS: Mapping[int, type[Rejected]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    422: Unprocessable,
    429: RateLimited,
}

_ADVICE: Mapping[int, str] = {
    401: "the token was refused, and to renew it did not help; check the application on Routee's platform",
    403: "the application lacks a role, a scope or a service that this needs",
    404: "the sender, the template or the id is not known to this application",
    429: "too many requests; wait and send again",
}


def parse_object(body: bytes, parse: Callable[[JsonObject], _T]) -> _T | str:
    """A record out of an answer's body, or why it cannot be read."""
    try:
        answer = decode(body)
        return parse(answer) if isinstance(answer, dict) else "is no JSON object"
    except ValueError as error:
        return str(error)


UNREADABLE = object()


def parse_json(body: bytes) -> Any:
    """What an answer says, or `UNREADABLE`."""
    try:
        return decode(body)
    except ValueError:
        return UNREADABLE


def parse_flow_receipt(body: bytes) -> FlowReceipt | Rejected | str:
    """The receipt of a standard or transactional flow."""
    return parse_object(body, FlowReceipt.from_dict)


def parse_otp_receipt(body: bytes) -> OtpReceipt | Rejected | str:
    """The receipt of a failover OTP flow; with `status: Failed` it is a refusal although it comes with a 200."""
    return parse_object(body, _otp_receipt)


def parse_viber_otp_receipt(body: bytes) -> ViberOtpReceipt | Rejected | str:
    """The receipt of a Viber OTP."""
    return parse_object(body, ViberOtpReceipt.from_dict)


ReceiptParser = Callable[[bytes], AnyReceipt | Rejected | str]


def _otp_receipt(answer: JsonObject) -> OtpReceipt | FlowFailed:
    status = answer.get("status")
    if not isinstance(status, str) or status.lower() != "failed":
        return OtpReceipt.from_dict(answer)
    code = get_int(answer, "statusCode")
    reason = FAILURE_REASONS.get(code, "no reason given") if code is not None else "no reason given"
    return FlowFailed(
        f"Routee accepted the message on no channel: {reason}",
        reason=reason,
        status_code=code,
        developer_message=get_str(answer, "error"),
    )


def parse_rejection(
    status: int, retry_after: float | None, body: bytes, *, suffix: str = "", secrets: Iterable[str] = ()
) -> Rejected:
    """The error for an answer that refuses, with Routee's words for it; what of `secrets` stands in them is masked."""
    answer = parse_json(body)
    answer = answer if isinstance(answer, dict) else {}
    message, problems = _words(answer)
    hide = _masking(secrets)
    message = hide(message) if message else None
    problems = {hide(place): hide(reason) for place, reason in islice(problems.items(), MAX_PROBLEMS)}
    kind = _KINDS.get(status, Rejected)
    if kind is BadRequest and message and "balance" in message.lower():
        # Routee documents the case and not its code (https://docs.routee.net/docs/error-codes): its words have to do.
        kind = InsufficientBalance
    parts = [
        f"Routee refused it with {status}",
        message or _ADVICE.get(status) or ("check the configured address" if 300 <= status < 400 else None),
        *(f"{place}: {reason}" for place, reason in problems.items()),
    ]
    return kind(
        "; ".join(part for part in parts if part) + suffix,
        status=status,
        code=hide(get_str(answer, "code") or get_str(answer, "errorCode") or "") or None,
        developer_message=message,
        problems=problems,
        retry_after=retry_after,
    )


MAX_PROBLEMS = 50
MAX_MESSAGE_LENGTH = 500
"""Routee's words are shown up to this length: an error is read by a person."""


def redact_rejection(rejection: Rejected, secrets: Iterable[str]) -> Rejected:
    """The same refusal with `secrets` masked in Routee's own words."""
    if rejection.developer_message is not None:
        rejection.developer_message = _masking(secrets)(rejection.developer_message)
    return rejection


def _words(answer: dict[str, Any]) -> tuple[str | None, dict[str, str]]:
    """Routee's message and its field problems, in any of the shapes that its services use."""
    message = next((answer[key] for key in _MESSAGE_KEYS if isinstance(answer.get(key), str)), None)
    problems: dict[str, str] = {}
    properties = answer.get("properties")
    if isinstance(properties, dict):
        problems = {str(place): str(reason) for place, reason in properties.items()}
    # The failover OTP service documents no body for its 422; this is what services like it send.
    detail = answer.get("detail")
    for item in detail if isinstance(detail, list) else []:
        if isinstance(item, dict) and isinstance(item.get("loc"), list):
            problems[".".join(str(part) for part in item["loc"])] = str(item.get("msg"))
    return message, problems


_MESSAGE_KEYS = ("developerMessage", "error_description", "message", "error", "detail")


def _masking(secrets: Iterable[str]) -> Callable[[str], str]:
    known = sorted((secret for secret in secrets if secret), key=len, reverse=True)

    def hide(words: str) -> str:
        for secret in known:
            words = words.replace(secret, MASK)
        return words if len(words) <= MAX_MESSAGE_LENGTH else f"{words[:MAX_MESSAGE_LENGTH]}..."

    return hide
