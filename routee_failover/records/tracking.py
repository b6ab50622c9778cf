"""What has become of a flow or a message so far."""

from datetime import datetime
from typing import Self

import attrs

from ..secret import mask_phone
from .record import Json, Record, moment, number, part, parts, text, whole, word
from .statuses import FAILURE_REASONS, Channel, FlowKind, FlowStatus, MessageStatus


def _detailed_status(answer: Json) -> str | None:
    return text(part(part(answer, "status"), "reason"), "detailedStatus")


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class MessageRecord(Record):
    """One message of a flow: a step that was tried, or one part of a long SMS."""

    channel: Channel | None
    order: int | None
    to: str | None = attrs.field(repr=mask_phone)
    status: MessageStatus | None
    updated_at: datetime | None
    price: float | None

    @property
    def detailed_status(self) -> str | None:
        """Why the message stands as it does, in Routee's words: `TTL Expired`, `Not Viber User`, ..."""
        return _detailed_status(self._answer)

    @classmethod
    def read(cls, answer: Json) -> Self:
        """The message in a tracking answer; whatever it lacks is `None`."""
        status = part(answer, "status")
        return cls(
            channel=word(Channel, answer, "type"),
            order=whole(answer, "order"),
            to=text(answer, "to") or text(part(answer, "to"), "phone"),
            status=word(MessageStatus, status, "name"),
            updated_at=moment(status, "updatedDate"),
            price=number(answer, "price"),
            answer=answer,
        )


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
    created_at: datetime | None
    updated_at: datetime | None

    @classmethod
    def read(cls, answer: Json) -> Self:
        """The flow in a tracking answer; whatever it lacks is `None`."""
        return cls(
            tracking_id=text(answer, "trackingId"),
            status=word(FlowStatus, answer, "status"),
            status_code=whole(answer, "statusCode"),
            flow_kind=word(FlowKind, answer, "flowKind"),
            termination_channel=word(Channel, answer, "terminationChannel"),
            total_price=number(answer, "totalPrice"),
            created_at=moment(answer, "createdAt"),
            updated_at=moment(answer, "updatedAt"),
            answer=answer,
        )

    @property
    def messages(self) -> tuple[MessageRecord, ...]:
        """The messages tried so far, in Routee's order."""
        return tuple(MessageRecord.read(message) for message in parts(self._answer, "messages"))


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class OtpStepRecord(Record):
    """One step of a failover OTP flow that was sent: the primary one, or the one it failed over to."""

    hides_texts = True

    tracking_id: str | None
    role: str | None
    channel: Channel | None
    status: MessageStatus | None
    to: str | None = attrs.field(repr=mask_phone)
    """Without its +, as this service writes numbers."""
    price: float | None

    @property
    def detailed_status(self) -> str | None:
        """Why the step stands as it does, in Routee's words."""
        return text(self._answer, "detailed_status")

    @classmethod
    def read(cls, answer: Json) -> Self:
        """The step in a tracking answer; whatever it lacks is `None`."""
        return cls(
            tracking_id=text(answer, "trackingId"),
            role=text(answer, "role"),
            channel=word(Channel, answer, "channel"),
            status=word(MessageStatus, answer, "status"),
            to=text(answer, "phone_number"),
            price=number(answer, "price"),
            answer=answer,
        )


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class OtpRecord(FlowState):
    """The state of a failover OTP flow (https://docs.routee.net/docs/tracking-deliveries)."""

    hides_texts = True

    flow_id: str | None
    total_cost: float | None

    @classmethod
    def read(cls, answer: Json) -> Self:
        """The flow in a tracking answer; whatever it lacks is `None`."""
        return cls(
            flow_id=text(answer, "flowId"),
            status=word(FlowStatus, answer, "status"),
            status_code=whole(answer, "statusCode"),
            total_cost=number(answer, "total_cost"),
            answer=answer,
        )

    @property
    def steps(self) -> tuple[OtpStepRecord, ...]:
        """The steps sent so far: the primary one first, then what it failed over to."""
        return tuple(OtpStepRecord.read(step) for step in parts(self._answer, "steps"))


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class ViberOtpRecord(Record):
    """The state of one Viber OTP (https://docs.routee.net/reference/retrieve-single-viber-tracking)."""

    hides_texts = True

    tracking_id: str | None
    to: str | None = attrs.field(repr=mask_phone)
    status: MessageStatus | None
    status_date: datetime | None
    price: float | None

    @classmethod
    def read(cls, answer: Json) -> Self:
        """The message in a tracking answer; whatever it lacks is `None`."""
        status = part(answer, "status")
        return cls(
            tracking_id=text(answer, "trackingId"),
            to=text(answer, "to"),
            status=word(MessageStatus, status, "status"),
            status_date=moment(status, "date"),
            price=number(answer, "price"),
            answer=answer,
        )

    @property
    def detailed_status(self) -> str | None:
        """Why the message stands as it does, in Routee's words."""
        return _detailed_status(self._answer)

    @property
    def final(self) -> bool:
        """Whether the message has ended; Routee marks no Viber status as final, and `Seen` may still follow."""
        return self.status in _VIBER_ENDS


_VIBER_ENDS = frozenset(
    {
        MessageStatus.DELIVERED,
        MessageStatus.SEEN,
        MessageStatus.UNDELIVERED,
        MessageStatus.EXPIRED,
        MessageStatus.FAILED,
        MessageStatus.UNSENT,
    }
)
"""Inferred: https://docs.routee.net/docs/viber-messaging-statuses says of no status whether it is the last."""
