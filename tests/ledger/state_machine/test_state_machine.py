"""The ledger's state machine in every order of claim, crash, freeze, lost response, late callback and search.

The explorer is tested as well: with any one of the rules removed it finds how a message is sent twice.
"""

import functools
from collections.abc import Callable

import pytest

from routee_failover.ledger.state_machine import FINAL_STATES, EntryState

from . import search_lag_model
from .explorer import Explored, explore
from .ledger_model import LedgerModel, Rules, steps
from .search_lag_model import FLIGHT

ALL_RULES = Rules()


@functools.cache
def _explored(rules: Rules) -> Explored[LedgerModel]:
    return explore(LedgerModel(), lambda model: steps(model, rules))


def _accepted_more_than(count: int) -> Callable[[LedgerModel], bool]:
    return lambda model: model.accepted > count


def _at_rest(model: LedgerModel) -> bool:
    """Return whether nothing is in flight that could still report an outcome."""
    return not model.in_flight and not model.callback and all(sender.phase == "idle" for sender in model.senders)


def _contradicts_server(model: LedgerModel) -> bool:
    """Return whether the ledger contradicts the server, and nothing is in flight that could correct it."""
    if not _at_rest(model):
        return False
    return (model.state is EntryState.ACCEPTED and not model.accepted) or (
        model.state in FINAL_STATES - {EntryState.ACCEPTED} and model.accepted > 0
    )


def _ignores_report(model: LedgerModel) -> bool:
    """Return whether the acceptance was reported to the ledger and its state is another one."""
    return model.reported and model.state is not EntryState.ACCEPTED


def test_no_order_of_steps_sends_a_message_twice() -> None:
    """In no order of steps does the server accept a message twice."""
    explored = _explored(ALL_RULES)
    assert explored.shortest_path(_accepted_more_than(1)) is None
    assert len(explored.states) > 1000


def test_a_final_state_is_always_reachable() -> None:
    """From every reachable state some order of steps leads to a final state of the entry."""
    assert _explored(ALL_RULES).dead_end(lambda model: model.state in FINAL_STATES) is None


def test_final_state_at_rest_agrees_with_the_server() -> None:
    """Once nothing is in flight, an entry is ACCEPTED where the server accepted it, and in no other final state."""
    assert _explored(ALL_RULES).shortest_path(_contradicts_server) is None
    assert _explored(Rules(resend_policy=True)).shortest_path(_contradicts_server) is None


@pytest.mark.parametrize("rules", [ALL_RULES, Rules(resend_policy=True)])
def test_reported_acceptance_always_counts_and_accepted_is_never_left(rules: Rules) -> None:
    """ACCEPTED is never left, and a report of an acceptance counts in every state before it."""
    explored = _explored(rules)
    assert explored.shortest_path(_ignores_report) is None
    left = [
        one
        for model, following in explored.successors.items()
        for one in following
        if model.state is EntryState.ACCEPTED and one.state is not EntryState.ACCEPTED
    ]
    assert not left


def test_resend_policy_sends_twice_at_most() -> None:
    """With the resend policy a message may be accepted twice, and never three times."""
    explored = _explored(Rules(resend_policy=True))
    assert explored.shortest_path(_accepted_more_than(1)) is not None
    assert explored.shortest_path(_accepted_more_than(2)) is None


def test_final_result_of_a_resend_proves_nothing_about_the_first_attempt() -> None:
    """If it were proof, the ledger would record an accepted message as rejected, invalid or expired."""
    assert _explored(Rules(resend_policy=True, resend_stays_bound=False)).shortest_path(_contradicts_server) is not None


def test_lease_prevents_a_second_send_without_the_lock() -> None:
    """If a second process opens the ledger all the same, the lease still keeps a message from being sent twice."""
    assert _explored(Rules(lock=False)).shortest_path(_accepted_more_than(1)) is None


@pytest.mark.parametrize(
    "without",
    [
        pytest.param(Rules(lease_check=False), id="the last check of the lease"),
        pytest.param(Rules(check_and_byte_at_once=False), id="nothing between that check and the first byte"),
        pytest.param(Rules(min_unknown_ticks=0), id="a wait before a search counts"),
        pytest.param(Rules(min_unknown_ticks=ALL_RULES.min_unknown_ticks - 1), id="a long enough wait"),
        pytest.param(Rules(search_lag=ALL_RULES.search_lag + 1), id="a search lag shorter than the wait"),
        pytest.param(Rules(lock=False, search_waits_for_lease=False), id="the lease, with a second process"),
        pytest.param(Rules(sender_attempt_must_match=False), id="senders that report their own attempt"),
        pytest.param(Rules(search_attempt_must_match=False), id="searches that count for their own attempt"),
    ],
)
def test_without_any_one_rule_a_message_is_sent_twice(without: Rules) -> None:
    """Without any one of the rules there is an order of steps in which the server accepts a message twice."""
    twice = _accepted_more_than(1)
    path = explore(LedgerModel(), lambda model: steps(model, without), until=twice).shortest_path(twice)
    assert path is not None
    assert sum(step.startswith("accepted") for step in path) == 2


def test_canary_sent_after_the_flight_time_proves_absence() -> None:
    """A canary that was sent once the message is not in flight any more proves its absence, with any search lag."""
    rules = search_lag_model.SearchRules()
    explored = explore(search_lag_model.SearchLagModel(), lambda model: search_lag_model.steps(model, rules))
    assert explored.shortest_path(search_lag_model.is_wrong) is None
    assert explored.shortest_path(lambda model: model.absent) is not None


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param(search_lag_model.SearchRules(canary=None), id="no canary"),
        pytest.param(search_lag_model.SearchRules(canary=-1), id="a canary from before"),
        pytest.param(search_lag_model.SearchRules(canary=FLIGHT), id="a canary while the message may be in flight"),
        pytest.param(search_lag_model.SearchRules(min_ticks=0, canary=-1), id="no wait"),
    ],
)
def test_any_earlier_canary_does_not_prove_absence(rules: search_lag_model.SearchRules) -> None:
    """With any other canary a lagging search may omit what the server has accepted."""
    explored = explore(search_lag_model.SearchLagModel(), lambda model: search_lag_model.steps(model, rules))
    assert explored.shortest_path(search_lag_model.is_wrong) is not None
