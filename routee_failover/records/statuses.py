"""Routee's statuses, channels and flow kinds as open enumerations: a word that Routee adds later is kept as text."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Self


class OpenEnum(StrEnum):
    """Documented list of words, in any letter case; an unknown word becomes a member of its own with `known` False.

    Members are text and compare as text: `FlowStatus("Paused") == "Paused"`, although Routee documents no such status.
    """

    @classmethod
    def _missing_(cls, value: object) -> Self:
        text = str(value)
        for member in cls:
            if member.value.lower() == text.lower():
                return member
        unknown = str.__new__(cls, text)
        unknown._name_ = unknown._value_ = text
        return unknown

    @property
    def known(self) -> bool:
        """Whether the documentation that this release is based on lists the word."""
        return type(self).__members__.get(self._name_) is self


class FlowStatus(OpenEnum):
    """Status of a whole flow (https://docs.routee.net/docs/failover-statuses)."""

    QUEUED = "Queued"
    IN_PROGRESS = "InProgress"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"

    @property
    def final(self) -> bool:
        """Whether the status is final; an unknown one never is."""
        return self is FlowStatus.SUCCEEDED or self is FlowStatus.FAILED


class Channel(OpenEnum):
    """Channel of a message."""

    VIBER = "Viber"
    SMS = "Sms"
    VOICE = "Voice"


class MessageStatus(OpenEnum):
    """Status of one message on any channel; Routee writes Viber's in capitals and the others' in title case."""

    QUEUED = "Queued"
    SENT = "Sent"
    DELIVERED = "Delivered"
    UNDELIVERED = "Undelivered"
    EXPIRED = "Expired"
    SEEN = "Seen"
    FAILED = "Failed"
    UNSENT = "Unsent"
    INITIATED = "Initiated"
    RINGING = "Ringing"
    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    BUSY = "Busy"
    NO_ANSWER = "NoAnswer"
    TERMINATED = "Terminated"
    UNKNOWN = "Unknown"
    """Status of a call. An older page of Routee's lists it as final; the newer ones do not, nor does this library."""

    def is_final_on(self, channel: Channel | None) -> bool:
        """Return whether the status is final on this channel; neither an unknown status nor an unknown channel is.

        On Viber `Delivered` is final, although `Seen` may follow, and although a message that expires on delivery may
        still be seen or expire: `ViberMessageRecord.final` considers that.
        """
        return channel is not None and self in FINAL_STATUSES.get(channel, ())


class FlowKind(OpenEnum):
    """Failover endpoint that a flow was sent to."""

    STANDARD = "standard"
    TRANSACTIONAL = "transactional"


FAILURE_REASONS = {0: "server error", 1: "insufficient balance", 2: "no next step", 3: "failover not triggered"}
"""What Routee documents for the `statusCode` of a failed flow."""

FINAL_STATUSES: Mapping[Channel, frozenset[MessageStatus]] = {
    # Inferred: https://docs.routee.net/docs/viber-messaging-statuses does not say which statuses are final.
    Channel.VIBER: frozenset(
        {
            MessageStatus.DELIVERED,
            MessageStatus.SEEN,
            MessageStatus.UNDELIVERED,
            MessageStatus.EXPIRED,
            MessageStatus.FAILED,
            MessageStatus.UNSENT,
        }
    ),
    # https://docs.routee.net/docs/statuses-callbacks: an SMS whose ttl has passed is Undelivered, never Expired.
    Channel.SMS: frozenset(
        {MessageStatus.DELIVERED, MessageStatus.UNDELIVERED, MessageStatus.FAILED, MessageStatus.UNSENT}
    ),
    # https://docs.routee.net/docs/voice-messaging-statuses
    Channel.VOICE: frozenset(
        {
            MessageStatus.COMPLETED,
            MessageStatus.BUSY,
            MessageStatus.NO_ANSWER,
            MessageStatus.FAILED,
            MessageStatus.UNSENT,
            MessageStatus.TERMINATED,
        }
    ),
}
"""Final statuses of a message, by channel."""
