"""Status sequences of a message per channel: the statuses that Routee documents, in order, for each scripted outcome.

The casing is the documented one: Viber in upper case, SMS and Voice in title case. Times are seconds since the message
was sent.
"""

import functools
import math
from collections.abc import Sequence
from enum import IntEnum

import attrs

from .scripted_outcomes import ScriptedOutcome, SimulatedChannel

# Routee documents no delays. These are short compared with any ttl, and long enough to watch at a moderate speed.
VIBER_DELIVERED, VIBER_SEEN = 2.0, 5.0
SMS_SENT, SMS_DELIVERED = 1.0, 3.0
CALL_INITIATED, CALL_RINGING, CALL_ANSWERED, CALL_COMPLETED, CALL_UNANSWERED = 1.0, 2.0, 4.0, 10.0, 30.0
REJECTED_BY_CHANNEL = 1.0

_SUCCESSES = frozenset({"DELIVERED", "SEEN", "Delivered", "Completed"})


class FailureCode(IntEnum):
    """Reason why a flow failed: Routee's `statusCode`."""

    SERVER_ERROR = 0
    INSUFFICIENT_BALANCE = 1
    NO_NEXT_STEP = 2
    NOT_TRIGGERED = 3


@attrs.frozen
class StatusChange:
    """Change of a message's status at a time; `detailed_status` is Routee's detailedStatus."""

    at: float
    name: str
    detailed_status: str
    failure_code: FailureCode | None = None
    """Failure code of a flow that ends with this status, where the status determines it."""

    def rescheduled(self, at: float) -> "StatusChange":
        """Return the same change at another time."""
        return StatusChange(at, self.name, self.detailed_status, self.failure_code)

    @property
    def succeeded(self) -> bool:
        """Whether this status is its channel's successful outcome."""
        return self.name in _SUCCESSES


@functools.cache
def status_sequence(channel: SimulatedChannel, outcome: ScriptedOutcome) -> tuple[StatusChange, ...]:
    """Return the statuses of a message with this outcome; a status that only the ttl causes is at infinity."""
    return _SEQUENCES[channel](outcome)


def expiry_status(channel: SimulatedChannel) -> StatusChange:
    """Return the status change of a message of this channel whose ttl passes."""
    return status_sequence(channel, ScriptedOutcome.EXPIRED)[-1]


def possible_outcomes(
    channel: SimulatedChannel, past: Sequence[StatusChange], *, expires_on_delivery: bool
) -> frozenset[ScriptedOutcome]:
    """Return the outcomes that a message with this history can still reach: an answered call cannot end unanswered."""
    last = past[-1].name
    if last == "DELIVERED":
        return frozenset(
            {ScriptedOutcome.SEEN, ScriptedOutcome.EXPIRED} if expires_on_delivery else {ScriptedOutcome.SEEN}
        )
    return _POSSIBLE_OUTCOMES[channel].get(last, frozenset())


def _viber_sequence(outcome: ScriptedOutcome) -> tuple[StatusChange, ...]:
    queued = StatusChange(0.0, "QUEUED", "Queued")
    delivered = StatusChange(VIBER_DELIVERED, "DELIVERED", "Delivered")
    match outcome:
        case ScriptedOutcome.UNDELIVERED:
            return queued, StatusChange(VIBER_DELIVERED, "UNDELIVERED", "Not Viber User")
        case ScriptedOutcome.FAILED:
            return queued, StatusChange(REJECTED_BY_CHANNEL, "FAILED", "Message Rejected")
        case ScriptedOutcome.EXPIRED:
            return queued, StatusChange(math.inf, "EXPIRED", "TTL Expired")
        case ScriptedOutcome.SEEN:
            return queued, delivered, StatusChange(VIBER_SEEN, "SEEN", "Seen")
        case ScriptedOutcome.UNSENT | ScriptedOutcome.TERMINATED:
            return queued, StatusChange(REJECTED_BY_CHANNEL, "UNSENT", "Unsent", FailureCode.INSUFFICIENT_BALANCE)
        case ScriptedOutcome.ERROR:
            return queued, StatusChange(REJECTED_BY_CHANNEL, "FAILED", "System Failure", FailureCode.SERVER_ERROR)
        case _:
            return queued, delivered


def _sms_sequence(outcome: ScriptedOutcome) -> tuple[StatusChange, ...]:
    queued = StatusChange(0.0, "Queued", "Queued")
    sent = StatusChange(SMS_SENT, "Sent", "Sent")
    match outcome:
        case ScriptedOutcome.UNDELIVERED:
            return queued, sent, StatusChange(SMS_DELIVERED, "Undelivered", "Unknown Number")
        case ScriptedOutcome.FAILED:
            return queued, StatusChange(REJECTED_BY_CHANNEL, "Failed", "Failed")
        case ScriptedOutcome.EXPIRED:
            return queued, sent, StatusChange(math.inf, "Undelivered", "Expired")
        case ScriptedOutcome.UNSENT | ScriptedOutcome.TERMINATED:
            # INF: Unsent is documented for bulk SMS; no page names another status for an SMS step.
            return queued, StatusChange(REJECTED_BY_CHANNEL, "Unsent", "Unsent", FailureCode.INSUFFICIENT_BALANCE)
        case ScriptedOutcome.ERROR:
            return queued, StatusChange(REJECTED_BY_CHANNEL, "Failed", "Failed", FailureCode.SERVER_ERROR)
        case _:
            return queued, sent, StatusChange(SMS_DELIVERED, "Delivered", "Delivered")


def _voice_sequence(outcome: ScriptedOutcome) -> tuple[StatusChange, ...]:
    queued = StatusChange(0.0, "Queued", "Queued")
    initiated = StatusChange(CALL_INITIATED, "Initiated", "Initiated")
    ringing = StatusChange(CALL_RINGING, "Ringing", "Ringing")
    answered = StatusChange(CALL_ANSWERED, "InProgress", "In progress")
    completed = StatusChange(CALL_COMPLETED, "Completed", "Completed")
    match outcome:
        case ScriptedOutcome.UNDELIVERED:
            return queued, initiated, StatusChange(CALL_RINGING, "Busy", "Busy")
        case ScriptedOutcome.FAILED:
            return queued, StatusChange(REJECTED_BY_CHANNEL, "Failed", "Failed")
        case ScriptedOutcome.EXPIRED:
            return queued, initiated, ringing, StatusChange(CALL_UNANSWERED, "NoAnswer", "No answer")
        case ScriptedOutcome.UNSENT:
            return queued, StatusChange(REJECTED_BY_CHANNEL, "Unsent", "Unsent", FailureCode.INSUFFICIENT_BALANCE)
        case ScriptedOutcome.TERMINATED:
            terminated = StatusChange(CALL_COMPLETED, "Terminated", "Terminated", FailureCode.INSUFFICIENT_BALANCE)
            return queued, initiated, ringing, answered, terminated
        case ScriptedOutcome.ERROR:
            return queued, StatusChange(REJECTED_BY_CHANNEL, "Failed", "Failed", FailureCode.SERVER_ERROR)
        case ScriptedOutcome.UNKNOWN:  # older pages call it final, newer ones intermediate, as here
            return queued, initiated, ringing, StatusChange(CALL_ANSWERED, "Unknown", "Unknown"), completed
        case _:
            return queued, initiated, ringing, answered, completed


_SEQUENCES = {
    SimulatedChannel.VIBER: _viber_sequence,
    SimulatedChannel.SMS: _sms_sequence,
    SimulatedChannel.VOICE: _voice_sequence,
}

_ANY_MESSAGE = frozenset(
    {
        ScriptedOutcome.DELIVERED,
        ScriptedOutcome.UNDELIVERED,
        ScriptedOutcome.FAILED,
        ScriptedOutcome.EXPIRED,
        ScriptedOutcome.ERROR,
    }
)
_ANY_CALL = _ANY_MESSAGE | {ScriptedOutcome.TERMINATED}
_ANSWERED_CALL = frozenset({ScriptedOutcome.DELIVERED, ScriptedOutcome.TERMINATED})
_POSSIBLE_OUTCOMES: dict[SimulatedChannel, dict[str, frozenset[ScriptedOutcome]]] = {
    SimulatedChannel.VIBER: {"QUEUED": _ANY_MESSAGE | {ScriptedOutcome.SEEN, ScriptedOutcome.UNSENT}},
    SimulatedChannel.SMS: {"Queued": _ANY_MESSAGE | {ScriptedOutcome.UNSENT}, "Sent": _ANY_MESSAGE},
    SimulatedChannel.VOICE: {
        "Queued": _ANY_CALL | {ScriptedOutcome.UNSENT},
        "Initiated": _ANY_CALL,
        "Ringing": _ANY_CALL,
        "InProgress": _ANSWERED_CALL,
        "Unknown": _ANSWERED_CALL,
    },
}
