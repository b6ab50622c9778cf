"""Delivery reports of a run are counted by outcome and channel, in any notation that Routee has for either."""

import pytest

from routee_failover.bulk.delivery_summary import (
    DELIVERED,
    FAILED,
    UNKNOWN,
    DeliverySummary,
    channel_name,
    delivery_outcome,
)
from routee_failover.ledger import DeliveryCount


def test_delivery_counts_are_summed_by_outcome_and_channel() -> None:
    """Accepted messages are delivered, failed or unknown; channels count the delivered and the failed ones."""
    summary = DeliverySummary.from_counts(
        [
            DeliveryCount(None, None, 20),
            DeliveryCount("InProgress", "Viber", 10),
            DeliveryCount("Succeeded", "Sms", 200),
            DeliveryCount("Succeeded", "sms", 30),
            DeliveryCount("DELIVERED", "Viber", 1_690),
            DeliveryCount("SEEN", "viber", 10),
            DeliveryCount("Failed", "Sms", 38),
            DeliveryCount("Failed", None, 2),
        ]
    )
    assert (summary.delivered, summary.failed, summary.unknown) == (1_930, 40, 30)
    assert (summary.accepted, summary.reported) == (2_000, 1_970)
    assert list(summary.channels) == ["Viber", "SMS"]
    assert summary.channels == {
        "Viber": {DELIVERED: 1_700, FAILED: 0},
        "SMS": {DELIVERED: 230, FAILED: 38},
    }


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        *(("Succeeded", DELIVERED), ("DELIVERED", DELIVERED), ("Seen", DELIVERED), ("Completed", DELIVERED)),
        *(("Failed", FAILED), ("UNDELIVERED", FAILED), ("NoAnswer", FAILED), ("Expired", FAILED), ("Unsent", FAILED)),
        *(("InProgress", UNKNOWN), ("a new word", UNKNOWN), ("", UNKNOWN), (None, UNKNOWN)),
    ],
)
def test_status_maps_to_its_outcome(status: str | None, outcome: str) -> None:
    """Flows and messages have different statuses; an unrecognized one is no final outcome."""
    assert delivery_outcome(status) == outcome


def test_channel_names_are_normalized_for_display() -> None:
    """Routee's channel names differ by endpoint; a new one is shown unchanged, on one line and shortened."""
    assert [channel_name(name) for name in ("VIBER", "Sms", "voice", "Rcs", None, "")] == [
        *("Viber", "SMS", "Voice", "Rcs", "", "")
    ]
    assert channel_name("\x1b[2J\n" + "x" * 100).isprintable()
    assert len(channel_name("x" * 100)) < 30


def test_channels_beyond_the_limit_are_counted_together() -> None:
    """Channels beyond the limit are counted together; no message is lost."""
    summary = DeliverySummary.from_counts(DeliveryCount("Succeeded", f"channel {n}", n) for n in range(1, 101))
    assert summary.delivered == sum(outcomes[DELIVERED] for outcomes in summary.channels.values()) == 5_050
    assert len(summary.channels) == 9
    assert "others" in summary.channels


def test_no_accepted_messages_give_an_empty_summary() -> None:
    """Without an accepted message the summary is empty."""
    assert DeliverySummary.from_counts([]) == DeliverySummary()
    assert DeliverySummary().accepted == 0
