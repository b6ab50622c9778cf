"""What has become of a failover OTP flow so far; its callbacks tell the same."""

from datetime import datetime, timedelta
from typing import Self

import attrs

from ..secret import mask_phone
from .flow import FlowState
from .record import Json, Record, moment, number, parts, span, text, whole, word
from .statuses import Channel, FlowStatus, MessageStatus

_MILLISECOND = timedelta(milliseconds=1)
_PRIMARY = "primary"
_FAILOVER = "failover"


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class OtpStepRecord(Record):
    """One step of a failover OTP flow that was sent: the primary one, or the one it failed over to."""

    redact_texts = True

    tracking_id: str | None
    role: str | None
    channel: Channel | None
    status: MessageStatus | None
    to: str | None = attrs.field(repr=mask_phone)
    """Without its +, as this service writes numbers."""
    price: float | None

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

    @property
    def final(self) -> bool:
        """Whether the step has ended, by what Routee documents for its channel; what is unknown never has."""
        return self.status is not None and self.status.final_on(self.channel)

    @property
    def detailed_status(self) -> str | None:
        """Why the step stands as it does, in Routee's words."""
        return text(self._answer, "detailed_status")

    @property
    def error_message(self) -> str | None:
        """What went wrong, in Routee's words."""
        return text(self._answer, "error_message")

    @property
    def country(self) -> str | None:
        """The recipient's country, in two letters."""
        return text(self._answer, "country")

    @property
    def operator(self) -> str | None:
        """The operator of the recipient."""
        return text(self._answer, "operator")

    @property
    def latency(self) -> timedelta | None:
        """How long the delivery took."""
        return span(self._answer, "latency_ms", _MILLISECOND)

    @property
    def created_at(self) -> datetime | None:
        """When the step was sent."""
        return moment(self._answer, "created_at")

    @property
    def delivered_at(self) -> datetime | None:
        """When it arrived."""
        return moment(self._answer, "delivered_at")

    @property
    def failover_from(self) -> str | None:
        """The tracking id of the step that it took the place of (Routee's `failover_from_message_token`)."""
        return text(self._answer, "failover_from_message_token")


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class OtpRecord(FlowState):
    """The state of a failover OTP flow (https://docs.routee.net/docs/tracking-deliveries)."""

    redact_texts = True

    flow_id: str | None
    total_cost: float | None

    @classmethod
    def read(cls, answer: Json) -> Self:
        """The flow in a tracking answer or in a callback; whatever it lacks is `None`."""
        return cls(
            flow_id=text(answer, "flowId"),
            status=word(FlowStatus, answer, "status"),
            status_code=whole(answer, "statusCode"),
            total_cost=number(answer, "total_cost"),
            answer=answer,
        )

    @property
    def final(self) -> bool:
        """Whether the flow has ended, by its own status alone.

        Routee's own example has `Succeeded` while the SMS is still queued. Whoever needs the code to have arrived asks
        the steps, too: `until=lambda record: record.final and all(step.final for step in record.steps)`.
        """
        return super().final

    @property
    def steps(self) -> tuple[OtpStepRecord, ...]:
        """The steps sent so far: the primary one first, then what it failed over to."""
        return tuple(OtpStepRecord.read(step) for step in parts(self._answer, "steps"))

    @property
    def primary(self) -> OtpStepRecord | None:
        """The step that was sent first."""
        return self._step(_PRIMARY, 0)

    @property
    def failover(self) -> OtpStepRecord | None:
        """The step that the flow failed over to, if it did; of several, which Routee documents nowhere, the first."""
        return self._step(_FAILOVER, 1)

    def _step(self, role: str, place: int) -> OtpStepRecord | None:
        """The step of this role; where no step says its role, the one at the place that Routee documents for it."""
        steps = self.steps
        named = next((step for step in steps if (step.role or "").lower() == role), None)
        if named is None and not any(step.role for step in steps) and place < len(steps):
            return steps[place]
        return named
