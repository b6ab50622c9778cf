"""What tests of the transport share beside the server of bare sockets."""

import pytest


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow each other without jitter: at once, or as soon as a pause is over."""
    monkeypatch.setattr("routee_failover._transport.retry_delays.full_jitter", lambda _bound: 0.0)
