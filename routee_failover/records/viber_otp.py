"""Tracking record of a Viber OTP."""

from datetime import datetime, timedelta
from typing import Self

import attrs

from ..secret import mask_phone
from ._fields import get_bool, get_datetime, get_enum, get_float, get_object, get_str, get_timedelta
from .record import JsonObject, Record
from .statuses import Channel, MessageStatus

_SECOND = timedelta(seconds=1)


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class ViberOtpRecord(Record):
    """State of a Viber OTP (https://docs.routee.net/reference/retrieve-single-viber-tracking)."""

    redact_texts = True

    tracking_id: str | None
    to: str | None = attrs.field(repr=mask_phone)
    status: MessageStatus | None
    status_date: datetime | None
    price: float | None

    @classmethod
    def from_dict(cls, data: JsonObject) -> Self:
        """Read the message from a tracking response; a missing value is `None`."""
        status = get_object(data, "status")
        return cls(
            tracking_id=get_str(data, "trackingId"),
            to=get_str(data, "to"),
            status=get_enum(MessageStatus, status, "status"),
            status_date=get_datetime(status, "date"),
            price=get_float(data, "price"),
            data=data,
        )

    @property
    def final(self) -> bool:
        """Whether the status is final. Routee marks no Viber status as final, and `Seen` may still follow.

        `Delivered` is not final for a message that expires on delivery: it may still be seen, or expire.
        """
        if self.status is None or (self.expire_on_delivery and self.status is MessageStatus.DELIVERED):
            return False
        return self.status.is_final_on(Channel.VIBER)

    @property
    def detailed_status(self) -> str | None:
        """Routee's reason for the status."""
        return get_str(get_object(get_object(self._data, "status"), "reason"), "detailedStatus")

    @property
    def from_(self) -> str | None:
        """The sender's name or id."""
        return get_str(self._data, "from")

    @property
    def country(self) -> str | None:
        """The recipient's two-letter country code."""
        return get_str(self._data, "country")

    @property
    def application_name(self) -> str | None:
        """The application that sent it."""
        return get_str(self._data, "applicationName")

    @property
    def ttl(self) -> timedelta | None:
        """The time to live: how long delivery is attempted."""
        return get_timedelta(self._data, "ttl", _SECOND)

    @property
    def expire_on_delivery(self) -> bool | None:
        """Whether it expires unless it is seen within its ttl."""
        return get_bool(self._data, "expireOnDelivery")
