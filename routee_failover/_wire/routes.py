"""Routes of the send and tracking APIs: paths, response parsers, and the correlation to find a message again."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..errors import Outcome, Rejected
from ..flows import AnyFlow, Endpoint, RawFlow
from ..records import AnyReceipt, FlowRecord, OtpRecord, ViberOtpRecord
from ..records._fields import get_recipient
from ..records.record import JsonObject
from ..secret import mask_phone
from .dump import dump_flow
from .responses import ReceiptParser, parse_flow_receipt, parse_otp_receipt, parse_viber_otp_receipt


class Route(NamedTuple):
    """Route of one send API: its path, and the reader of what the body of a 2xx proves, with the receipt in it."""

    path: str
    read_receipt: Callable[[bytes], tuple[Outcome, AnyReceipt | Rejected | str]]


def _route(path: str, parse_receipt: ReceiptParser) -> Route:
    def read_receipt(body: bytes) -> tuple[Outcome, AnyReceipt | Rejected | str]:
        receipt = parse_receipt(body)
        if isinstance(receipt, Rejected):
            return Outcome.REJECTED, receipt
        return Outcome.UNKNOWN if isinstance(receipt, str) else Outcome.ACCEPTED, receipt

    return Route(path, read_receipt)


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
"""Path prefix of the tracking API of each endpoint, before the id, and the parser of its response."""


def correlation(flow: AnyFlow) -> dict[str, str]:
    """Return the fields that identify a message whose outcome is unknown; its recipient is masked.

    Of a raw flow that is the endpoint alone: which of its values are a recipient or a label is not known.
    """
    if isinstance(flow, RawFlow):
        return {"endpoint": str(flow.endpoint)}
    mapping = dump_flow(flow)
    steps: list[dict[str, Any]] = mapping.get("flow", [mapping])
    parts = [*steps, *(step["message"] for step in steps if isinstance(step.get("message"), dict))]
    recipients = map(get_recipient, steps)
    fields = {
        "to": next((mask_phone(recipient) for recipient in recipients if recipient), None),
        "label": next((part["label"] for part in parts if "label" in part), None),
        "seq": next((step["seq"] for step in steps if "seq" in step), None),
    }
    return {"endpoint": str(flow.endpoint)} | {name: str(value) for name, value in fields.items() if value is not None}
