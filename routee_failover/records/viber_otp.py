"""What has become of a Viber OTP so far."""

from datetime import datetime, timedelta
from typing import Self

import attrs

from ..secret import mask_phone
from .record import Json, Record, moment, number, part, span, text, word, yes_or_no
from .statuses import Channel, MessageStatus

_SECOND = timedelta(seconds=1)


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class ViberOtpRecord(Record):
    """The state of one Viber OTP (https://docs.routee.net/reference/retrieve-single-viber-tracking)."""

    redact_texts = True

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
    def final(self) -> bool:
        """Whether the message has ended; Routee marks no Viber status as final, and `Seen` may still follow.

        One that expires on delivery has not ended once it is delivered: it is yet to be seen, or to expire.
        """
        if self.status is None or (self.expire_on_delivery and self.status is MessageStatus.DELIVERED):
            return False
        return self.status.final_on(Channel.VIBER)

    @property
    def detailed_status(self) -> str | None:
        """Why the message stands as it does, in Routee's words."""
        return text(part(part(self._answer, "status"), "reason"), "detailedStatus")

    @property
    def from_(self) -> str | None:
        """The sender's name or id."""
        return text(self._answer, "from")

    @property
    def country(self) -> str | None:
        """The recipient's country, in two letters."""
        return text(self._answer, "country")

    @property
    def application_name(self) -> str | None:
        """The application that sent it."""
        return text(self._answer, "applicationName")

    @property
    def ttl(self) -> timedelta | None:
        """For how long it waited to be delivered."""
        return span(self._answer, "ttl", _SECOND)

    @property
    def expire_on_delivery(self) -> bool | None:
        """Whether it expires unless it is seen in time."""
        return yes_or_no(self._answer, "expireOnDelivery")
