"""What becomes of a message is written in its recipient's number, so that a test picks an ending by picking a number.

For `+306900000VSP` the digits V, S and P decide for Viber, SMS and Voice; a message to any other number is delivered.
"""

import re
from enum import IntEnum, StrEnum
from typing import Literal

import attrs


class Channel(StrEnum):
    """A channel, spelled as Routee spells it."""

    VIBER = "Viber"
    SMS = "Sms"
    VOICE = "Voice"


class Ending(IntEnum):
    """How a message ends, by the digit that scripts it."""

    DELIVERED = 0
    """Delivered; a call is completed."""
    UNDELIVERED = 1
    """Undelivered; a call finds the line busy."""
    FAILED = 2
    EXPIRED = 3
    """Expired when its ttl has passed; a call is not answered. SMS knows no Expired: it ends as Undelivered."""
    SEEN = 4
    """Delivered and then seen; SMS and calls know no Seen and end as delivered."""


@attrs.frozen
class Script:
    """What is to become of one message: how it ends, and after how many virtual seconds (None: as ever)."""

    ending: Ending
    after: float | None = None


Order = Literal["as-is", "reversed", "shuffled"]


@attrs.frozen
class CallbackScript:
    """What is to become of a flow's callbacks on their way to the caller."""

    repeat: int = 1
    """How often each is posted."""
    order: Order = "as-is"
    """In which order the callbacks of one flow arrive."""
    delay: float = 0.0
    """By how many virtual seconds each is late."""
    lose: bool = False
    """Whether they are never posted."""


_SCRIPTED = re.compile(r"\+?306900000([0-9])([0-9])([0-9])", re.ASCII)
_DIGIT = {Channel.VIBER: 1, Channel.SMS: 2, Channel.VOICE: 3}
_ENDINGS = {str(ending.value): ending for ending in Ending}


def scripted_ending(channel: Channel, recipient: str) -> Ending:
    """The ending that the recipient's number scripts for this channel; delivered where it scripts none."""
    found = _SCRIPTED.fullmatch(recipient)
    return _ENDINGS.get(found[_DIGIT[channel]], Ending.DELIVERED) if found else Ending.DELIVERED
