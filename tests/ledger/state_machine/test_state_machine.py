"""The machine of the ledger in every order of claim, crash, freeze, lost answer, late callback and search.

The explorer is tried as well: with any of the rules taken away it finds how a message is sent twice.
"""

import functools
from collections.abc import Callable

import pytest

from routee_failover.ledger.state_machine import FINAL_STATES, EntryState

from . import search_lag_model
from .explorer import Explored, explore
from .ledger_model import LedgerModel, Rules, steps
from .search_lag_model import FLIGHT

SOUND = Rules()


@functools.cache
def _explored(rules: Rules) -> Explored[LedgerModel]:
    return explore(LedgerModel(), lambda world: steps(world, rules))


def _accepted_more_than(most: int) -> Callable[[LedgerModel], bool]:
    return lambda world: world.accepted > most


def _at_rest(world: LedgerModel) -> bool:
    """Whether nothing is on its way any more that could still tell."""
    return not world.in_flight and not world.callback and all(sender.phase == "idle" for sender in world.senders)


def _lies(world: LedgerModel) -> bool:
    """Whether the ledger says something else than the server knows, and nothing is there to put it right."""
    if not _at_rest(world):
        return False
    return (world.state is EntryState.ACCEPTED and not world.accepted) or (
        world.state in FINAL_STATES - {EntryState.ACCEPTED} and world.accepted > 0
    )


def _unheard(world: LedgerModel) -> bool:
    """Whether the ledger was told of the acceptance and says something else."""
    return world.reported and world.state is not EntryState.ACCEPTED


def test_never_twice() -> None:
    """In no order of steps does the server accept a message twice."""
    explored = _explored(SOUND)
    assert explored.shortest_path(_accepted_more_than(1)) is None
    assert len(explored.worlds) > 1000


def test_never_lost() -> None:
    """From everything that can be reached some order of steps leads to an end."""
    assert _explored(SOUND).dead_end(lambda world: world.state in FINAL_STATES) is None


def test_an_end_is_what_the_server_knows() -> None:
    """Once all is at rest, ACCEPTED is what the server accepted, and nothing else that has ended is."""
    assert _explored(SOUND).shortest_path(_lies) is None
    assert _explored(Rules(policy=True)).shortest_path(_lies) is None


@pytest.mark.parametrize("rules", [SOUND, Rules(policy=True)])
def test_what_was_told_is_kept(rules: Rules) -> None:
    """ACCEPTED is never left, and whoever tells of an acceptance is heard, whatever was believed before."""
    explored = _explored(rules)
    assert explored.shortest_path(_unheard) is None
    left = [
        one
        for world, then in explored.leads_to.items()
        for one in then
        if world.state is EntryState.ACCEPTED and one.state is not EntryState.ACCEPTED
    ]
    assert not left


def test_the_policy_sends_twice_at_most() -> None:
    """Who has what is in doubt sent again may have it accepted twice, and never three times."""
    explored = _explored(Rules(policy=True))
    assert explored.shortest_path(_accepted_more_than(1)) is not None
    assert explored.shortest_path(_accepted_more_than(2)) is None


def test_an_end_by_policy_proves_nothing_of_the_first_attempt() -> None:
    """Were it taken for one, the ledger would say of an accepted message that it was refused, broken or too late."""
    assert _explored(Rules(policy=True, binds=False)).shortest_path(_lies) is not None


def test_a_second_process() -> None:
    """Should a second process open the ledger all the same, the lease still keeps a message from being sent twice."""
    assert _explored(Rules(lock=False)).shortest_path(_accepted_more_than(1)) is None


@pytest.mark.parametrize(
    "without",
    [
        pytest.param(Rules(gate=False), id="the last gate"),
        pytest.param(Rules(gate_and_byte_at_once=False), id="nothing between the gate and the first byte"),
        pytest.param(Rules(settle=0), id="a time to settle"),
        pytest.param(Rules(settle=SOUND.settle - 1), id="enough time to settle"),
        pytest.param(Rules(lag=SOUND.lag + 1), id="a search that lags for less than that"),
        pytest.param(Rules(lock=False, lease_matters=False), id="the lease, with a second process"),
        pytest.param(Rules(by_sender=False), id="senders that speak of their own attempt"),
        pytest.param(Rules(by_search=False), id="searches that speak of the attempt they were begun for"),
    ],
)
def test_every_rule_is_needed(without: Rules) -> None:
    """Without any one of the rules there is an order of steps in which the server accepts a message twice."""
    twice = _accepted_more_than(1)
    story = explore(LedgerModel(), lambda world: steps(world, without), until=twice).shortest_path(twice)
    assert story is not None
    assert sum(step.startswith("accepted") for step in story) == 2


def test_a_control_that_came_after() -> None:
    """A control that was begun once nothing is on its way any more proves absence, however far the search lags."""
    rules = search_lag_model.SearchRules()
    explored = explore(search_lag_model.SearchLagModel(), lambda world: search_lag_model.steps(world, rules))
    assert explored.shortest_path(search_lag_model.is_wrong) is None
    assert explored.shortest_path(lambda world: world.absent) is not None


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param(search_lag_model.SearchRules(canary=None), id="no control"),
        pytest.param(search_lag_model.SearchRules(canary=-1), id="a control from before"),
        pytest.param(search_lag_model.SearchRules(canary=FLIGHT), id="a control while it may be on its way"),
        pytest.param(search_lag_model.SearchRules(settle_ticks=0, canary=-1), id="no time to settle"),
    ],
)
def test_a_control_that_proves_less(rules: search_lag_model.SearchRules) -> None:
    """With any other control a search that lags may keep silent about what the server has."""
    explored = explore(search_lag_model.SearchLagModel(), lambda world: search_lag_model.steps(world, rules))
    assert explored.shortest_path(search_lag_model.is_wrong) is not None
