"""What has become of a standard or transactional flow so far; what its callbacks tell has the same shape."""

from datetime import datetime
from typing import Self

import attrs

from ._fields import get_datetime, get_enum, get_float, get_int, get_objects, get_str
from .messages import MessageRecord
from .record import JsonObject, Record
from .statuses import FAILURE_REASONS, Channel, FlowKind, FlowStatus


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class FlowState(Record):
    """What the records of both services say of a whole flow."""

    status: FlowStatus | None
    status_code: int | None
    """Why the flow failed, in Routee's numbers; `status_reason` says it in words."""

    @property
    def final(self) -> bool:
        """Whether the flow has ended."""
        return self.status is not None and self.status.final

    @property
    def status_reason(self) -> str | None:
        """What Routee documents for the status code."""
        return None if self.status_code is None else FAILURE_REASONS.get(self.status_code)


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class FlowRecord(FlowState):
    """The state of a standard or transactional flow (https://docs.routee.net/reference/retrieve-failover-trackings)."""

    tracking_id: str | None
    flow_kind: FlowKind | None
    termination_channel: Channel | None
    total_price: float | None
    """What the flow costs. Routee's examples disagree whether it sums the messages up or is the price of the last."""
    created_at: datetime | None
    updated_at: datetime | None

    @classmethod
    def from_dict(cls, data: JsonObject) -> Self:
        """The flow in a tracking answer or in a callback; whatever it lacks is `None`."""
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
        """The messages tried so far, in Routee's order, each typed by its channel."""
        return tuple(MessageRecord.from_dict(message) for message in get_objects(self._data, "messages"))
