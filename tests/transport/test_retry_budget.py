"""What all the retries of a client may cost."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from routee_failover._transport.retry_budget import COST_NOT_SENT, COST_THROTTLED, RetryBudget


def _granted(budget: RetryBudget, cost: int, wanted: int = 1_000) -> int:
    """How many of so many retries at that cost the budget pays for."""
    return sum(budget.try_withdraw(cost) for _ in range(wanted))


def test_a_full_budget_pays_for_35_retries_without_a_connection() -> None:
    """500 tokens at 14 each; what is left over pays for none."""
    budget = RetryBudget()
    assert COST_NOT_SENT == 14
    assert _granted(budget, COST_NOT_SENT) == 35
    assert budget.available == 500 - 35 * 14


def test_a_full_budget_pays_for_100_retries_that_routee_asked_for() -> None:
    """500 tokens at 5 each, to the last of them."""
    budget = RetryBudget()
    assert COST_THROTTLED == 5
    assert _granted(budget, COST_THROTTLED) == 100
    assert budget.available == 0


def test_what_cannot_be_paid_takes_nothing() -> None:
    """A retry that is not granted leaves what there is to a cheaper one."""
    budget = RetryBudget()
    assert not budget.try_withdraw(501)
    assert budget.available == 500
    assert budget.try_withdraw(500)
    assert not budget.try_withdraw(1)


def test_what_costs_nothing_is_always_granted() -> None:
    """An empty budget stands in the way of no retry that is free."""
    budget = RetryBudget()
    budget.try_withdraw(500)
    assert budget.try_withdraw(0)


def test_a_success_earns_one() -> None:
    """After 14 successes at the first try, an empty budget pays for one retry more."""
    budget = RetryBudget()
    budget.try_withdraw(500)
    for _ in range(13):
        budget.deposit()
        assert not budget.try_withdraw(COST_NOT_SENT)
    budget.deposit(0)
    assert budget.try_withdraw(COST_NOT_SENT)
    assert budget.available == 0


def test_a_success_gives_back_what_its_retries_cost() -> None:
    """Retries that end well cost nothing in the end, and earn nothing on top."""
    budget = RetryBudget()
    budget.try_withdraw(500)
    budget.deposit(19)
    assert budget.available == 19


def test_there_is_never_more_than_a_full_budget() -> None:
    """A long time without trouble saves up nothing that an outage could spend."""
    budget = RetryBudget()
    budget.deposit()
    assert budget.available == 500
    budget.try_withdraw(1)
    budget.deposit(14)
    assert budget.available == 500
    budget.try_withdraw(2)
    budget.deposit()
    assert budget.available == 499


@given(calls=st.integers(180, 5_000), tries=st.integers(1, 50))
def test_a_total_outage_is_met_with_at_most_a_fifth_more(calls: int, tries: int) -> None:
    """From 180 calls on, an outage in which nothing succeeds sees at most 1.2 times the traffic, whatever the tries."""
    budget = RetryBudget()
    attempts = sum(1 + _granted(budget, COST_NOT_SENT, tries - 1) for _ in range(calls))
    assert attempts <= calls + 500 / 14
    assert attempts <= 1.2 * calls


class _AnyUse(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.budget = RetryBudget()

    @rule(cost=st.integers(0, 600))
    def spend(self, cost: int) -> None:
        """Retries are granted as long as they can be paid, and paid as they are granted."""
        before = self.budget.available
        granted = self.budget.try_withdraw(cost)
        assert granted is (cost <= before)
        assert self.budget.available == before - cost * granted

    @rule(spent=st.integers(0, 100))
    def earn(self, spent: int) -> None:
        """A success brings what it is worth, as far as there is room."""
        before = self.budget.available
        self.budget.deposit(spent)
        assert self.budget.available == min(500, before + max(1, spent))

    @invariant()
    def is_within_its_bounds(self) -> None:
        """Never negative, never above 500."""
        assert 0 <= self.budget.available <= 500


TestAnyUse = _AnyUse.TestCase
