"""Config: limits, retries, status rules and observers of sending."""

import copy
from typing import Any

import pytest

from routee_failover.config import Config
from routee_failover.errors import InvalidConfig, Outcome
from routee_failover.events import LoggingObserver
from routee_failover.outcomes import StatusRule


def _config(**changes: Any) -> Config:
    return Config(**{"application_id": "app", "application_secret": "key", **changes})


def test_concurrency_defaults_to_none_and_must_be_positive() -> None:
    """Without a limit of its own, as many requests are in flight as there are connections."""
    assert _config().concurrency is None
    assert _config(concurrency=1).concurrency == 1
    for wrong in (0, -1, 1.0, "1", True):
        with pytest.raises(InvalidConfig, match=r"^concurrency must be a whole number of at least 1"):
            _config(concurrency=wrong)


def test_rate_must_be_a_positive_number_or_none() -> None:
    """A rate is a number of requests per second above 0, or none."""
    assert _config().rate is None
    assert [_config(rate=rate).rate for rate in (1, 0.1)] == [1, 0.1]
    for wrong in (0, -1, float("inf"), float("nan"), "1", True):
        with pytest.raises(InvalidConfig, match=r"^rate must be a number of requests a second, above 0"):
            _config(rate=wrong)


@pytest.mark.parametrize("wrong", [0, -1, float("nan"), float("inf"), "20", None, True])
def test_poll_rate_must_be_a_positive_number(wrong: Any) -> None:
    """The rate limit of polling is a number per second above 0."""
    assert _config(poll_rate=0.5).poll_rate == 0.5
    with pytest.raises(InvalidConfig, match=r"^poll_rate must be"):
        _config(poll_rate=wrong)


def test_otp_reserve_must_be_at_least_zero_and_below_one() -> None:
    """A share is at least 0 and never the whole: other messages would starve."""
    assert [_config(otp_reserve=share).otp_reserve for share in (0, 0.5, 0.999)] == [0, 0.5, 0.999]
    for wrong in (-0.1, 1, 1.0, float("nan"), "0.1", None, False):
        with pytest.raises(InvalidConfig, match=r"^otp_reserve must be a share of at least 0 and below 1"):
            _config(otp_reserve=wrong)


def test_circuit_breaker_must_be_a_bool() -> None:
    """The circuit breaker is on by default and can be switched off."""
    assert _config().circuit_breaker is True
    assert _config(circuit_breaker=False).circuit_breaker is False
    for wrong in (0, 1, "no", None):
        with pytest.raises(InvalidConfig, match=r"^circuit_breaker must be True or False"):
            _config(circuit_breaker=wrong)


def test_status_rules_are_copied_and_validated() -> None:
    """Overrides of the status table are kept as a copy, shown in the repr, and refused if they are invalid."""
    rules = {"502": StatusRule(Outcome.REJECTED)}
    config = _config(status_rules=rules)
    rules.clear()
    assert dict(config.status_rules) == {"502": StatusRule(Outcome.REJECTED)}
    assert "502" in repr(config)
    assert hash(config) == hash(copy.deepcopy(config))
    for wrong, reason in (
        ({"99": StatusRule(Outcome.REJECTED)}, "a key of status_rules must look like"),
        ({502: StatusRule(Outcome.REJECTED)}, "a key of status_rules must look like"),
        ({"502": Outcome.REJECTED}, "status_rules: 502 must have a StatusRule as its value"),
        ([], "status_rules must be a mapping"),
        (None, "status_rules must be a mapping"),
    ):
        with pytest.raises(InvalidConfig, match=rf"^{reason}"):
            _config(status_rules=wrong)


def test_observers_must_have_an_observe_method() -> None:
    """Observers are objects with an `observe` method, in a list or a tuple."""
    observer = LoggingObserver()
    assert _config(observers=[observer]).observers == (observer,)
    for wrong in (observer, [LoggingObserver, "x"], None, ["x"], [print]):
        with pytest.raises(InvalidConfig, match=r"^observers must be objects with an observe\(event\) method"):
            _config(observers=wrong)
