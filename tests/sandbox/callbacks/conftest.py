"""What the tests of callbacks share."""

import pytest

from routee_failover.sandbox.callbacks import posting


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Receivers on a busy machine have more than two seconds; the test of the limit itself sets it back."""
    monkeypatch.setattr(posting, "ANSWER_WITHIN", 60.0)
