"""Viber OTP: its tracking record and its receipt, which Routee calls a tracking record too."""

from datetime import datetime, timedelta
from typing import Any, Self

import attrs

from ..secret import SecretMapping, mask_phone
from ._fields import get_bool, get_float, get_int, get_object, get_recipient, get_required_str, get_str, get_timedelta
from ._message_status import read_detailed_status, read_status, read_status_description
from .record import JsonObject, Record
from .statuses import Channel, MessageStatus

_SECOND = timedelta(seconds=1)


class ViberOtpState(Record):
    """What the receipt and the tracking record of a Viber OTP share."""

    redact_texts = True

    @property
    def detailed_status(self) -> str | None:
        """Routee's reason for the status."""
        return read_detailed_status(self._data)

    @property
    def status_description(self) -> str | None:
        """Routee's reason for the status as a sentence."""
        return read_status_description(self._data)

    @property
    def from_(self) -> str | None:
        """The sender's name or id."""
        return get_str(self._data, "from")

    @property
    def country(self) -> str | None:
        """The recipient's country, its code or its name."""
        return get_str(self._data, "country")

    @property
    def application_name(self) -> str | None:
        """The application that sent it."""
        return get_str(self._data, "applicationName")

    @property
    def direction(self) -> str | None:
        """The direction of the message: `Outbound`."""
        return get_str(self._data, "direction")

    @property
    def ttl(self) -> timedelta | None:
        """The time to live: how long delivery is attempted."""
        return get_timedelta(self._data, "ttl", _SECOND)

    @property
    def seq(self) -> int | None:
        """The sequence number of the message, as it was sent."""
        return get_int(self._data, "seq")

    @property
    def label(self) -> str | None:
        """The label of the message, as it was sent: `transactional` or `promotional`."""
        return get_str(self._data, "label")

    @property
    def type(self) -> str | None:
        """Which devices receive it, as it was sent: `PRIMARY_ONLY` or `ALL_DEVICE`."""
        return get_str(self._data, "type")

    @property
    def template_id(self) -> str | None:
        """The template that was used."""
        return get_str(self._data, "templateId")

    @property
    def template_params(self) -> SecretMapping:
        """The parameters of the template, with the PIN: `repr` hides the values. Empty if the response has none."""
        return SecretMapping(get_object(self._data, "templateParams"))

    @property
    def template_lang(self) -> str | None:
        """The language of the template."""
        return get_str(self._data, "templateLang")


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class ViberOtpReceipt(ViberOtpState):
    """Receipt of a Viber OTP (https://docs.routee.net/reference/viber-otp-request).

    It says that Routee accepted the message, not that it was delivered: `status` is `QUEUED` at first.
    """

    tracking_id: str
    to: str | None = attrs.field(repr=mask_phone)
    status: MessageStatus | None
    status_date: datetime | None

    @classmethod
    def from_dict(cls, data: JsonObject) -> Self:
        """Read the receipt from a response; raises `ValueError` if it has no usable tracking id."""
        status, status_date = read_status(data)
        return cls(
            tracking_id=get_required_str(data, "trackingId"),
            to=get_recipient(data),
            status=status,
            status_date=status_date,
            data=data,
        )

    @property
    def status_reason(self) -> Any:
        """Routee's reason for the status, as it is: the shape that a receipt has it in is not documented."""
        return get_object(self.raw, "status").get("reason")


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class ViberOtpRecord(ViberOtpState):
    """State of a Viber OTP (https://docs.routee.net/reference/retrieve-single-viber-tracking)."""

    tracking_id: str | None
    to: str | None = attrs.field(repr=mask_phone)
    status: MessageStatus | None
    status_date: datetime | None
    price: float | None

    @classmethod
    def from_dict(cls, data: JsonObject) -> Self:
        """Read the message from a tracking response or a callback; a missing value is `None`."""
        status, status_date = read_status(data)
        return cls(
            tracking_id=get_str(data, "trackingId"),
            to=get_recipient(data),
            status=status,
            status_date=status_date,
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
    def expire_on_delivery(self) -> bool | None:
        """Whether it expires unless it is seen within its ttl."""
        return get_bool(self._data, "expireOnDelivery")
