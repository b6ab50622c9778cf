"""Responses of the Viber API for single OTPs (https://docs.routee.net/reference/viber-otp-request)."""

from typing import Any

from ..simulation.flow_store import AcceptedFlow
from ..simulation.timeline import SimulatedFlowState, SimulatedMessage
from .failover_responses import format_timestamp
from .pricing import APPLICATION_NAME, country_code, part_price, to_currency_amount

_ECHOED = ("ttl", "seq", "label", "type", "templateId", "templateParams", "templateLang")


def send_response(flow: AcceptedFlow, state: SimulatedFlowState) -> dict[str, Any]:
    """Return the response to a send."""
    echo = {name: flow.body[name] for name in _ECHOED if name in flow.body}
    return _record(flow, state.messages[0], 0.0) | echo


def tracking_record(flow: AcceptedFlow, state: SimulatedFlowState) -> dict[str, Any]:
    """Return the tracking record of a message."""
    message, elapsed = state.messages[0], state.updated_at
    record = _record(flow, message, elapsed) | {
        "originatingService": "Viber",
        "price": to_currency_amount(part_price(message, elapsed)),
        "expireOnDelivery": False,
    }
    return record | ({"ttl": flow.body["ttl"]} if "ttl" in flow.body else {})


def _record(flow: AcceptedFlow, message: SimulatedMessage, elapsed: float) -> dict[str, Any]:
    status = message.status_at(elapsed)
    body = flow.body
    record: dict[str, Any] = {
        "trackingId": flow.id,
        "to": body["to"],
        "from": body["senderInfoTrackingId"],  # INF: Routee shows the sender's name, which only Routee knows
        "status": {
            "status": status.name,
            "date": format_timestamp(flow.created_at, status.at),
            "reason": {"detailedStatus": status.detailed_status, "description": f"The message is {status.name}"},
        },
        "applicationName": APPLICATION_NAME,
        "direction": "Outbound",
    }
    if (country := country_code(body["to"])) is not None:
        record["country"] = country
    return record
