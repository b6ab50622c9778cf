"""Every rule of every endpoint's table in four tests: built and loaded, at its limit and just past it.

Each table is in the module of its endpoint: `test_standard`, `test_transactional`, `test_otp`, `test_viber_otp`.
"""

import pytest

from . import test_otp, test_standard, test_transactional, test_viber_otp
from .rule_tables import (
    Bad,
    Rule,
    assert_build_fails,
    assert_buildable,
    assert_load_fails,
    assert_loadable,
    bad_cases,
    good_cases,
)

TABLES = {
    "standard": test_standard.RULES,
    "transactional": test_transactional.RULES,
    "otp": test_otp.RULES,
    "viber-otp": test_viber_otp.RULES,
}


@pytest.mark.parametrize(("endpoint", "rule", "value"), good_cases(TABLES))
def test_value_at_the_limit_is_built(endpoint: str, rule: Rule, value: object) -> None:
    """What Routee documents as allowed can be built, up to the limit itself."""
    assert_buildable(rule, value)


@pytest.mark.parametrize(("endpoint", "rule", "value"), good_cases(TABLES))
def test_value_at_the_limit_is_loaded_and_dumped(endpoint: str, rule: Rule, value: object) -> None:
    """What Routee documents as allowed is loaded, and dumped unchanged."""
    assert_loadable(endpoint, rule, value)


@pytest.mark.parametrize(("endpoint", "rule", "bad"), bad_cases(TABLES))
def test_value_past_the_limit_is_not_built(endpoint: str, rule: Rule, bad: Bad) -> None:
    """What is just past a limit cannot be built; the error names field, rule and limit."""
    assert_build_fails(rule, bad)


@pytest.mark.parametrize(("endpoint", "rule", "bad"), bad_cases(TABLES))
def test_value_past_the_limit_is_not_loaded(endpoint: str, rule: Rule, bad: Bad) -> None:
    """What is just past a limit is not loaded; the error has its path in Routee's names."""
    assert_load_fails(endpoint, rule, bad)
