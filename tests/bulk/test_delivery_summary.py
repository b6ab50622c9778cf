"""Delivery reports of a run are counted by outcome and channel, in whatever words Routee has for either."""

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


def test_counts_by_outcome_and_channel() -> None:
    """Accepted messages are delivered, failed or unknown; the channels have the delivered and the failed ones."""
    deliveries = DeliverySummary.from_counts(
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
    assert (deliveries.delivered, deliveries.failed, deliveries.unknown) == (1_930, 40, 30)
    assert (deliveries.accepted, deliveries.reported) == (2_000, 1_970)
    assert list(deliveries.channels) == ["Viber", "SMS"]
    assert deliveries.channels == {
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
def test_what_a_status_means(status: str | None, outcome: str) -> None:
    """Flows and messages have statuses of their own; one that is not known is no end."""
    assert delivery_outcome(status) == outcome


def test_channels_as_people_write_them() -> None:
    """Routee's names of channels differ by endpoint; one that is new is shown as it is, on one line and short."""
    assert [channel_name(name) for name in ("VIBER", "Sms", "voice", "Rcs", None, "")] == [
        *("Viber", "SMS", "Voice", "Rcs", "", "")
    ]
    assert channel_name("\x1b[2J\n" + "x" * 100).isprintable()
    assert len(channel_name("x" * 100)) < 30


def test_channels_without_end() -> None:
    """More channels than there can be are counted together after the first few; no message is lost."""
    deliveries = DeliverySummary.from_counts(DeliveryCount("Succeeded", f"channel {n}", n) for n in range(1, 101))
    assert deliveries.delivered == sum(outcomes[DELIVERED] for outcomes in deliveries.channels.values()) == 5_050
    assert len(deliveries.channels) == 9
    assert "others" in deliveries.channels


def test_nothing_was_accepted() -> None:
    """Without an accepted message there is nothing to be delivered."""
    assert DeliverySummary.from_counts([]) == DeliverySummary()
    assert DeliverySummary().accepted == 0
