"""Progress of a flow, and the order of two records of it.

Each callback carries the complete state of its flow, so one that is older than another has no new information. Routee
promises no order (https://docs.routee.net/docs/failover-callbacks). Two records are ordered by, in this sequence:

1. finality: nothing that is not final comes after a final status, and the first final status wins, but for a Viber OTP
   that is seen after it was delivered;
2. `updatedAt`, if both have it and it differs;
3. the statuses of the flow and of its messages: the older record is the one in which fewer messages were attempted, or
   one message is less advanced and none is more advanced.

A record that cannot be compared does not count as older: it is dispatched in the order in which it is received.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from ..records import FlowRecord, FlowStatus, InboundMessage, MessageStatus, ViberOtpRecord
from .event import AnyCallback

_FLOW_RANKS = {FlowStatus.QUEUED: 0, FlowStatus.IN_PROGRESS: 1, FlowStatus.SUCCEEDED: 2, FlowStatus.FAILED: 2}
_INITIAL = (MessageStatus.QUEUED, MessageStatus.INITIATED)
_IN_PROGRESS = (MessageStatus.SENT, MessageStatus.RINGING, MessageStatus.IN_PROGRESS)
_MESSAGE_RANKS = dict.fromkeys(MessageStatus, 2) | dict.fromkeys(_INITIAL, 0) | dict.fromkeys(_IN_PROGRESS, 1)
# Only Seen is documented to follow another final status. (Expired may follow Delivered, or come without it.)
_MESSAGE_RANKS[MessageStatus.SEEN] = 3
_UNRANKED = 255


class FlowProgress(NamedTuple):
    """The parts of a record that the next one is compared with."""

    final_status: FlowStatus | MessageStatus | None
    """That of the flow; a Viber OTP is one message, and its status is that of the message."""
    updated_at: datetime | None
    status_ranks: bytes
    """Rank of the flow's status, then of each message's, in Routee's order."""
    status_hash: int
    """Hash of all statuses: ranks alone do not distinguish, for example, Delivered from Expired."""


def progress_of(record: AnyCallback) -> FlowProgress | None:
    """Return the progress of a flow as of its record; `None` for an inbound message."""
    statuses: list[MessageStatus | None]
    if isinstance(record, InboundMessage):
        return None
    if isinstance(record, ViberOtpRecord):
        return FlowProgress(
            record.status if record.final else None,
            record.status_date,
            bytes(_ranks((record.status,))),
            hash(record.status),
        )
    if isinstance(record, FlowRecord):
        updated_at, statuses = record.updated_at, [message.status for message in record.messages]
    else:
        # The OTP service reports no time of the last change, for the flow as a whole.
        updated_at, statuses = None, [step.status for step in record.steps]
    rank = _UNRANKED if record.status is None else _FLOW_RANKS.get(record.status, _UNRANKED)
    final_status = record.status if record.final else None
    return FlowProgress(final_status, updated_at, bytes((rank, *_ranks(statuses))), hash((record.status, *statuses)))


def _ranks(statuses: Iterable[MessageStatus | None]) -> Iterable[int]:
    return (_UNRANKED if status is None else _MESSAGE_RANKS.get(status, _UNRANKED) for status in statuses)


def is_stale(progress: FlowProgress, previous: FlowProgress) -> bool:
    """Return whether a record has no information that is newer than the previous one."""
    if previous.final_status is not None and progress.final_status != previous.final_status:
        return (previous.final_status, progress.final_status) != (MessageStatus.DELIVERED, MessageStatus.SEEN)
    if progress.final_status is not None and previous.final_status is None:
        return False
    if progress.updated_at and previous.updated_at and progress.updated_at != previous.updated_at:
        return progress.updated_at < previous.updated_at
    return _is_behind(progress.status_ranks, previous.status_ranks)


def _is_behind(ranks: bytes, previous: bytes) -> bool:
    if _UNRANKED in ranks or _UNRANKED in previous or len(ranks) > len(previous) or ranks == previous:
        return False
    return all(rank <= before for rank, before in zip(ranks, previous, strict=False))
