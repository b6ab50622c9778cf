"""A client cannot be copied or pickled, and says what to do instead."""

import copy
import dataclasses
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from routee_failover import RouteeClient

from .fake_routee import config_for


@dataclasses.dataclass
class _Services:
    name: str
    routee: RouteeClient


class _OwnClient(RouteeClient):
    pass


def _client() -> RouteeClient:
    return RouteeClient(config_for("http://127.0.0.1:1"))


ATTEMPTS: dict[str, Callable[[], object]] = {
    "deepcopy": lambda: copy.deepcopy(_client()),
    "deepcopy of what holds it": lambda: copy.deepcopy({"routee": [_client()]}),
    "copy": lambda: copy.copy(_client()),
    "dataclasses.asdict": lambda: dataclasses.asdict(_Services("x", _client())),
    "pickle": lambda: pickle.dumps(_client()),
    "oldest pickle": lambda: pickle.dumps(_client(), protocol=0),
}


@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS)
def test_copying_a_client_says_what_to_do_instead(attempt: Callable[[], object]) -> None:
    """A copy would share or lose connections: the error names the ways to share a client and to make another."""
    with pytest.raises(TypeError, match=r"a RouteeClient cannot be copied or pickled.*with_options\(\).*from_env\(\)"):
        attempt()


def test_copying_names_the_class_itself() -> None:
    """The error names a class of the caller's own."""
    with pytest.raises(TypeError, match="a _OwnClient cannot be copied"):
        copy.deepcopy(_OwnClient(config_for("http://127.0.0.1:1")))


def test_settings_of_a_client_are_copied() -> None:
    """The settings can be copied, and make an equal client."""
    config: Any = _client().config
    assert copy.deepcopy(config) == config
    assert RouteeClient(copy.copy(config)).config == config
