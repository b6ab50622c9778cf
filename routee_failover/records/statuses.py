"""The words that Routee uses for states, as open lists: a word that it adds tomorrow is kept as text."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Self


class OpenEnum(StrEnum):
    """A documented list of words, in any letter case; an unknown word becomes a member of its own with `known` False.

    Members are text and compare as text: `FlowStatus("Paused") == "Paused"` holds, though Routee documents no such.
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
        """Whether the documentation that this release was written from lists the word."""
        return type(self).__members__.get(self._name_) is self


class FlowStatus(OpenEnum):
    """The state of a whole flow (https://docs.routee.net/docs/failover-statuses)."""

    QUEUED = "Queued"
    IN_PROGRESS = "InProgress"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"

    @property
    def final(self) -> bool:
        """Whether the flow has ended; an unknown status never counts as an end."""
        return self is FlowStatus.SUCCEEDED or self is FlowStatus.FAILED


class Channel(OpenEnum):
    """How a message travels."""

    VIBER = "Viber"
    SMS = "Sms"
    VOICE = "Voice"


class MessageStatus(OpenEnum):
    """The state of one message on any channel; Routee writes Viber's in capitals and the others' in title case."""

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
    """Of a call. An older page of Routee's counts it as an end; the newer ones do not, nor does this library."""

    def is_final_on(self, channel: Channel | None) -> bool:
        """Whether a message on this channel has ended; an unknown word never counts as an end, nor an unknown channel.

        On Viber `Delivered` counts, though `Seen` may follow, and though a message that expires on delivery goes on:
        `ViberMessageRecord.final` knows of that.
        """
        return channel is not None and self in FINAL_STATUSES.get(channel, ())


class FlowKind(OpenEnum):
    """Which of the two failover endpoints a flow came through."""

    STANDARD = "standard"
    TRANSACTIONAL = "transactional"


FAILURE_REASONS = {0: "server error", 1: "insufficient balance", 2: "no next step", 3: "failover not triggered"}
"""What Routee documents for the `statusCode` of a failed flow."""

FINAL_STATUSES: Mapping[Channel, frozenset[MessageStatus]] = {
    # Inferred: https://docs.routee.net/docs/viber-messaging-statuses says of no status whether it is the last.
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
    # https://docs.routee.net/docs/statuses-callbacks: an SMS whose time has passed is Undelivered, never Expired.
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
"""Which statuses are the last of a message."""
