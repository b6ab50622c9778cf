"""What a person wrote back: the one callback that tells of no flow."""

from datetime import datetime
from typing import Self

import attrs

from ..secret import mask_phone, mask_text
from .record import Json, Record, moment, text


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class InboundMessage(Record):
    """A Viber message from a person to your sender (https://docs.routee.net/docs/viber-inbound-messages).

    Routee describes it for campaigns; which of its fields it fills for a failover flow is not documented.
    """

    from_: str | None = attrs.field(repr=mask_phone)
    """The person's number."""
    to: str | None
    """The id of the sender that the person wrote to."""
    message: str | None = attrs.field(repr=mask_text)
    sent_date: datetime | None
    media: str | None = attrs.field(repr=mask_text)
    """The address of what the person attached."""
    filename: str | None = attrs.field(repr=mask_text)
    label: str | None
    reference_tracking_id: str | None
    """The message that was answered. It is inferred that this is the id of a flow's Viber message, not of the flow."""
    campaign_name: str | None
    campaign_tracking_id: str | None

    @classmethod
    def read(cls, answer: Json) -> Self:
        """The message in a callback; whatever it lacks is `None`."""
        return cls(
            from_=text(answer, "from"),
            to=text(answer, "to"),
            message=text(answer, "message"),
            sent_date=moment(answer, "sentDate"),
            media=text(answer, "media"),
            # Routee's table spells it one way and its example another.
            filename=text(answer, "filename") or text(answer, "fileName"),
            label=text(answer, "label"),
            reference_tracking_id=text(answer, "referenceTrackingId"),
            campaign_name=text(answer, "campaignName"),
            campaign_tracking_id=text(answer, "campaignTrackingId"),
            answer=answer,
        )
