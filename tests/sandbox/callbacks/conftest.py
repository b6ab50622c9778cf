"""Fixtures of the callback tests."""

import pytest

from routee_failover.sandbox.callbacks import poster


@pytest.fixture(autouse=True)
def long_response_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give receivers on a busy machine more than two seconds; the test of the limit itself restores it."""
    monkeypatch.setattr(poster, "RESPONSE_TIMEOUT", 60.0)
