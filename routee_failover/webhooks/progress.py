"""How far a flow has come, and which of two records of it is the older one.

Each callback tells the whole state of its flow, so that one which is older than another says nothing new. Routee
promises no order (https://docs.routee.net/docs/failover-callbacks): what decides is, in this turn,

1. an end: nothing that is not final comes after it, and the first one stands;
2. `updatedAt`, where both have it and it differs;
3. the statuses of the flow and of its messages: the record is older in which fewer have been tried, or one stands
   further back, and none further on.

What cannot be compared is no older: it is handed out as it comes.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from ..records import FlowRecord, FlowStatus, InboundMessage, MessageStatus
from .event import AnyCallback

_FLOW_RANKS = {FlowStatus.QUEUED: 0, FlowStatus.IN_PROGRESS: 1, FlowStatus.SUCCEEDED: 2, FlowStatus.FAILED: 2}
_FIRST = (MessageStatus.QUEUED, MessageStatus.INITIATED)
_UNDER_WAY = (MessageStatus.SENT, MessageStatus.RINGING, MessageStatus.IN_PROGRESS)
_RANKS = dict.fromkeys(MessageStatus, 2) | dict.fromkeys(_FIRST, 0) | dict.fromkeys(_UNDER_WAY, 1)
# Only Seen is documented to follow another end. (Expired may follow Delivered, or come without it.)
_RANKS[MessageStatus.SEEN] = 3
_UNKNOWN = 255


class FlowProgress(NamedTuple):
    """What is kept of a record to compare the next one with."""

    final_status: FlowStatus | None
    updated_at: datetime | None
    status_ranks: bytes
    """The flow's and each message's, in Routee's order."""
    status_hash: int
    """Differs where a status does."""


def progress_of(record: AnyCallback) -> FlowProgress | None:
    """How far the flow had come when Routee told of it; what a person wrote stands nowhere."""
    statuses: list[MessageStatus | None]
    if isinstance(record, InboundMessage):
        return None
    if isinstance(record, FlowRecord):
        updated_at, statuses = record.updated_at, [message.status for message in record.messages]
    else:
        # The OTP service tells no time of a change, for the flow as a whole.
        updated_at, statuses = None, [step.status for step in record.steps]
    rank = _UNKNOWN if record.status is None else _FLOW_RANKS.get(record.status, _UNKNOWN)
    end = record.status if record.final else None
    return FlowProgress(end, updated_at, bytes((rank, *_ranks(statuses))), hash((record.status, *statuses)))


def _ranks(statuses: Iterable[MessageStatus | None]) -> Iterable[int]:
    return (_UNKNOWN if status is None else _RANKS.get(status, _UNKNOWN) for status in statuses)


def is_stale(progress: FlowProgress, previous: FlowProgress) -> bool:
    """Whether a record says nothing that comes after the one seen before."""
    if previous.final_status is not None and progress.final_status != previous.final_status:
        return True
    if progress.final_status is not None and previous.final_status is None:
        return False
    if progress.updated_at and previous.updated_at and progress.updated_at != previous.updated_at:
        return progress.updated_at < previous.updated_at
    return _is_behind(progress.status_ranks, previous.status_ranks)


def _is_behind(ranks: bytes, seen: bytes) -> bool:
    if _UNKNOWN in ranks or _UNKNOWN in seen or len(ranks) > len(seen) or ranks == seen:
        return False
    return all(rank <= before for rank, before in zip(ranks, seen, strict=False))
