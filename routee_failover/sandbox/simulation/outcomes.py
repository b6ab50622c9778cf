"""What is to become of a message, in a word: by its recipient's number, so that a test picks an ending by picking a
number, or by a rule.

For `+306900000VSP` the digits V, S and P decide for Viber, SMS and Voice; a message to any other number is delivered.
"""  # noqa: D205

import re
from enum import IntEnum, StrEnum
from typing import Literal

import attrs


class SimulatedChannel(StrEnum):
    """A channel, spelled as Routee spells it."""

    VIBER = "Viber"
    SMS = "Sms"
    VOICE = "Voice"


class ScriptedOutcome(IntEnum):
    """How a message ends, by the digit that scripts it. A channel that knows no such end delivers, unless said here."""

    DELIVERED = 0
    """Delivered; a call is completed."""
    UNDELIVERED = 1
    """Undelivered; a call finds the line busy."""
    FAILED = 2
    EXPIRED = 3
    """Expired when its ttl has passed; a call is not answered. SMS knows no Expired: it ends as Undelivered."""
    SEEN = 4
    """Viber: delivered and then seen."""
    UNSENT = 5
    """Not sent for want of balance: a flow that ends so has the statusCode 1."""
    TERMINATED = 6
    """A call that is cut for want of balance; on other channels a message that is unsent for the same reason."""
    ERROR = 7
    """Failed by a server error that ends the flow, whatever its triggers, with the statusCode 0."""
    UNKNOWN = 8
    """A call whose status is Unknown until it is completed."""


OutcomeName = Literal[
    "delivered", "undelivered", "failed", "expired", "seen", "unsent", "error",
    "completed", "busy", "no-answer", "terminated", "unknown",
]  # fmt: skip
"""How a rule says what becomes of a message. The last five are for calls; `seen` is for Viber."""

_EVERYWHERE: dict[OutcomeName, ScriptedOutcome] = {
    "delivered": ScriptedOutcome.DELIVERED,
    "undelivered": ScriptedOutcome.UNDELIVERED,
    "failed": ScriptedOutcome.FAILED,
    "expired": ScriptedOutcome.EXPIRED,
    "unsent": ScriptedOutcome.UNSENT,
    "error": ScriptedOutcome.ERROR,
}
OUTCOMES_BY_CHANNEL: dict[SimulatedChannel, dict[OutcomeName, ScriptedOutcome]] = {
    SimulatedChannel.VIBER: {**_EVERYWHERE, "seen": ScriptedOutcome.SEEN},
    SimulatedChannel.SMS: _EVERYWHERE,
    SimulatedChannel.VOICE: {
        **_EVERYWHERE,
        "completed": ScriptedOutcome.DELIVERED,
        "busy": ScriptedOutcome.UNDELIVERED,
        "no-answer": ScriptedOutcome.EXPIRED,
        "terminated": ScriptedOutcome.TERMINATED,
        "unknown": ScriptedOutcome.UNKNOWN,
    },
}
"""The outcomes that each channel knows."""


@attrs.frozen
class ScriptedMessage:
    """What is to become of one message."""

    outcome: ScriptedOutcome
    after: float | None = None
    """The virtual seconds until it ends so, from the moment in which it is sent; None: as ever."""
    detail: str | None = None
    """Its detailedStatus then; None: as ever."""


CallbackOrder = Literal["as-is", "reversed", "shuffled"]


@attrs.frozen
class ScriptedCallbacks:
    """What is to become of a flow's callbacks on their way to the caller."""

    repeat: int = 1
    """How often each is posted."""
    order: CallbackOrder = "as-is"
    """In which order the callbacks of one flow arrive."""
    delay: float = 0.0
    """By how many virtual seconds each is late."""
    drop: bool = False
    """Whether they are never posted."""


_SCRIPTED = re.compile(r"\+?306900000([0-9])([0-9])([0-9])", re.ASCII)
_DIGIT = {SimulatedChannel.VIBER: 1, SimulatedChannel.SMS: 2, SimulatedChannel.VOICE: 3}
_ENDINGS = {str(ending.value): ending for ending in ScriptedOutcome}


def scripted_outcome(channel: SimulatedChannel, recipient: str) -> ScriptedOutcome:
    """The ending that the recipient's number scripts for this channel; delivered where it scripts none."""
    found = _SCRIPTED.fullmatch(recipient)
    return _ENDINGS.get(found[_DIGIT[channel]], ScriptedOutcome.DELIVERED) if found else ScriptedOutcome.DELIVERED
