"""What a callback becomes on its way to whoever wants it."""

from datetime import datetime
from enum import StrEnum
from typing import Generic, Literal, TypeVar

import attrs

from .._value_object import ValueObject
from ..records import FlowRecord, InboundMessage, OtpRecord

AnyCallback = FlowRecord | OtpRecord | InboundMessage
"""Whatever Routee calls back with."""

Record_co = TypeVar("Record_co", bound=AnyCallback, covariant=True)


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class CallbackEvent(ValueObject, Generic[Record_co]):
    """A callback that said something new, as handlers and `async for` get it."""

    record: Record_co
    """What Routee said."""
    reference: str | None
    """What the address was made for (`CallbackSigner.url`); `None` where callbacks come without a signature."""
    received_at: datetime
    """When it came in."""
    confirmed: bool = False
    """Whether Routee was asked, and said this itself: the record is then the one that it gave."""

    @property
    def kind(self) -> Literal["flow", "otp", "inbound"]:
        """Which of the three kinds of callback it was."""
        match self.record:
            case FlowRecord():
                return "flow"
            case OtpRecord():
                return "otp"
            case _:
                return "inbound"

    @property
    def tracking_id(self) -> str | None:
        """The id of the flow; what a person wrote has none but their number, which this is not."""
        match self.record:
            case FlowRecord(tracking_id=identity) | OtpRecord(flow_id=identity):
                return identity
            case _:
                return None


class ReceiveResult(StrEnum):
    """What became of a callback when it came in. All but `UNAVAILABLE` are to be answered with 200."""

    NEW = "taken"
    """It says something new and is handed out, at the latest once it is confirmed."""
    DUPLICATE = "repeated"
    """It was here before."""
    STALE = "stale"
    """Something newer about the same flow was here before."""
    UNAVAILABLE = "no room"
    """It was not taken, because too many wait or the inbox is closing: Routee has to repeat it, so answer 503."""
