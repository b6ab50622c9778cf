"""The clock by hand, for all that waits for its time to settle."""

import pytest

from routee_failover.bulk.settling import patience

from .runs import Hand


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch) -> Hand:
    """The time by which doubts are watched goes by hand."""
    clock = Hand()
    monkeypatch.setattr(patience, "time", clock)
    return clock
