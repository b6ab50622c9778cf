"""The messages of a flow, typed by channel: what each of them says beyond what all of them say.

Both generations of Routee's shapes are read alike (https://docs.routee.net/docs/failover-callbacks). The older one has
the text of an SMS under `message`, and on Viber `imageURL`, `viberAction` and, in the status, `expireOnDelivery`.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Self, cast

import attrs

from ..secret import mask_phone
from .record import Json, Record, moment, number, part, span, text, whole, word, words, yes_or_no
from .statuses import Channel, MessageStatus

_MINUTE = timedelta(minutes=1)
_SECOND = timedelta(seconds=1)
_MILLISECOND = timedelta(milliseconds=1)


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class MessageRecord(Record):
    """One message of a flow: a step that was tried, or one part of a long SMS.

    It comes as a `ViberMessageRecord`, `SmsMessageRecord` or `VoiceMessageRecord`; one on a channel that Routee adds is
    a plain `MessageRecord`.
    """

    channel: Channel | None
    order: int | None
    to: str | None = attrs.field(repr=mask_phone)
    status: MessageStatus | None
    updated_at: datetime | None
    """Since when it has that status."""
    price: float | None

    @classmethod
    def read(cls, answer: Json) -> Self:
        """The message in a tracking answer, typed by its channel; whatever it lacks is `None`."""
        channel = word(Channel, answer, "type")
        typed = _TYPED.get(channel, cls) if cls is MessageRecord and channel is not None else cls
        status = part(answer, "status")
        return cast("type[Self]", typed)(
            channel=channel,
            order=whole(answer, "order"),
            to=_recipient(answer),
            status=word(MessageStatus, status, "name"),
            updated_at=moment(status, "updatedDate"),
            price=number(answer, "price"),
            answer=answer,
        )

    @property
    def final(self) -> bool:
        """Whether the message has ended, by what Routee documents for its channel; what is unknown never has."""
        return self.status is not None and self.status.final_on(self.channel)

    @property
    def from_(self) -> str | None:
        """The sender: its name, its id or its number."""
        return text(self._answer, "from")

    @property
    def country(self) -> str | None:
        """The recipient's country, in two letters."""
        return text(self._answer, "country")

    @property
    def label(self) -> str | None:
        """The label of your own that the message was sent with."""
        return text(self._answer, "label")

    @property
    def detailed_status(self) -> str | None:
        """Why the message stands as it does, in Routee's words: `TTL Expired`, `Not Viber User`, ..."""
        return text(part(part(self._answer, "status"), "reason"), "detailedStatus")

    @property
    def status_description(self) -> str | None:
        """The same in a sentence of Routee's."""
        return text(part(part(self._answer, "status"), "reason"), "description")

    @property
    def failover_on_statuses(self) -> tuple[MessageStatus, ...]:
        """The statuses at which the flow goes on to its next step."""
        return words(MessageStatus, self._answer, "failoverOnStatuses")

    @property
    def created_at(self) -> datetime | None:
        """When the message was sent."""
        return moment(self._answer, "createdAt")


class ViberMessageRecord(MessageRecord):
    """A Viber message of a flow."""

    @property
    def final(self) -> bool:
        """Whether the message has ended; a delivered one that expires on delivery has not: it is yet to be seen."""
        return super().final and not (self.expire_on_delivery and self.status is MessageStatus.DELIVERED)

    @property
    def tracking_id(self) -> str | None:
        """The id of this message, not of the flow: what a person's reply refers to."""
        return text(self._answer, "trackingId")

    @property
    def text(self) -> str | None:
        """What the message says."""
        return text(part(self._answer, "body"), "text")

    @property
    def image_url(self) -> str | None:
        """The image that it shows."""
        body = part(self._answer, "body")
        return text(body, "imageUrl") or text(body, "imageURL")

    @property
    def action_caption(self) -> str | None:
        """What its button says."""
        return text(self._action, "caption")

    @property
    def action_target_url(self) -> str | None:
        """Where its button leads."""
        return text(self._action, "targetUrl")

    @property
    def _action(self) -> Json:
        body = part(self._answer, "body")
        return part(body, "action") or part(body, "viberAction")

    @property
    def ttl(self) -> timedelta | None:
        """For how long it waited to be delivered, or to be seen where it expires on delivery."""
        return span(self._answer, "ttl", _MINUTE)

    @property
    def expire_on_delivery(self) -> bool | None:
        """Whether it expires unless it is seen in time."""
        found = yes_or_no(self._answer, "expireOnDelivery")
        return yes_or_no(part(self._answer, "status"), "expireOnDelivery") if found is None else found

    @property
    def expired_on_delivery_at(self) -> datetime | None:
        """When it expired although it was delivered."""
        found = moment(self._answer, "expiredOnDeliveryAt")
        return moment(part(self._answer, "status"), "expiredOnDeliveryAt") if found is None else found

    @property
    def inbound_url(self) -> str | None:
        """Where the person's replies are posted."""
        return text(self._answer, "inboundUrl")

    @property
    def seq(self) -> int | None:
        """The number of a transactional message. Inferred: Routee documents it for the receipt, not for tracking."""
        return whole(self._answer, "seq")


class SmsMessageRecord(MessageRecord):
    """An SMS of a flow, or one part of a long one: its parts have one `message_id` and an `sms_id` each."""

    @property
    def message_id(self) -> str | None:
        """The id of the whole SMS."""
        return text(self._answer, "messageId")

    @property
    def sms_id(self) -> str | None:
        """The id of this part."""
        return text(self._answer, "smsId")

    @property
    def body(self) -> str | None:
        """What it says."""
        return text(self._answer, "body") or text(self._answer, "message")

    @property
    def part(self) -> int | None:
        """Which part this is, counted from 1."""
        return whole(self._answer, "part")

    @property
    def parts(self) -> int | None:
        """How many parts there are."""
        return whole(self._answer, "parts")

    @property
    def operator(self) -> str | None:
        """The operator of the recipient."""
        return text(self._answer, "operator")

    @property
    def latency(self) -> timedelta | None:
        """How long the delivery took."""
        return span(self._answer, "latency", _MILLISECOND)

    @property
    def ttl(self) -> timedelta | None:
        """For how long it waited to be delivered."""
        return span(self._answer, "ttl", _MINUTE)


class VoiceMessageRecord(MessageRecord):
    """A call of a flow.

    Inferred from the callback of a voice conversation (https://docs.routee.net/docs/voice-conversation-callbacks):
    Routee documents no call of a flow.
    """

    @property
    def message_id(self) -> str | None:
        """The id of the call."""
        return text(self._answer, "messageId")

    @property
    def conversation_tracking_id(self) -> str | None:
        """The id of the conversation that the call is."""
        return text(self._answer, "conversationTrackingId")

    @property
    def duration(self) -> timedelta | None:
        """How long the call lasted."""
        return span(self._answer, "duration", _SECOND)


_TYPED: Mapping[Channel, type[MessageRecord]] = {
    Channel.VIBER: ViberMessageRecord,
    Channel.SMS: SmsMessageRecord,
    Channel.VOICE: VoiceMessageRecord,
}


def _recipient(answer: Json) -> str | None:
    """The number; a call is made to an object, whose members stand for ways to reach the same person."""
    to = part(answer, "to")
    return text(answer, "to") or text(to, "phone") or text(to, "viber") or text(to, "sip")
