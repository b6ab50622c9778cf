"""What a message goes through on its channel: the statuses that Routee documents for it, in the order of their coming.

The casing is the documented one: Viber in upper case, SMS and Voice in title case. Times are seconds since it was sent.
"""

import functools
import math
from collections.abc import Sequence
from enum import IntEnum

import attrs

from .outcomes import ScriptedOutcome, SimulatedChannel

# Routee documents no delays. These are short beside any ttl, and long enough to be watched at a moderate speed.
VIBER_DELIVERED, VIBER_SEEN = 2.0, 5.0
SMS_SENT, SMS_DELIVERED = 1.0, 3.0
CALL_INITIATED, CALL_RINGING, CALL_ANSWERED, CALL_COMPLETED, CALL_UNANSWERED = 1.0, 2.0, 4.0, 10.0, 30.0
REJECTED_BY_CHANNEL = 1.0

_SUCCESSES = frozenset({"DELIVERED", "SEEN", "Delivered", "Completed"})


class FailureCode(IntEnum):
    """Why a flow failed, in Routee's numbers."""

    SERVER_ERROR = 0
    INSUFFICIENT_BALANCE = 1
    NO_NEXT_STEP = 2
    NOT_TRIGGERED = 3


@attrs.frozen
class StatusChange:
    """A message takes a status; `detail` is Routee's detailedStatus."""

    at: float
    name: str
    detailed_status: str
    failure_code: FailureCode | None = None
    """Why a flow fails that ends with this status, where the status itself says it."""

    def rescheduled(self, at: float) -> "StatusChange":
        """The same at another moment."""
        return StatusChange(at, self.name, self.detailed_status, self.failure_code)

    @property
    def succeeded(self) -> bool:
        """Whether this status is its channel's successful outcome."""
        return self.name in _SUCCESSES


@functools.cache
def status_sequence(channel: SimulatedChannel, outcome: ScriptedOutcome) -> tuple[StatusChange, ...]:
    """The statuses of a message that ends so; one that only its ttl brings comes never, at infinity."""
    return _COURSES[channel](outcome)


def expiry_status(channel: SimulatedChannel) -> StatusChange:
    """What a message of this channel becomes when its ttl passes."""
    return status_sequence(channel, ScriptedOutcome.EXPIRED)[-1]


def possible_outcomes(
    channel: SimulatedChannel, past: Sequence[StatusChange], *, expires_on_delivery: bool
) -> frozenset[ScriptedOutcome]:
    """The endings that a message with this past can still come to: a call that was answered is not unanswered."""
    last = past[-1].name
    if last == "DELIVERED":
        return frozenset(
            {ScriptedOutcome.SEEN, ScriptedOutcome.EXPIRED} if expires_on_delivery else {ScriptedOutcome.SEEN}
        )
    return _OPEN[channel].get(last, frozenset())


def _viber(ending: ScriptedOutcome) -> tuple[StatusChange, ...]:
    queued = StatusChange(0.0, "QUEUED", "Queued")
    delivered = StatusChange(VIBER_DELIVERED, "DELIVERED", "Delivered")
    match ending:
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


def _sms(ending: ScriptedOutcome) -> tuple[StatusChange, ...]:
    queued = StatusChange(0.0, "Queued", "Queued")
    sent = StatusChange(SMS_SENT, "Sent", "Sent")
    match ending:
        case ScriptedOutcome.UNDELIVERED:
            return queued, sent, StatusChange(SMS_DELIVERED, "Undelivered", "Unknown Number")
        case ScriptedOutcome.FAILED:
            return queued, StatusChange(REJECTED_BY_CHANNEL, "Failed", "Failed")
        case ScriptedOutcome.EXPIRED:
            return queued, sent, StatusChange(math.inf, "Undelivered", "Expired")
        case ScriptedOutcome.UNSENT | ScriptedOutcome.TERMINATED:
            # INF: Unsent is documented for bulk SMS; for one that is a step no page names another status.
            return queued, StatusChange(REJECTED_BY_CHANNEL, "Unsent", "Unsent", FailureCode.INSUFFICIENT_BALANCE)
        case ScriptedOutcome.ERROR:
            return queued, StatusChange(REJECTED_BY_CHANNEL, "Failed", "Failed", FailureCode.SERVER_ERROR)
        case _:
            return queued, sent, StatusChange(SMS_DELIVERED, "Delivered", "Delivered")


def _voice(ending: ScriptedOutcome) -> tuple[StatusChange, ...]:
    queued = StatusChange(0.0, "Queued", "Queued")
    initiated = StatusChange(CALL_INITIATED, "Initiated", "Initiated")
    ringing = StatusChange(CALL_RINGING, "Ringing", "Ringing")
    answered = StatusChange(CALL_ANSWERED, "InProgress", "In progress")
    completed = StatusChange(CALL_COMPLETED, "Completed", "Completed")
    match ending:
        case ScriptedOutcome.UNDELIVERED:
            return queued, initiated, StatusChange(CALL_RINGING, "Busy", "Busy")
        case ScriptedOutcome.FAILED:
            return queued, StatusChange(REJECTED_BY_CHANNEL, "Failed", "Failed")
        case ScriptedOutcome.EXPIRED:
            return queued, initiated, ringing, StatusChange(CALL_UNANSWERED, "NoAnswer", "No answer")
        case ScriptedOutcome.UNSENT:
            return queued, StatusChange(REJECTED_BY_CHANNEL, "Unsent", "Unsent", FailureCode.INSUFFICIENT_BALANCE)
        case ScriptedOutcome.TERMINATED:
            cut = StatusChange(CALL_COMPLETED, "Terminated", "Terminated", FailureCode.INSUFFICIENT_BALANCE)
            return queued, initiated, ringing, answered, cut
        case ScriptedOutcome.ERROR:
            return queued, StatusChange(REJECTED_BY_CHANNEL, "Failed", "Failed", FailureCode.SERVER_ERROR)
        case ScriptedOutcome.UNKNOWN:  # older pages call it final, newer ones intermediate, as here
            return queued, initiated, ringing, StatusChange(CALL_ANSWERED, "Unknown", "Unknown"), completed
        case _:
            return queued, initiated, ringing, answered, completed


_COURSES = {SimulatedChannel.VIBER: _viber, SimulatedChannel.SMS: _sms, SimulatedChannel.VOICE: _voice}

_MESSAGE = frozenset(
    {
        ScriptedOutcome.DELIVERED,
        ScriptedOutcome.UNDELIVERED,
        ScriptedOutcome.FAILED,
        ScriptedOutcome.EXPIRED,
        ScriptedOutcome.ERROR,
    }
)
_CALL = _MESSAGE | {ScriptedOutcome.TERMINATED}
_ANSWERED = frozenset({ScriptedOutcome.DELIVERED, ScriptedOutcome.TERMINATED})
_OPEN: dict[SimulatedChannel, dict[str, frozenset[ScriptedOutcome]]] = {
    SimulatedChannel.VIBER: {"QUEUED": _MESSAGE | {ScriptedOutcome.SEEN, ScriptedOutcome.UNSENT}},
    SimulatedChannel.SMS: {"Queued": _MESSAGE | {ScriptedOutcome.UNSENT}, "Sent": _MESSAGE},
    SimulatedChannel.VOICE: {
        "Queued": _CALL | {ScriptedOutcome.UNSENT},
        "Initiated": _CALL,
        "Ringing": _CALL,
        "InProgress": _ANSWERED,
        "Unknown": _ANSWERED,
    },
}
