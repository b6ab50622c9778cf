"""What a poller needs to know of receipts, records and the caller's words: when to ask, how long, and for what."""

import math
from datetime import timedelta

from ..errors import InvalidFlow, Problem
from ..records import FlowReceipt, FlowRecord, OtpReceipt, OtpRecord, ViberOtpReceipt, ViberOtpRecord
from .schedule import PollSchedule

Timeout = timedelta | float
"""How long to wait: a `timedelta`, or a number of seconds."""


def schedule_for(message: object) -> PollSchedule:
    """When to ask about a flow: by the ttls that Routee echoes in its receipt. A record and an id tell none."""
    if isinstance(message, ViberOtpReceipt):
        return PollSchedule.from_ttls([message.ttl])
    if isinstance(message, FlowReceipt | OtpReceipt):
        return PollSchedule.from_ttls(step.ttl for step in sorted(message.steps, key=lambda step: step.order or 0))
    return PollSchedule()


def tracking_ids_of(record: FlowRecord | OtpRecord | ViberOtpRecord) -> tuple[str, ...]:
    """The ids by which a flow may be waited for: a failover OTP is also known by those of its steps."""
    if isinstance(record, OtpRecord):
        known = (record.flow_id, *(step.tracking_id for step in record.steps))
    else:
        known = (record.tracking_id,)
    return tuple(identity for identity in known if identity is not None)


def is_final(record: FlowRecord | OtpRecord | ViberOtpRecord) -> bool:
    """What is waited for where the caller does not say."""
    return record.final


def timeout_seconds(timeout: Timeout) -> float:
    """How long to wait. Raises `InvalidFlow` for what is no time that can be waited."""
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
        raise InvalidFlow("wait", [Problem(("timeout",), "must be a timedelta or a number of seconds, 0 or more")])
    return seconds
