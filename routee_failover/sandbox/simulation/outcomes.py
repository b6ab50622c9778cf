"""Scripted outcomes of messages, selected by the recipient's number or by a rule.

In `+306900000VSP` the digits V, S and P select the outcome for Viber, SMS and Voice, so that a test picks an outcome by
picking a number; a message to any other number is delivered.
"""

import re
from enum import IntEnum, StrEnum
from typing import Literal

import attrs


class SimulatedChannel(StrEnum):
    """Channel of the simulation, spelled as Routee spells it."""

    VIBER = "Viber"
    SMS = "Sms"
    VOICE = "Voice"


class ScriptedOutcome(IntEnum):
    """Outcome of a message; the value is the digit that scripts it.

    A channel that lacks an outcome delivers the message, unless stated here.
    """

    DELIVERED = 0
    """Delivered; a call is completed."""
    UNDELIVERED = 1
    """Undelivered; the line of a call is busy."""
    FAILED = 2
    EXPIRED = 3
    """Expired when the ttl has passed; a call is not answered. SMS has no Expired: the message ends as Undelivered."""
    SEEN = 4
    """Viber: delivered and then seen."""
    UNSENT = 5
    """Not sent because the balance is insufficient: a flow that ends like this has the statusCode 1."""
    TERMINATED = 6
    """A call that is cut off because the balance is insufficient; on other channels the message is unsent instead."""
    ERROR = 7
    """Failed by a server error, which ends the flow whatever its triggers are, with the statusCode 0."""
    UNKNOWN = 8
    """A call whose status is Unknown until it is completed."""


OutcomeName = Literal[
    "delivered", "undelivered", "failed", "expired", "seen", "unsent", "error",
    "completed", "busy", "no-answer", "terminated", "unknown",
]  # fmt: skip
"""Names of the outcomes in rules. The last five are for calls; `seen` is for Viber."""

_ALL_CHANNELS: dict[OutcomeName, ScriptedOutcome] = {
    "delivered": ScriptedOutcome.DELIVERED,
    "undelivered": ScriptedOutcome.UNDELIVERED,
    "failed": ScriptedOutcome.FAILED,
    "expired": ScriptedOutcome.EXPIRED,
    "unsent": ScriptedOutcome.UNSENT,
    "error": ScriptedOutcome.ERROR,
}
OUTCOMES_BY_CHANNEL: dict[SimulatedChannel, dict[OutcomeName, ScriptedOutcome]] = {
    SimulatedChannel.VIBER: {**_ALL_CHANNELS, "seen": ScriptedOutcome.SEEN},
    SimulatedChannel.SMS: _ALL_CHANNELS,
    SimulatedChannel.VOICE: {
        **_ALL_CHANNELS,
        "completed": ScriptedOutcome.DELIVERED,
        "busy": ScriptedOutcome.UNDELIVERED,
        "no-answer": ScriptedOutcome.EXPIRED,
        "terminated": ScriptedOutcome.TERMINATED,
        "unknown": ScriptedOutcome.UNKNOWN,
    },
}
"""Outcome names that each channel supports."""


@attrs.frozen
class ScriptedMessage:
    """Script of one message."""

    outcome: ScriptedOutcome
    after: float | None = None
    """Virtual seconds from sending the message to its outcome; None: the default of the channel."""
    detail: str | None = None
    """The detailedStatus of its outcome; None: the default of the outcome."""


CallbackOrder = Literal["as-is", "reversed", "shuffled"]


@attrs.frozen
class ScriptedCallbacks:
    """Script of the callbacks of one flow."""

    repeat: int = 1
    """How many times each is posted."""
    order: CallbackOrder = "as-is"
    """Order in which the callbacks of one flow arrive."""
    delay: float = 0.0
    """Delay of each, in virtual seconds."""
    drop: bool = False
    """Whether they are recorded but never posted."""


_SCRIPTED_NUMBER = re.compile(r"\+?306900000([0-9])([0-9])([0-9])", re.ASCII)
_DIGIT_GROUP = {SimulatedChannel.VIBER: 1, SimulatedChannel.SMS: 2, SimulatedChannel.VOICE: 3}
_OUTCOMES_BY_DIGIT = {str(outcome.value): outcome for outcome in ScriptedOutcome}


def scripted_outcome(channel: SimulatedChannel, recipient: str) -> ScriptedOutcome:
    """Return the outcome that the recipient's number scripts for this channel; DELIVERED where it scripts none."""
    match = _SCRIPTED_NUMBER.fullmatch(recipient)
    return (
        _OUTCOMES_BY_DIGIT.get(match[_DIGIT_GROUP[channel]], ScriptedOutcome.DELIVERED)
        if match
        else ScriptedOutcome.DELIVERED
    )
