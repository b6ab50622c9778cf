"""Inbound message: a recipient's reply, the one callback that is not about a flow."""

from datetime import datetime
from typing import Self

import attrs

from ..secret import mask_phone, mask_text
from ._fields import get_datetime, get_str
from .record import JsonObject, Record


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class InboundMessage(Record):
    """A Viber message from a person to your sender (https://docs.routee.net/docs/viber-inbound-messages).

    Routee describes it for campaigns; which of its fields it fills for a failover flow is not documented.
    """

    from_: str | None = attrs.field(repr=mask_phone)
    """The phone number of the person who wrote it."""
    to: str | None
    """The id of the Viber sender that the message was written to."""
    message: str | None = attrs.field(repr=mask_text)
    sent_date: datetime | None
    media: str | None = attrs.field(repr=mask_text)
    """The URL of the attachment."""
    filename: str | None = attrs.field(repr=mask_text)
    label: str | None
    reference_tracking_id: str | None
    """The message that this one replies to. Inferred: it is the id of a flow's Viber message, not of the flow."""
    campaign_name: str | None
    campaign_tracking_id: str | None

    @classmethod
    def from_dict(cls, data: JsonObject) -> Self:
        """Read the message from a callback; a missing value is `None`."""
        return cls(
            from_=get_str(data, "from"),
            to=get_str(data, "to"),
            message=get_str(data, "message"),
            sent_date=get_datetime(data, "sentDate"),
            media=get_str(data, "media"),
            # Routee's table and its example spell the key differently.
            filename=get_str(data, "filename") or get_str(data, "fileName"),
            label=get_str(data, "label"),
            reference_tracking_id=get_str(data, "referenceTrackingId"),
            campaign_name=get_str(data, "campaignName"),
            campaign_tracking_id=get_str(data, "campaignTrackingId"),
            data=data,
        )
