"""Where each kind of flow is posted and tracked, what answers are read as, and what a message is looked up by."""

from collections.abc import Callable, Mapping
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
