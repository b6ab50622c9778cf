"""Poll targets: schedule, tracking ids and timeout of a wait, from a receipt or record and the caller's arguments."""

import math
from datetime import timedelta

from .._hooks import hook_problem
from ..errors import InvalidFlow, Problem
from ..records import FlowReceipt, FlowRecord, OtpReceipt, OtpRecord, ViberOtpReceipt, ViberOtpRecord
from .schedule import PollSchedule

Timeout = timedelta | float
"""How long to wait: a `timedelta`, or a number of seconds."""


def schedule_for(message: object) -> PollSchedule:
    """Return the poll schedule of a flow, from the ttls in its receipt. A record and an id hold no ttls."""
    if isinstance(message, ViberOtpReceipt):
        return PollSchedule.from_ttls([message.ttl])
    if isinstance(message, FlowReceipt | OtpReceipt):
        return PollSchedule.from_ttls(step.ttl for step in sorted(message.steps, key=lambda step: step.order or 0))
    return PollSchedule()


def tracking_ids_of(record: FlowRecord | OtpRecord | ViberOtpRecord) -> tuple[str, ...]:
    """Return the ids by which a flow may be waited for: a failover OTP also has those of its steps."""
    if isinstance(record, OtpRecord):
        ids = (record.flow_id, *(step.tracking_id for step in record.steps))
    else:
        ids = (record.tracking_id,)
    return tuple(tracking_id for tracking_id in ids if tracking_id is not None)


def is_final(record: FlowRecord | OtpRecord | ViberOtpRecord) -> bool:
    """Return whether a record is final: the default predicate of `wait`."""
    return record.final


def check_predicate(until: object) -> None:
    """Raise `InvalidFlow` unless `until` is `None` or can be called without `await`."""
    problem = None if until is None else hook_problem(until)
    if problem is not None:
        raise InvalidFlow("wait", [Problem(("until",), problem)])


def timeout_seconds(timeout: Timeout) -> float:
    """Return a timeout in seconds. Raises `InvalidFlow` unless it is finite and not negative."""
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
        raise InvalidFlow("wait", [Problem(("timeout",), "must be a timedelta or a number of seconds, 0 or more")])
    return seconds
