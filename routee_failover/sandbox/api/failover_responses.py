"""Responses of the failover API for standard and transactional flows (https://docs.routee.net/docs/failover-statuses).

The casing is the documented one: Viber statuses in upper case, SMS and Voice statuses in title case.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from ..simulation.flow_plan import DEFAULT_TRIGGERS, DEFAULT_TTL, PlannedStep, SendEndpoint
from ..simulation.flow_store import AcceptedFlow
from ..simulation.scripted_outcomes import SimulatedChannel
from ..simulation.timeline import SimulatedFlowState, SimulatedMessage
from .pricing import APPLICATION_ID, OPERATOR, country_code, part_price, sms_parts, to_currency_amount, total_price

_TEMPLATE_FIELDS = ("templateId", "templateLang", "templateParams", "deliveryScope")
_DIAL_PLAN_NAMES = ("dialPlan", "dialplan")


def format_timestamp(at: datetime, seconds: float = 0.0) -> str:
    """Return a time in ISO 8601 with milliseconds; one that is too late for `datetime` becomes its maximum."""
    try:
        at += timedelta(seconds=seconds)
    except OverflowError:  # the clock can be advanced beyond the year 9999
        at = datetime.max.replace(tzinfo=at.tzinfo)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def send_response(flow: AcceptedFlow) -> dict[str, Any]:
    """Return the response to a send."""
    body: dict[str, Any] = {
        "trackingId": flow.id,
        "flowKind": flow.endpoint,
        "flow": [_echo_step(flow, step) for step in flow.body["flow"]],
        "createdAt": format_timestamp(flow.created_at),
    }
    if "callback" in flow.body:
        body["callback"] = flow.body["callback"]
    return body


def _echo_step(flow: AcceptedFlow, step: Mapping[str, Any]) -> dict[str, Any]:
    if step["type"] == "Voice":  # requests write dialPlan, the documented response dialPlans
        return {("dialPlans" if name in _DIAL_PLAN_NAMES else name): value for name, value in step.items()}
    if flow.endpoint == SendEndpoint.TRANSACTIONAL and step["type"] == "Viber":
        return {**step, "seq": _seq(flow, step)}
    return dict(step)


def _seq(flow: AcceptedFlow, step: Mapping[str, Any]) -> int:
    """Return the client's sequence number, or the sandbox's: the number of the flow."""
    return int(step.get("seq", flow.number))


def tracking_record(flow: AcceptedFlow, steps: Sequence[PlannedStep], state: SimulatedFlowState) -> dict[str, Any]:
    """Return the tracking record of a flow. Messages that were not sent yet are absent (INF)."""
    elapsed = state.updated_at
    return {
        "trackingId": flow.id,
        "flowKind": flow.endpoint,
        "messages": [
            record
            for message in state.messages
            for record in _messages(flow, steps[message.position], message, elapsed)
        ],
        "terminationChannel": state.termination_channel,
        "status": state.status,
        # The page about callbacks writes statusCode as a string, and null where there is none.
        "statusCode": None if state.failure_code is None else str(state.failure_code.value),
        "totalPrice": to_currency_amount(total_price(flow, steps, state)),
        "originatingService": "failover",
        "applicationId": APPLICATION_ID,
        "createdAt": format_timestamp(flow.created_at),
        "updatedAt": format_timestamp(flow.created_at, elapsed),
    }


def _messages(
    flow: AcceptedFlow, step: PlannedStep, message: SimulatedMessage, elapsed: float
) -> Iterator[dict[str, Any]]:
    """Return the messages in the record of a step that was sent: one, or one for each part of a long SMS."""
    channel = message.channel
    body = step.body
    record: dict[str, Any] = {
        "type": channel,
        "order": step.order,
        "to": step.recipient,
        "failoverOnStatuses": body.get("failoverOnStatuses", list(DEFAULT_TRIGGERS[channel])),
        "status": _status(flow, message, elapsed),
        "price": to_currency_amount(part_price(message, elapsed)),
        "createdAt": format_timestamp(flow.created_at, message.sent_at),
    }
    if (country := country_code(step.recipient)) is not None:
        record["country"] = country
    channel_messages = {
        SimulatedChannel.SMS: _sms_messages,
        SimulatedChannel.VIBER: _viber_messages,
        SimulatedChannel.VOICE: _voice_messages,
    }[channel]
    yield from (record | message_fields for message_fields in channel_messages(flow, step, message, elapsed))


def _status(flow: AcceptedFlow, message: SimulatedMessage, elapsed: float) -> dict[str, Any]:
    status = message.status_at(elapsed)
    return {
        "name": status.name,
        "reason": {"detailedStatus": status.detailed_status, "description": f"The message is {status.name}"},
        "updatedDate": format_timestamp(flow.created_at, status.at),
    }


def _sms_messages(
    flow: AcceptedFlow, step: PlannedStep, message: SimulatedMessage, elapsed: float
) -> Iterator[dict[str, Any]]:
    body, message_id = step.body, flow.message_ids[message.position]
    record: dict[str, Any] = {
        "messageId": message_id,
        "from": body["from"],
        "operator": OPERATOR,
        "ttl": body.get("ttl", DEFAULT_TTL[SimulatedChannel.SMS]),
    }
    if "label" in body["message"]:
        record["label"] = body["message"]["label"]
    if (delivered := message.delivered_at(elapsed)) is not None:
        record["latency"] = round((delivered - message.sent_at) * 1000)
    texts = sms_parts(flow, step)
    for part, text in enumerate(texts, start=1):
        # INF: `body` is the text of the part; the pages show only an SMS of one part.
        yield record | {"smsId": f"{message_id}-{part}", "body": text, "part": part, "parts": len(texts)}


def _viber_messages(
    flow: AcceptedFlow, step: PlannedStep, message: SimulatedMessage, elapsed: float
) -> Iterator[dict[str, Any]]:
    body, status = step.body, message.status_at(elapsed)
    expired_on_delivery = status.name == "EXPIRED" and message.delivered_at(elapsed) is not None
    record = {
        "trackingId": flow.message_ids[message.position],
        "from": body["senderInfoTrackingId"],  # INF: Routee shows the sender's name, which only Routee knows
        "body": body.get("message", {}),
        "ttl": body.get("ttl", DEFAULT_TTL[SimulatedChannel.VIBER]),
        "expireOnDelivery": body.get("expireOnDelivery") is True,
        "expiredOnDeliveryAt": format_timestamp(flow.created_at, status.at) if expired_on_delivery else None,
        **{name: body[name] for name in ("label", "inboundUrl") if name in body},
    }
    if flow.endpoint == SendEndpoint.TRANSACTIONAL:  # INF: the send's response echoes them, so the record may
        record |= {name: body[name] for name in _TEMPLATE_FIELDS if name in body} | {"seq": _seq(flow, body)}
    yield record


def _voice_messages(
    flow: AcceptedFlow, step: PlannedStep, message: SimulatedMessage, elapsed: float
) -> Iterator[dict[str, Any]]:
    """Return the message of a Voice step. INF: the failover pages show none; this is the one of the voice callback."""
    answered = next((change.at for change in message.status_changes if change.name == "InProgress"), None)
    completed = message.delivered_at(elapsed)
    yield {
        "messageId": flow.message_ids[message.position],
        "conversationTrackingId": flow.message_ids[message.position],
        "from": step.body["from"],
        "direction": "Outbound",
        "originatingService": "Failover",
        "duration": round(completed - answered) if completed is not None and answered is not None else 0,
    }
