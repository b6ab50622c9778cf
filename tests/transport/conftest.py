"""Fixtures of the transport tests."""

import pytest


@pytest.fixture
def no_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every backoff delay zero: retries follow at once, or as soon as a throttle pause ends."""
    monkeypatch.setattr("routee_failover._transport.retry_policy.full_jitter", lambda _bound: 0.0)
