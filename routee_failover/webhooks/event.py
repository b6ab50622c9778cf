"""Callback events, as consumers of an inbox get them, and the result of receiving a callback."""

from datetime import datetime
from enum import StrEnum
from typing import Generic, Literal, TypeVar

import attrs

from .._value_object import ValueObject
from ..records import FlowRecord, InboundMessage, OtpRecord, ViberOtpRecord

AnyCallback = FlowRecord | OtpRecord | ViberOtpRecord | InboundMessage
"""The record of any callback that Routee documents."""

Record_co = TypeVar("Record_co", bound=AnyCallback, covariant=True)


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class CallbackEvent(ValueObject, Generic[Record_co]):
    """A callback with new information, as handlers and `async for` get it."""

    record: Record_co
    """What Routee reported."""
    reference: str | None
    """The reference in the signed URL (`CallbackSigner.url`); `None` if callbacks come without a signature."""
    received_at: datetime
    """When it was received."""
    confirmed: bool = False
    """Whether Routee's API confirmed it: `record` is then the one that the API returned."""

    @property
    def kind(self) -> Literal["flow", "otp", "viber-otp", "inbound"]:
        """The kind of callback, by the class of its record."""
        match self.record:
            case FlowRecord():
                return "flow"
            case OtpRecord():
                return "otp"
            case ViberOtpRecord():
                return "viber-otp"
            case _:
                return "inbound"

    @property
    def tracking_id(self) -> str | None:
        """The id of the flow or of the Viber OTP; `None` for an inbound message.

        The only id of an inbound message is the sender's number, a private one.
        """
        match self.record:
            case FlowRecord() | ViberOtpRecord():
                return self.record.tracking_id
            case OtpRecord():
                return self.record.flow_id
            case _:
                return None


class ReceiveResult(StrEnum):
    """Result of `CallbackInbox.receive`. Respond with 200 to all but `UNAVAILABLE`."""

    NEW = "new"
    """It has new information and is dispatched, at the latest once it is confirmed."""
    DUPLICATE = "duplicate"
    """It was received before."""
    STALE = "stale"
    """A newer callback about the same flow was received before."""
    UNAVAILABLE = "unavailable"
    """It was not accepted, because the inbox is full or closing. Respond with 503, so that Routee repeats it."""
