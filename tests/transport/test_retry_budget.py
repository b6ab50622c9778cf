"""Retry budget: how many retries a client may make."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from routee_failover._transport.retry_policy import COST_NOT_SENT, COST_THROTTLED, RetryBudget


def _granted(budget: RetryBudget, cost: int, wanted: int = 1_000) -> int:
    """Return how many of the wanted retries at this cost the budget grants."""
    return sum(budget.try_withdraw(cost) for _ in range(wanted))


def test_full_budget_grants_35_retries_of_unsent_requests() -> None:
    """500 tokens at 14 each; the remainder is too small for another retry."""
    budget = RetryBudget()
    assert COST_NOT_SENT == 14
    assert _granted(budget, COST_NOT_SENT) == 35
    assert budget.available == 500 - 35 * 14


def test_full_budget_grants_100_retries_of_throttled_requests() -> None:
    """500 tokens at 5 each, down to the last token."""
    budget = RetryBudget()
    assert COST_THROTTLED == 5
    assert _granted(budget, COST_THROTTLED) == 100
    assert budget.available == 0


def test_denied_retry_withdraws_nothing() -> None:
    """A denied retry leaves the tokens for a cheaper one."""
    budget = RetryBudget()
    assert not budget.try_withdraw(501)
    assert budget.available == 500
    assert budget.try_withdraw(500)
    assert not budget.try_withdraw(1)


def test_free_retry_is_granted_by_an_empty_budget() -> None:
    """A retry that costs nothing is granted even by an empty budget."""
    budget = RetryBudget()
    budget.try_withdraw(500)
    assert budget.try_withdraw(0)


def test_success_without_retries_earns_one_token() -> None:
    """After 14 successes at the first attempt, an empty budget grants one more retry."""
    budget = RetryBudget()
    budget.try_withdraw(500)
    for _ in range(13):
        budget.deposit()
        assert not budget.try_withdraw(COST_NOT_SENT)
    budget.deposit(0)
    assert budget.try_withdraw(COST_NOT_SENT)
    assert budget.available == 0


def test_success_after_retries_returns_their_cost() -> None:
    """Retries of a request that succeeds cost nothing in the end, and earn nothing either."""
    budget = RetryBudget()
    budget.try_withdraw(500)
    budget.deposit(19)
    assert budget.available == 19


def test_deposits_never_exceed_the_capacity() -> None:
    """A long time without failures saves up no tokens for an outage."""
    budget = RetryBudget()
    budget.deposit()
    assert budget.available == 500
    budget.try_withdraw(1)
    budget.deposit(14)
    assert budget.available == 500
    budget.try_withdraw(2)
    budget.deposit()
    assert budget.available == 499


class _BudgetMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.budget = RetryBudget()

    @rule(cost=st.integers(0, 600))
    def withdraw(self, cost: int) -> None:
        """A retry is granted if and only if there are enough tokens, and only then withdrawn."""
        before = self.budget.available
        granted = self.budget.try_withdraw(cost)
        assert granted is (cost <= before)
        assert self.budget.available == before - cost * granted

    @rule(spent=st.integers(0, 100))
    def deposit(self, spent: int) -> None:
        """A success deposits its tokens, up to the capacity."""
        before = self.budget.available
        self.budget.deposit(spent)
        assert self.budget.available == min(500, before + max(1, spent))

    @invariant()
    def is_within_bounds(self) -> None:
        """Never negative, never above 500."""
        assert 0 <= self.budget.available <= 500


TestRetryBudgetStateMachine = _BudgetMachine.TestCase
