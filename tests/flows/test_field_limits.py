"""Every rule of every endpoint's table, asked four ways: built and loaded, at its limit and just past it.

Each table stands with the rest of its endpoint: in `test_standard`, `test_transactional`, `test_otp`, `test_viber_otp`.
"""

import pytest

from . import test_otp, test_standard, test_transactional, test_viber_otp
from .rule_tables import Bad, Rule, accept_built, accept_loaded, bad_cases, good_cases, refuse_built, refuse_loaded

TABLES = {
    "standard": test_standard.RULES,
    "transactional": test_transactional.RULES,
    "otp": test_otp.RULES,
    "viber-otp": test_viber_otp.RULES,
}


@pytest.mark.parametrize(("endpoint", "rule", "value"), good_cases(TABLES))
def test_built_at_the_limit(endpoint: str, rule: Rule, value: object) -> None:
    """What Routee documents as allowed can be built, up to the limit itself."""
    accept_built(rule, value)


@pytest.mark.parametrize(("endpoint", "rule", "value"), good_cases(TABLES))
def test_loaded_at_the_limit(endpoint: str, rule: Rule, value: object) -> None:
    """What Routee documents as allowed is loaded, and dumped as it was."""
    accept_loaded(endpoint, rule, value)


@pytest.mark.parametrize(("endpoint", "rule", "bad"), bad_cases(TABLES))
def test_not_built_past_the_limit(endpoint: str, rule: Rule, bad: Bad) -> None:
    """What is just past a limit cannot be built; the refusal names field, rule and limit."""
    refuse_built(rule, bad)


@pytest.mark.parametrize(("endpoint", "rule", "bad"), bad_cases(TABLES))
def test_not_loaded_past_the_limit(endpoint: str, rule: Rule, bad: Bad) -> None:
    """What is just past a limit is not loaded; the refusal has its path in Routee's names."""
    refuse_loaded(endpoint, rule, bad)
