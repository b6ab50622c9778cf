"""What the Viber API answers about single OTPs (https://docs.routee.net/reference/viber-otp-request)."""

from typing import Any

from ..life.book import AcceptedFlow
from ..life.engine import FlowState, Message
from .failover_answers import moment
from .prices import APPLICATION_NAME, amount, country, part_price

_ECHOED = ("ttl", "seq", "label", "type", "templateId", "templateParams", "templateLang")


def accepted(flow: AcceptedFlow, state: FlowState) -> dict[str, Any]:
    """The answer to a send."""
    echo = {name: flow.body[name] for name in _ECHOED if name in flow.body}
    return _record(flow, state.messages[0], 0.0) | echo


def tracking(flow: AcceptedFlow, state: FlowState) -> dict[str, Any]:
    """The record of a message."""
    message, elapsed = state.messages[0], state.updated_at
    record = _record(flow, message, elapsed) | {
        "originatingService": "Viber",
        "price": amount(part_price(message, elapsed)),
        "expireOnDelivery": False,
    }
    return record | ({"ttl": flow.body["ttl"]} if "ttl" in flow.body else {})


def _record(flow: AcceptedFlow, message: Message, elapsed: float) -> dict[str, Any]:
    status = message.status(elapsed)
    body = flow.body
    record: dict[str, Any] = {
        "trackingId": flow.id,
        "to": body["to"],
        "from": body["senderInfoTrackingId"],  # INF: Routee shows the sender's name, which only Routee knows
        "status": {
            "status": status.name,
            "date": moment(flow.at, status.at),
            "reason": {"detailedStatus": status.detail, "description": f"The message is {status.name}"},
        },
        "applicationName": APPLICATION_NAME,
        "direction": "Outbound",
    }
    if (known := country(body["to"])) is not None:
        record["country"] = known
    return record
