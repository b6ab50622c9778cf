"""Receipts: Routee's response to an accepted message, with the id to track it by and an echo of what was sent."""

from datetime import datetime, timedelta
from typing import ClassVar, Self

import attrs

from ..secret import SecretMapping, mask_phone
from ._fields import (
    flow_id_key,
    get_datetime,
    get_enum,
    get_int,
    get_object,
    get_objects,
    get_recipient,
    get_required_str,
    get_str,
    get_timedelta,
)
from .record import JsonObject, Record
from .statuses import Channel, FlowKind, FlowStatus


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
        return get_timedelta(self._data, "ttl", self.ttl_unit)

    @property
    def label(self) -> str | None:
        """The label that you gave the step; that of an SMS is in its message."""
        return get_str(self._data, "label") or get_str(get_object(self._data, "message"), "label")

    @property
    def seq(self) -> int | None:
        """The sequence number of a transactional Viber step: yours, or the one that Routee generated."""
        return get_int(self._data, "seq")

    @property
    def template_id(self) -> str | None:
        """The template of a Viber step."""
        return get_str(self._data, "templateId")

    @property
    def template_lang(self) -> str | None:
        """The language of the template."""
        return get_str(self._data, "templateLang")

    @property
    def template_params(self) -> SecretMapping:
        """The values of the template's placeholders: `repr` hides them. Empty if the step has none."""
        return SecretMapping(get_object(self._data, "templateParams"))

    @property
    def delivery_scope(self) -> str | None:
        """Which devices receive a transactional Viber step: `PRIMARY_DEVICE` or `ALL_DEVICES`."""
        return get_str(self._data, "deliveryScope")

    @classmethod
    def from_dict(cls, data: JsonObject) -> Self:
        """Read the step from a response; a missing value is `None`."""
        return cls(
            type=get_str(data, "type"),
            order=get_int(data, "order"),
            to=get_recipient(data),
            tracking_id=get_str(data, "trackingId"),
            data=data,
        )


class OtpStepEcho(StepEcho):
    """A step of a failover OTP flow as Routee echoes it; its texts are secrets."""

    redact_texts = True
    ttl_unit: ClassVar[timedelta] = timedelta(seconds=1)


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class FlowReceipt(Record):
    """Receipt of a standard or transactional flow (https://docs.routee.net/reference/send-a-failover-message).

    It says that Routee accepted the flow, not that a message was delivered: the status of the flow is in the record
    that `RouteeClient.wait` returns, once it is final or satisfies `until=`.
    """

    tracking_id: str
    flow_kind: FlowKind | None
    created_at: datetime | None

    @classmethod
    def from_dict(cls, data: JsonObject) -> Self:
        """Read the receipt from a response; raises `ValueError` if it has no usable tracking id."""
        return cls(
            tracking_id=get_required_str(data, "trackingId"),
            flow_kind=get_enum(FlowKind, data, "flowKind"),
            created_at=get_datetime(data, "createdAt"),
            data=data,
        )

    @property
    def seq(self) -> int | None:
        """The sequence number of the flow's Viber message; Routee always returns one for a transactional flow.

        It is that of the first step that has one.
        """
        numbers = (get_int(step, "seq") for step in (*get_objects(self._data, "flow"), self._data))
        return next((number for number in numbers if number is not None), None)

    @property
    def steps(self) -> tuple[StepEcho, ...]:
        """The steps as Routee echoes them."""
        return tuple(StepEcho.from_dict(step) for step in get_objects(self._data, "flow"))


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class OtpReceipt(Record):
    """Receipt of a failover OTP flow (https://docs.routee.net/reference/send-a-failover-otp-message).

    It is about acceptance: `status` is `Succeeded` for a flow of one step, `InProgress` for one of several. Both mean
    accepted, not delivered. `channel` is the first that accepted the message.

    The end of the flow is in the record that `RouteeClient.wait` returns. With
    `until=lambda record: record.final and all(step.final for step in record.steps)` it waits for each step as well.
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
            flow_id=get_required_str(data, flow_id_key(data)),
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
