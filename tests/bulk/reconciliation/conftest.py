"""Fixture with a manual clock for everything that waits for `reconcile_after`."""

import pytest

from routee_failover.bulk.reconciliation import lookup_schedule

from .helpers import ManualClock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> ManualClock:
    """Replaces the monotonic clock of the lookup schedule by a manual one."""
    manual_clock = ManualClock()
    monkeypatch.setattr(lookup_schedule, "time", manual_clock)
    return manual_clock
