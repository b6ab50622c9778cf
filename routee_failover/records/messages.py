"""Records of a flow's messages: one class for each channel, with the fields that all channels share in their base.

Both generations of Routee's format are read alike (https://docs.routee.net/docs/failover-callbacks). The older one has
the text of an SMS under `message`, and on Viber `imageURL`, `viberAction` and, in the status, `expireOnDelivery`.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Self, cast

import attrs

from ..secret import mask_phone
from ._fields import (
    get_bool,
    get_datetime,
    get_enum,
    get_enums,
    get_float,
    get_int,
    get_object,
    get_recipient,
    get_str,
    get_timedelta,
)
from ._message_status import read_detailed_status, read_status, read_status_description
from .record import JsonObject, Record
from .statuses import Channel, MessageStatus

_MINUTE = timedelta(minutes=1)
_SECOND = timedelta(seconds=1)
_MILLISECOND = timedelta(milliseconds=1)


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class MessageRecord(Record):
    """One message of a flow: a step that was tried, or one part of a long SMS.

    `from_dict` returns a `ViberMessageRecord`, `SmsMessageRecord` or `VoiceMessageRecord`; a message on a channel that
    Routee may add is a plain `MessageRecord`.
    """

    channel: Channel | None
    order: int | None
    to: str | None = attrs.field(repr=mask_phone)
    status: MessageStatus | None
    updated_at: datetime | None
    """When it reached that status."""
    price: float | None

    @classmethod
    def from_dict(cls, data: JsonObject) -> Self:
        """Read the message from a tracking response, as the class of its channel; a missing value is `None`."""
        channel = get_enum(Channel, data, "type")
        record_class = _RECORD_CLASSES.get(channel, cls) if cls is MessageRecord and channel is not None else cls
        status, updated_at = read_status(data)
        return cast("type[Self]", record_class)(
            channel=channel,
            order=get_int(data, "order"),
            to=get_recipient(data),
            status=status,
            updated_at=updated_at,
            price=get_float(data, "price"),
            data=data,
        )

    @property
    def final(self) -> bool:
        """Whether the status is final, by Routee's list for the channel; an unknown status or channel never is."""
        return self.status is not None and self.status.is_final_on(self.channel)

    @property
    def from_(self) -> str | None:
        """The sender's name, id or number."""
        return get_str(self._data, "from")

    @property
    def country(self) -> str | None:
        """The recipient's two-letter country code."""
        return get_str(self._data, "country")

    @property
    def label(self) -> str | None:
        """The label that you gave the message."""
        return get_str(self._data, "label")

    @property
    def detailed_status(self) -> str | None:
        """Routee's reason for the status: `TTL Expired`, `Not Viber User`, ..."""
        return read_detailed_status(self._data)

    @property
    def status_description(self) -> str | None:
        """Routee's reason for the status as a sentence."""
        return read_status_description(self._data)

    @property
    def failover_on_statuses(self) -> tuple[MessageStatus, ...]:
        """The statuses after which the flow continues with its next step."""
        return get_enums(MessageStatus, self._data, "failoverOnStatuses")

    @property
    def created_at(self) -> datetime | None:
        """When the message was sent."""
        return get_datetime(self._data, "createdAt")


class ViberMessageRecord(MessageRecord):
    """A Viber message of a flow."""

    @property
    def final(self) -> bool:
        """Whether the status is final; `Delivered` is not if the message expires on delivery: it may still be seen."""
        return super().final and not (self.expire_on_delivery and self.status is MessageStatus.DELIVERED)

    @property
    def tracking_id(self) -> str | None:
        """The id of this message, not of the flow: a recipient's reply refers to it."""
        return get_str(self._data, "trackingId")

    @property
    def text(self) -> str | None:
        """The text of the message."""
        return get_str(get_object(self._data, "body"), "text")

    @property
    def image_url(self) -> str | None:
        """The URL of its image."""
        body = get_object(self._data, "body")
        return get_str(body, "imageUrl") or get_str(body, "imageURL")

    @property
    def action_caption(self) -> str | None:
        """The caption of its button."""
        return get_str(self._action, "caption")

    @property
    def action_target_url(self) -> str | None:
        """The target of its button."""
        return get_str(self._action, "targetUrl")

    @property
    def _action(self) -> JsonObject:
        body = get_object(self._data, "body")
        return get_object(body, "action") or get_object(body, "viberAction")

    @property
    def ttl(self) -> timedelta | None:
        """The time to live: until delivery, or until it is seen if it expires on delivery."""
        return get_timedelta(self._data, "ttl", _MINUTE)

    @property
    def expire_on_delivery(self) -> bool | None:
        """Whether it expires unless it is seen within its ttl."""
        found = get_bool(self._data, "expireOnDelivery")
        return get_bool(get_object(self._data, "status"), "expireOnDelivery") if found is None else found

    @property
    def expired_on_delivery_at(self) -> datetime | None:
        """When it expired although it was delivered."""
        found = get_datetime(self._data, "expiredOnDeliveryAt")
        return get_datetime(get_object(self._data, "status"), "expiredOnDeliveryAt") if found is None else found

    @property
    def inbound_url(self) -> str | None:
        """The URL to which the recipient's replies are posted."""
        return get_str(self._data, "inboundUrl")

    @property
    def seq(self) -> int | None:
        """The number of a transactional message. Inferred: Routee documents it for the receipt, not for tracking."""
        return get_int(self._data, "seq")


class SmsMessageRecord(MessageRecord):
    """An SMS of a flow, or one part of a long one: the parts share a `message_id` and have an `sms_id` each."""

    @property
    def message_id(self) -> str | None:
        """The id of the whole SMS."""
        return get_str(self._data, "messageId")

    @property
    def sms_id(self) -> str | None:
        """The id of this part."""
        return get_str(self._data, "smsId")

    @property
    def body(self) -> str | None:
        """The text of the SMS."""
        return get_str(self._data, "body") or get_str(self._data, "message")

    @property
    def part(self) -> int | None:
        """The number of this part, counted from 1."""
        return get_int(self._data, "part")

    @property
    def parts(self) -> int | None:
        """The number of parts."""
        return get_int(self._data, "parts")

    @property
    def operator(self) -> str | None:
        """The recipient's mobile operator."""
        return get_str(self._data, "operator")

    @property
    def latency(self) -> timedelta | None:
        """How long the delivery took."""
        return get_timedelta(self._data, "latency", _MILLISECOND)

    @property
    def ttl(self) -> timedelta | None:
        """The time to live: how long delivery is attempted."""
        return get_timedelta(self._data, "ttl", _MINUTE)


class VoiceMessageRecord(MessageRecord):
    """A call of a flow.

    Inferred from the callback of a voice conversation (https://docs.routee.net/docs/voice-conversation-callbacks):
    Routee does not document how a call of a flow is reported.
    """

    @property
    def message_id(self) -> str | None:
        """The id of the call."""
        return get_str(self._data, "messageId")

    @property
    def conversation_tracking_id(self) -> str | None:
        """The id of the call as a voice conversation."""
        return get_str(self._data, "conversationTrackingId")

    @property
    def duration(self) -> timedelta | None:
        """How long the call lasted."""
        return get_timedelta(self._data, "duration", _SECOND)


_RECORD_CLASSES: Mapping[Channel, type[MessageRecord]] = {
    Channel.VIBER: ViberMessageRecord,
    Channel.SMS: SmsMessageRecord,
    Channel.VOICE: VoiceMessageRecord,
}
