"""Tracking record of a standard or transactional flow; its callbacks have the same shape."""

from datetime import datetime
from typing import Self

import attrs

from ._fields import get_datetime, get_enum, get_float, get_int, get_objects, get_str
from .messages import MessageRecord
from .record import JsonObject, Record
from .statuses import FAILURE_REASONS, Channel, FlowKind, FlowStatus


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class FlowState(Record):
    """State of a whole flow, as the tracking of both services reports it."""

    status: FlowStatus | None
    status_code: int | None
    """Routee's numeric code of why the flow failed; `status_reason` is its meaning."""

    @property
    def final(self) -> bool:
        """Whether the flow has reached its final status."""
        return self.status is not None and self.status.final

    @property
    def status_reason(self) -> str | None:
        """The meaning that Routee documents for the status code."""
        return None if self.status_code is None else FAILURE_REASONS.get(self.status_code)


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class FlowRecord(FlowState):
    """State of a standard or transactional flow (https://docs.routee.net/reference/retrieve-failover-trackings)."""

    tracking_id: str | None
    flow_kind: FlowKind | None
    termination_channel: Channel | None
    total_price: float | None
    """Price of the flow: the sum of its messages' prices, or that of the last one; Routee's examples disagree."""
    created_at: datetime | None
    updated_at: datetime | None

    @classmethod
    def from_dict(cls, data: JsonObject) -> Self:
        """Read the flow from a tracking response or a callback; a missing value is `None`."""
        return cls(
            tracking_id=get_str(data, "trackingId"),
            status=get_enum(FlowStatus, data, "status"),
            status_code=get_int(data, "statusCode"),
            flow_kind=get_enum(FlowKind, data, "flowKind"),
            termination_channel=get_enum(Channel, data, "terminationChannel"),
            total_price=get_float(data, "totalPrice"),
            created_at=get_datetime(data, "createdAt"),
            updated_at=get_datetime(data, "updatedAt"),
            data=data,
        )

    @property
    def messages(self) -> tuple[MessageRecord, ...]:
        """The messages of the steps tried so far, in Routee's order, each of the class of its channel."""
        return tuple(MessageRecord.from_dict(message) for message in get_objects(self._data, "messages"))
