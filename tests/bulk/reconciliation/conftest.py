"""The clock by hand, for all that waits for its time to settle."""

import pytest

from routee_failover.bulk.reconciliation import lookup_schedule

from .helpers import ManualClock


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch) -> ManualClock:
    """The time by which doubts are watched goes by hand."""
    clock = ManualClock()
    monkeypatch.setattr(lookup_schedule, "time", clock)
    return clock
