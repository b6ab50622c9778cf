"""Deliveries by channel: one view of the three kinds of tracking record."""

import re

import attrs

from ..records import (
    Channel,
    FlowRecord,
    FlowStatus,
    MessageRecord,
    MessageStatus,
    OtpRecord,
    OtpStepRecord,
    SmsMessageRecord,
    ViberOtpRecord,
)
from ..records.statuses import FINAL_STATUSES

AnyRecord = FlowRecord | OtpRecord | ViberOtpRecord

DELIVERED_STATUSES = frozenset({MessageStatus.DELIVERED, MessageStatus.SEEN, MessageStatus.COMPLETED})
FAILED_STATUSES: frozenset[MessageStatus] = (
    frozenset[MessageStatus]().union(*FINAL_STATUSES.values()) - DELIVERED_STATUSES
)


@attrs.frozen
class MessageDelivery:
    """Delivery of one message of a flow: a channel that was tried. `detail` is Routee's detailedStatus, if given.

    A long SMS has one delivery per part, distinguished by `part`: `1/3`.
    """

    channel: Channel | None
    status: MessageStatus | None
    to: str | None
    price: float | None
    detail: str | None
    part: str | None = None


def deliveries_of(record: AnyRecord) -> tuple[MessageDelivery, ...]:
    """Return the messages of a flow so far, in the order in which they were tried."""
    if isinstance(record, ViberOtpRecord):
        return (MessageDelivery(Channel.VIBER, record.status, record.to, record.price, record.detailed_status),)
    messages: tuple[MessageRecord | OtpStepRecord, ...]
    messages = record.messages if isinstance(record, FlowRecord) else record.steps
    return tuple(
        MessageDelivery(
            message.channel, message.status, message.to, message.price, message.detailed_status, _part(message)
        )
        for message in messages
    )


def _part(message: MessageRecord | OtpStepRecord) -> str | None:
    if not isinstance(message, SmsMessageRecord) or message.parts is None or message.parts < 2:
        return None
    return f"{message.part}/{message.parts}"


def flow_status(record: AnyRecord) -> FlowStatus | MessageStatus | None:
    """Return the status of the flow; a Viber OTP is one message, and its status is the flow's."""
    return record.status


def status_reason(record: AnyRecord) -> str | None:
    """Return why a flow failed, in Routee's documented words."""
    return None if isinstance(record, ViberOtpRecord) else record.status_reason


def total_price(record: AnyRecord) -> float | None:
    """Return the price of the flow so far."""
    match record:
        case FlowRecord():
            return record.total_price
        case OtpRecord():
            return record.total_cost
        case _:
            return record.price


def humanize_status(status: str) -> str:
    """Return a status as lower-case words: `NoAnswer` becomes `no answer`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", status).lower()
