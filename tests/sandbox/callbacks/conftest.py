"""What the tests of callbacks share."""

import pytest

from routee_failover.sandbox.callbacks import poster


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Receivers on a busy machine have more than two seconds; the test of the limit itself sets it back."""
    monkeypatch.setattr(poster, "RESPONSE_TIMEOUT", 60.0)
