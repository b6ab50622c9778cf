"""What a poller needs to know of receipts and records: when to ask about a flow, and by which ids it is known."""

from ..records import AnyReceipt, FlowRecord, OtpRecord, ViberOtpReceipt, ViberOtpRecord
from .schedule import Schedule


def schedule_of(receipt: AnyReceipt) -> Schedule:
    """When to ask about the flow of a receipt: by the ttls that Routee echoes in it."""
    if isinstance(receipt, ViberOtpReceipt):
        return Schedule.of_ttls([receipt.ttl])
    return Schedule.of_ttls(step.ttl for step in sorted(receipt.steps, key=lambda step: step.order or 0))


def identities_of(record: FlowRecord | OtpRecord | ViberOtpRecord) -> tuple[str, ...]:
    """The ids by which a flow may be waited for: a failover OTP is also known by those of its steps."""
    if isinstance(record, OtpRecord):
        known = (record.flow_id, *(step.tracking_id for step in record.steps))
    else:
        known = (record.tracking_id,)
    return tuple(identity for identity in known if identity is not None)
