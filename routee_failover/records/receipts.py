"""Receipts: Routee's response to an accepted message, with the id to track it by and an echo of what was sent."""

from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

import attrs

from ..secret import mask_phone
from ._fields import get_datetime, get_enum, get_float, get_int, get_object, get_objects, get_str
from .record import REPLACEMENT_CHARACTER, JsonObject, Record
from .statuses import Channel, FlowKind, FlowStatus, MessageStatus


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class StepEcho(Record):
    """A step as Routee echoes it. `tracking_id` is set on the step that was sent."""

    type: str | None
    order: int | None
    to: str | None = attrs.field(repr=mask_phone)
    tracking_id: str | None

    ttl_unit: ClassVar[timedelta] = timedelta(minutes=1)

    @property
    def ttl(self) -> timedelta | None:
        """The time to live as Routee echoes it; `None` for a step that was sent without one."""
        count = get_float(self._data, "ttl")
        try:
            return None if count is None else count * self.ttl_unit
        except (OverflowError, ValueError):
            return None

    @classmethod
    def from_dict(cls, data: JsonObject) -> Self:
        """Read the step from a response; a missing value is `None`."""
        return cls(
            type=get_str(data, "type"),
            order=get_int(data, "order"),
            to=get_str(data, "to") or get_str(get_object(data, "to"), "phone"),
            tracking_id=get_str(data, "trackingId"),
            data=data,
        )


class OtpStepEcho(StepEcho):
    """A step of a failover OTP flow as Routee echoes it; its texts are secrets."""

    redact_texts = True
    ttl_unit: ClassVar[timedelta] = timedelta(seconds=1)


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class FlowReceipt(Record):
    """Receipt of a standard or transactional flow (https://docs.routee.net/reference/send-a-failover-message)."""

    tracking_id: str
    flow_kind: FlowKind | None
    created_at: datetime | None

    @classmethod
    def from_dict(cls, data: JsonObject) -> Self:
        """Read the receipt from a response; raises `ValueError` if it has no usable tracking id."""
        return cls(
            tracking_id=_required_str(data, "trackingId"),
            flow_kind=get_enum(FlowKind, data, "flowKind"),
            created_at=get_datetime(data, "createdAt"),
            data=data,
        )

    @property
    def steps(self) -> tuple[StepEcho, ...]:
        """The steps as Routee echoes them."""
        return tuple(StepEcho.from_dict(step) for step in get_objects(self._data, "flow"))


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class OtpReceipt(Record):
    """Receipt of a failover OTP flow (https://docs.routee.net/reference/send-a-failover-otp-message).

    `status` is `Succeeded` for a flow of one step, `InProgress` for one of several: both mean accepted, not delivered.
    `channel` is the first that accepted the message.
    """

    redact_texts = True

    flow_id: str
    status: FlowStatus | None
    channel: Channel | None
    created_at: datetime | None

    @classmethod
    def from_dict(cls, data: JsonObject) -> Self:
        """Read the receipt from a response; raises `ValueError` if it has no usable flow id."""
        return cls(
            flow_id=_required_str(data, "flowId"),
            status=get_enum(FlowStatus, data, "status"),
            channel=get_enum(Channel, data, "type"),
            created_at=get_datetime(data, "createdAt"),
            data=data,
        )

    @property
    def steps(self) -> tuple[OtpStepEcho, ...]:
        """The steps as Routee echoes them."""
        return tuple(OtpStepEcho.from_dict(step) for step in get_objects(self._data, "flow"))

    @property
    def sent_step(self) -> OtpStepEcho | None:
        """The step that was sent, with its tracking id (Routee's message token)."""
        sent = (step for step in get_objects(self._data, "flow") if get_str(step, "trackingId"))
        return next((OtpStepEcho.from_dict(step) for step in sent), None)


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class ViberOtpReceipt(Record):
    """Receipt of a Viber OTP (https://docs.routee.net/reference/viber-otp-request)."""

    redact_texts = True

    tracking_id: str
    to: str | None = attrs.field(repr=mask_phone)
    status: MessageStatus | None
    status_date: datetime | None

    @classmethod
    def from_dict(cls, data: JsonObject) -> Self:
        """Read the receipt from a response; raises `ValueError` if it has no usable tracking id."""
        status = get_object(data, "status")
        return cls(
            tracking_id=_required_str(data, "trackingId"),
            to=get_str(data, "to"),
            status=get_enum(MessageStatus, status, "status"),
            status_date=get_datetime(status, "date"),
            data=data,
        )

    @property
    def from_(self) -> str | None:
        """The sender's name or id."""
        return get_str(self._data, "from")

    @property
    def country(self) -> str | None:
        """The recipient's country."""
        return get_str(self._data, "country")

    @property
    def seq(self) -> int | None:
        """The sequence number of the message."""
        return get_int(self._data, "seq")

    @property
    def ttl(self) -> timedelta | None:
        """The time to live as Routee echoes it."""
        seconds = get_int(self._data, "ttl")
        try:
            return None if seconds is None else timedelta(seconds=seconds)
        except OverflowError:
            return None

    @property
    def status_reason(self) -> Any:
        """Routee's reason for the status; its shape is not documented."""
        return get_object(self.raw, "status").get("reason")


def _required_str(data: JsonObject, key: str) -> str:
    value = data.get(key)
    if isinstance(value, str) and value and REPLACEMENT_CHARACTER not in value:
        return value
    raise ValueError(f"has no {key}")
