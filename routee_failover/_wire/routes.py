"""Where each kind of flow is posted and tracked, what answers are read as, and what of a flow people may be told."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from ..errors import Outcome, Rejected
from ..flows import AnyFlow, Endpoint
from ..records import FlowRecord, OtpRecord, ViberOtpRecord
from ..records.record import JsonObject
from ..secret import mask_phone
from .dump import dump_flow
from .responses import ReceiptParser, parse_flow_receipt, parse_otp_receipt, parse_viber_otp_receipt


class Route(NamedTuple):
    """The path of one send API, the reader of its receipts, and what the body of a 2xx proves."""

    path: str
    parse_receipt: ReceiptParser
    classify_body: Callable[[bytes], Outcome]


def _route(path: str, read_receipt: ReceiptParser) -> Route:
    def judge(body: bytes) -> Outcome:
        read = read_receipt(body)
        if isinstance(read, Rejected):
            return Outcome.REJECTED
        return Outcome.UNKNOWN if isinstance(read, str) else Outcome.ACCEPTED

    return Route(path, read_receipt, judge)


ROUTES: Mapping[Endpoint, Route] = {
    Endpoint.STANDARD: _route("/failover", parse_flow_receipt),
    Endpoint.TRANSACTIONAL: _route("/failover/transactional", parse_flow_receipt),
    Endpoint.OTP: _route("/failover-otp/otp/send-failover", parse_otp_receipt),
    Endpoint.VIBER_OTP: _route("/viber/otp", parse_viber_otp_receipt),
}

TRACKING_ROUTES: Mapping[Endpoint, tuple[str, Callable[[JsonObject], FlowRecord | OtpRecord | ViberOtpRecord]]] = {
    Endpoint.STANDARD: ("/failover/tracking/", FlowRecord.from_dict),
    Endpoint.TRANSACTIONAL: ("/failover/tracking/", FlowRecord.from_dict),
    Endpoint.OTP: ("/failover-otp/otp/failover/", OtpRecord.from_dict),
    Endpoint.VIBER_OTP: ("/viber/tracking/", ViberOtpRecord.from_dict),
}
"""Where a message is tracked by its id, and what the answer is read as."""

_SECRET_KEYS = frozenset({"pin", "to", "phone", "viber", "sip", "body", "text"})
_SHORTEST_SECRET = 4
"""Shorter texts are no secrets worth garbling Routee's words for; a PIN has at least four characters."""


def correlation(flow: AnyFlow) -> dict[str, str]:
    """What a message can be looked up by when nobody knows whether it was accepted: its recipient is masked."""
    mapping = dump_flow(flow)
    steps: list[dict[str, Any]] = mapping.get("flow", [mapping])
    parts = [*steps, *(step["message"] for step in steps if isinstance(step.get("message"), dict))]
    recipients = (step["to"].get("phone") if isinstance(step["to"], dict) else step["to"] for step in steps)
    found = {
        "to": next((mask_phone(recipient) for recipient in recipients if recipient), None),
        "label": next((part["label"] for part in parts if "label" in part), None),
        "seq": next((step["seq"] for step in steps if "seq" in step), None),
    }
    return {"endpoint": str(flow.endpoint)} | {name: str(value) for name, value in found.items() if value is not None}


def collect_secrets(flow: AnyFlow) -> list[str]:
    """The texts of a flow that no error may show, though Routee may quote them: PIN, texts and recipients.

    Each in every form in which an answer may quote it: a number without its +, a text as JSON spells it.
    """
    texts = {text for text in _secret_texts(dump_flow(flow)) if len(text) >= _SHORTEST_SECRET}
    spelled = {json.dumps(text, ensure_ascii=ascii_only)[1:-1] for text in texts for ascii_only in (True, False)}
    # A code stands in a text as a word of its own, and Routee may quote any part of the text around it.
    codes = {
        word
        for text in texts
        for word in re.findall(r"\w+", text)
        if len(word) >= _SHORTEST_SECRET and _has_digit(word)
    }
    return [*(texts | spelled | codes | {text.removeprefix("+") for text in texts})]


_has_digit = re.compile(r"\d").search


def _secret_texts(value: Any, key: str = "", *, secret: bool = False) -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _secret_texts(item, name, secret=secret or name == "templateParams")
    elif isinstance(value, list):
        for item in value:
            yield from _secret_texts(item, key, secret=secret)
    elif secret or key in _SECRET_KEYS:
        yield str(value)
