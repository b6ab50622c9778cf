"""Where each kind of flow is posted and tracked, what answers are read as, and what of a flow people may be told."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs

from ..flows import AnyFlow, Endpoint
from ..records import FlowRecord, OtpRecord, ViberOtpRecord
from ..records.record import Json
from ..secret import mask_phone
from .answers import ReadReceipt, read_flow_receipt, read_otp_receipt, read_viber_otp_receipt
from .dump import dump_flow


@attrs.frozen
class Route:
    """The path of one send API and the reader of its receipts."""

    path: str
    read_receipt: ReadReceipt


ROUTES: Mapping[Endpoint, Route] = {
    Endpoint.STANDARD: Route("/failover", read_flow_receipt),
    Endpoint.TRANSACTIONAL: Route("/failover/transactional", read_flow_receipt),
    Endpoint.OTP: Route("/failover-otp/otp/send-failover", read_otp_receipt),
    Endpoint.VIBER_OTP: Route("/viber/otp", read_viber_otp_receipt),
}

TRACKING: Mapping[Endpoint, tuple[str, Callable[[Json], FlowRecord | OtpRecord | ViberOtpRecord]]] = {
    Endpoint.STANDARD: ("/failover/tracking/", FlowRecord.read),
    Endpoint.TRANSACTIONAL: ("/failover/tracking/", FlowRecord.read),
    Endpoint.OTP: ("/failover-otp/otp/failover/", OtpRecord.read),
    Endpoint.VIBER_OTP: ("/viber/tracking/", ViberOtpRecord.read),
}
"""Where a message is tracked by its id, and what the answer is read as."""

_SECRET_KEYS = frozenset({"pin", "to", "phone", "viber", "sip", "body", "text"})


def correlation(flow: AnyFlow) -> dict[str, str]:
    """What a message can be looked up by when nobody knows whether it was accepted: its recipient is masked."""
    mapping = dump_flow(flow)
    step: Mapping[str, Any] = mapping["flow"][0] if "flow" in mapping else mapping
    message = step.get("message")
    label = step.get("label") or (message.get("label") if isinstance(message, dict) else None)
    found = {"endpoint": str(flow.endpoint), "to": mask_phone(step.get("to")), "label": label, "seq": step.get("seq")}
    return {name: str(value) for name, value in found.items() if value is not None}


def secrets_of(flow: AnyFlow) -> list[str]:
    """The texts of a flow that no error may show, though Routee may quote them: PIN, texts and recipients."""
    return [text for text in _secret_texts(dump_flow(flow)) if len(text) > 1]


def _secret_texts(value: Any, key: str = "", *, secret: bool = False) -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _secret_texts(item, name, secret=secret or name == "templateParams")
    elif isinstance(value, list):
        for item in value:
            yield from _secret_texts(item, key, secret=secret)
    elif secret or key in _SECRET_KEYS:
        yield str(value)
