"""Deliveries by outcome and channel, counted from the delivery reports of a run's accepted messages."""

from collections.abc import Iterable, Mapping

import attrs

from .._value_object import ValueObject
from ..ledger import DeliveryCount
from .sanitize import sanitize

DELIVERED, FAILED, UNKNOWN = "delivered", "failed", "unknown"
"""Delivery outcomes of an accepted message; unknown without a final delivery report."""

# Statuses of flows and of messages: which of the two a delivery report has depends on the endpoint.
_OUTCOMES: Mapping[str, str] = {
    **dict.fromkeys(("succeeded", "delivered", "seen", "completed"), DELIVERED),
    **dict.fromkeys(("failed", "undelivered", "expired", "unsent", "busy", "noanswer", "terminated"), FAILED),
}
_CHANNELS = {"viber": "Viber", "sms": "SMS", "voice": "Voice"}
OTHER_CHANNELS = "others"
_MAX_CHANNELS = 8


def delivery_outcome(status: str | None) -> str:
    """Return the delivery outcome of a status; `UNKNOWN` for `None` and for unrecognized statuses."""
    return UNKNOWN if status is None else _OUTCOMES.get(status.lower(), UNKNOWN)


def channel_name(channel: str | None) -> str:
    """Return the display name of a channel; empty if it is not known."""
    return _CHANNELS.get(channel.lower(), sanitize(channel, 24)) if channel else ""


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class DeliverySummary(ValueObject):
    """Summary of deliveries: accepted messages that were delivered, failed, or have no final delivery report yet."""

    delivered: int = 0
    failed: int = 0
    unknown: int = 0
    channels: Mapping[str, Mapping[str, int]] = attrs.field(factory=dict)
    """Delivered and failed messages by the channel that delivery ended on, the most frequent first."""

    @classmethod
    def from_counts(cls, counts: Iterable[DeliveryCount]) -> "DeliverySummary":
        """Return the summary of the ledger's counts (`Ledger.delivery_counts`)."""
        totals = {DELIVERED: 0, FAILED: 0, UNKNOWN: 0}
        channels: dict[str, dict[str, int]] = {}
        for count in sorted(counts, key=lambda count: -count.messages):
            outcome = delivery_outcome(count.status)
            totals[outcome] += count.messages
            name = channel_name(count.channel)
            if outcome == UNKNOWN or not name:
                continue
            if name not in channels and len(channels) >= _MAX_CHANNELS:
                name = OTHER_CHANNELS
            by_outcome = channels.setdefault(name, {DELIVERED: 0, FAILED: 0})
            by_outcome[outcome] += count.messages
        ranked = sorted(channels.items(), key=lambda item: (-sum(item[1].values()), item[0]))
        return cls(**totals, channels=dict(ranked))

    @property
    def accepted(self) -> int:
        """Number of accepted messages."""
        return self.delivered + self.failed + self.unknown

    @property
    def reported(self) -> int:
        """Number of messages with a final delivery report."""
        return self.delivered + self.failed
