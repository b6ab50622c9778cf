"""What the failover API answers about standard and transactional flows (https://docs.routee.net/docs/failover-statuses).

The casing is the documented one: Viber statuses in upper case, SMS and Voice statuses in title case.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from ..life.book import AcceptedFlow
from ..life.engine import FlowState, Message
from ..life.plan import DEFAULT_TRIGGERS, DEFAULT_TTL, Endpoint, PlannedStep
from ..life.scripts import Channel
from .prices import APPLICATION_ID, OPERATOR, amount, country, part_price, sms_parts, total

_TEMPLATE_FIELDS = ("templateId", "templateLang", "templateParams", "deliveryScope")
_DIAL_PLAN_NAMES = ("dialPlan", "dialplan")


def moment(at: datetime, seconds: float = 0.0) -> str:
    """A moment in ISO 8601 with milliseconds; what lies beyond the last that a calendar knows is shown as that one."""
    try:
        at += timedelta(seconds=seconds)
    except OverflowError:  # a clock can be put forward further than the year 9999
        at = datetime.max.replace(tzinfo=at.tzinfo)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def accepted(flow: AcceptedFlow) -> dict[str, Any]:
    """The answer to a send."""
    body: dict[str, Any] = {
        "trackingId": flow.id,
        "flowKind": flow.endpoint,
        "flow": [_echo(flow, step) for step in flow.body["flow"]],
        "createdAt": moment(flow.at),
    }
    if "callback" in flow.body:
        body["callback"] = flow.body["callback"]
    return body


def _echo(flow: AcceptedFlow, step: Mapping[str, Any]) -> dict[str, Any]:
    if step["type"] == "Voice":  # requests spell it dialPlan, the answer's table dialPlans
        return {("dialPlans" if name in _DIAL_PLAN_NAMES else name): value for name, value in step.items()}
    if flow.endpoint == Endpoint.TRANSACTIONAL and step["type"] == "Viber":
        return {**step, "seq": _seq(flow, step)}
    return dict(step)


def _seq(flow: AcceptedFlow, step: Mapping[str, Any]) -> int:
    """The client's sequence number, or one of ours: the flow's place among all that were accepted."""
    return int(step.get("seq", flow.number))


def tracking(flow: AcceptedFlow, steps: Sequence[PlannedStep], state: FlowState) -> dict[str, Any]:
    """The record of a flow. Messages that were not sent yet are absent (INF)."""
    elapsed = state.updated_at
    return {
        "trackingId": flow.id,
        "flowKind": flow.endpoint,
        "messages": [
            record
            for message in state.messages
            for record in _messages(flow, steps[message.position], message, elapsed)
        ],
        "terminationChannel": state.termination,
        "status": state.status,
        # The callback's page writes statusCode as a string, and null where there is none.
        "statusCode": None if state.code is None else str(state.code.value),
        "totalPrice": amount(total(flow, steps, state)),
        "originatingService": "failover",
        "applicationId": APPLICATION_ID,
        "createdAt": moment(flow.at),
        "updatedAt": moment(flow.at, elapsed),
    }


def _messages(flow: AcceptedFlow, step: PlannedStep, message: Message, elapsed: float) -> Iterator[dict[str, Any]]:
    """What a record shows of a step that was sent: one message object, or one for each part of a long SMS."""
    channel = message.channel
    body = step.body
    record: dict[str, Any] = {
        "type": channel,
        "order": step.order,
        "to": step.recipient,
        "failoverOnStatuses": body.get("failoverOnStatuses", list(DEFAULT_TRIGGERS[channel])),
        "status": _status(flow, message, elapsed),
        "price": amount(part_price(message, elapsed)),
        "createdAt": moment(flow.at, message.sent_at),
    }
    if (known := country(step.recipient)) is not None:
        record["country"] = known
    own = {Channel.SMS: _sms, Channel.VIBER: _viber, Channel.VOICE: _voice}[channel]
    yield from (record | part for part in own(flow, step, message, elapsed))


def _status(flow: AcceptedFlow, message: Message, elapsed: float) -> dict[str, Any]:
    status = message.status(elapsed)
    return {
        "name": status.name,
        "reason": {"detailedStatus": status.detail, "description": f"The message is {status.name}"},
        "updatedDate": moment(flow.at, status.at),
    }


def _sms(flow: AcceptedFlow, step: PlannedStep, message: Message, elapsed: float) -> Iterator[dict[str, Any]]:
    body, message_id = step.body, flow.message_ids[message.position]
    record: dict[str, Any] = {
        "messageId": message_id,
        "from": body["from"],
        "operator": OPERATOR,
        "ttl": body.get("ttl", DEFAULT_TTL[Channel.SMS]),
    }
    if "label" in body["message"]:
        record["label"] = body["message"]["label"]
    if (delivered := message.delivered_at(elapsed)) is not None:
        record["latency"] = round((delivered - message.sent_at) * 1000)
    texts = sms_parts(flow, step)
    for part, text in enumerate(texts, start=1):
        # INF: `body` is the part's own text; the pages show a text of one part only.
        yield record | {"smsId": f"{message_id}-{part}", "body": text, "part": part, "parts": len(texts)}


def _viber(flow: AcceptedFlow, step: PlannedStep, message: Message, elapsed: float) -> Iterator[dict[str, Any]]:
    body, status = step.body, message.status(elapsed)
    expired_on_delivery = status.name == "EXPIRED" and message.delivered_at(elapsed) is not None
    record = {
        "trackingId": flow.message_ids[message.position],
        "from": body["senderInfoTrackingId"],  # INF: Routee shows the sender's name, which only Routee knows
        "body": body.get("message", {}),
        "ttl": body.get("ttl", DEFAULT_TTL[Channel.VIBER]),
        "expireOnDelivery": body.get("expireOnDelivery") is True,
        "expiredOnDeliveryAt": moment(flow.at, status.at) if expired_on_delivery else None,
        **{name: body[name] for name in ("label", "inboundUrl") if name in body},
    }
    if flow.endpoint == Endpoint.TRANSACTIONAL:  # INF: the send's answer echoes them, so the record may
        record |= {name: body[name] for name in _TEMPLATE_FIELDS if name in body} | {"seq": _seq(flow, body)}
    yield record


def _voice(flow: AcceptedFlow, step: PlannedStep, message: Message, elapsed: float) -> Iterator[dict[str, Any]]:
    """INF: the failover pages show no Voice message; this is the one of the voice callback."""
    answered = next((change.at for change in message.changes if change.name == "InProgress"), None)
    completed = message.delivered_at(elapsed)
    yield {
        "messageId": flow.message_ids[message.position],
        "conversationTrackingId": flow.message_ids[message.position],
        "from": step.body["from"],
        "direction": "Outbound",
        "originatingService": "Failover",
        "duration": round(completed - answered) if completed is not None and answered is not None else 0,
    }
