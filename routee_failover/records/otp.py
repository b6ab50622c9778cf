"""Tracking record of a failover OTP flow; its callbacks have the same shape."""

from datetime import datetime, timedelta
from typing import Self

import attrs

from ..secret import mask_phone
from ._fields import flow_id_key, get_datetime, get_enum, get_float, get_int, get_objects, get_str, get_timedelta
from ._message_status import read_detailed_status, read_status
from .flow import FlowState
from .record import JsonObject, Record
from .statuses import Channel, FlowStatus, MessageStatus

_MILLISECOND = timedelta(milliseconds=1)
_PRIMARY = "primary"
_FAILOVER = "failover"


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class OtpStepRecord(Record):
    """One step of a failover OTP flow that was sent: the primary one, or the one that the flow failed over to."""

    redact_texts = True

    tracking_id: str | None
    role: str | None
    channel: Channel | None
    status: MessageStatus | None
    to: str | None = attrs.field(repr=mask_phone)
    """The recipient's number without its +, as this service writes numbers."""
    price: float | None

    @classmethod
    def from_dict(cls, data: JsonObject) -> Self:
        """Read the step from a tracking response; a missing value is `None`."""
        return cls(
            tracking_id=get_str(data, "trackingId"),
            role=get_str(data, "role"),
            channel=get_enum(Channel, data, "channel"),
            status=read_status(data)[0],
            to=get_str(data, "phone_number"),
            price=get_float(data, "price"),
            data=data,
        )

    @property
    def final(self) -> bool:
        """Whether the status is final, by Routee's list for the channel; an unknown status or channel never is."""
        return self.status is not None and self.status.is_final_on(self.channel)

    @property
    def detailed_status(self) -> str | None:
        """Routee's reason for the status."""
        return get_str(self._data, "detailed_status") or read_detailed_status(self._data)

    @property
    def error_message(self) -> str | None:
        """Routee's error message."""
        return get_str(self._data, "error_message")

    @property
    def country(self) -> str | None:
        """The recipient's two-letter country code."""
        return get_str(self._data, "country")

    @property
    def operator(self) -> str | None:
        """The recipient's mobile operator."""
        return get_str(self._data, "operator")

    @property
    def latency(self) -> timedelta | None:
        """How long the delivery took."""
        return get_timedelta(self._data, "latency_ms", _MILLISECOND)

    @property
    def created_at(self) -> datetime | None:
        """When the step was sent."""
        return get_datetime(self._data, "created_at")

    @property
    def delivered_at(self) -> datetime | None:
        """When it was delivered."""
        return get_datetime(self._data, "delivered_at")

    @property
    def failover_from(self) -> str | None:
        """The tracking id of the step that this one replaced (Routee's `failover_from_message_token`)."""
        return get_str(self._data, "failover_from_message_token")


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class OtpRecord(FlowState):
    """State of a failover OTP flow (https://docs.routee.net/docs/tracking-deliveries)."""

    redact_texts = True

    flow_id: str | None
    total_cost: float | None

    @classmethod
    def from_dict(cls, data: JsonObject) -> Self:
        """Read the flow from a tracking response or a callback; a missing value is `None`."""
        return cls(
            flow_id=get_str(data, flow_id_key(data)),
            status=get_enum(FlowStatus, data, "status"),
            status_code=get_int(data, "statusCode"),
            total_cost=get_float(data, "total_cost"),
            data=data,
        )

    @property
    def final(self) -> bool:
        """Whether the flow's own status is final.

        Routee's own example has `Succeeded` while the SMS is still queued. To wait until each step is final as well,
        pass `until=lambda record: record.final and all(step.final for step in record.steps)`.
        """
        return super().final

    @property
    def steps(self) -> tuple[OtpStepRecord, ...]:
        """The steps sent so far: the primary one first, then what it failed over to."""
        return tuple(OtpStepRecord.from_dict(step) for step in get_objects(self._data, "steps"))

    @property
    def primary(self) -> OtpStepRecord | None:
        """The step that was sent first, if one was sent."""
        return self._find_step(_PRIMARY, 0)

    @property
    def failover(self) -> OtpStepRecord | None:
        """The step that the flow failed over to, if it did; the first of several, which Routee does not document."""
        return self._find_step(_FAILOVER, 1)

    def _find_step(self, role: str, index: int) -> OtpStepRecord | None:
        """Return the step with this role; if no step has a role, the one at the index that Routee documents for it."""
        steps = self.steps
        match = next((step for step in steps if (step.role or "").lower() == role), None)
        if match is None and not any(step.role for step in steps) and index < len(steps):
            return steps[index]
        return match
