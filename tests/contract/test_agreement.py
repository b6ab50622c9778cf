"""Agreement of the client's rules and the contract's, which were written separately from the same pages."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routee_failover._wire import dump_flow, encode_flow, load_flow
from routee_failover.errors import InvalidFlow
from routee_failover.sandbox.contract import load_contract

from ..flows.sample_requests import SAMPLES
from ..strategies import FLOWS, few
from .mutations import json_paths, mutated

OPERATIONS = {
    "standard": "sendFailover",
    "transactional": "sendTransactionalFailover",
    "otp": "sendFailoverOtp",
    "viber-otp": "sendViberOtp",
}
endpoints = pytest.mark.parametrize("endpoint", OPERATIONS)


def contract_problems(endpoint: str, request: object) -> list[str]:
    """Return the problems of a request by the contract."""
    return [
        f"{problem.location}: {problem.reason}" for problem in load_contract().check_body(OPERATIONS[endpoint], request)
    ]


def client_problems(endpoint: str, request: Any) -> list[str]:
    """Return the problems of a request by the client, unknown keys allowed."""
    try:
        load_flow(endpoint, request, extra="keep")
    except InvalidFlow as error:
        return [str(problem) for problem in error.problems]
    return []


_MAPPINGS = {"templateParams", "xNew"}
"""Keys whose values the client sends as they are."""


def normalized(endpoint: str, request: Any) -> Any:
    """Return the request without what the client documents to read differently: nulls, blank addresses, orders.

    A null counts as absent; so does a blank `viber` or `sip` of a call. Without an `order`, a step of a standard or
    transactional flow counts by its position.
    """
    without_absent = _without_absent(request)
    steps = without_absent.get("flow") if isinstance(without_absent, dict) else None
    if endpoint in {"standard", "transactional"} and isinstance(steps, list):
        for position, step in enumerate(steps, start=1):
            if isinstance(step, dict):
                step.setdefault("order", position)
    return without_absent


def _without_absent(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_absent(item) for item in value]
    if not isinstance(value, dict):
        return value
    blank = {key for key in ("viber", "sip") if isinstance(value.get(key), str) and not value[key].strip()}
    return {
        key: item if key in _MAPPINGS else _without_absent(item)
        for key, item in value.items()
        if item is not None and key not in blank
    }


@endpoints
@few
@given(data=st.data())
def test_contract_accepts_every_flow_of_the_client(endpoint: str, data: st.DataObject) -> None:
    """Every flow that can be built is within the contract, as it arrives at the server."""
    flow = data.draw(FLOWS[endpoint])
    assert contract_problems(endpoint, json.loads(encode_flow(flow).reveal())) == []


@endpoints
@given(data=st.data())
def test_client_refuses_mutated_requests_that_the_contract_rejects(endpoint: str, data: st.DataObject) -> None:
    """Any mutated request that the contract rejects, the client refuses too."""
    request = data.draw(mutated(SAMPLES[endpoint]))
    if problems := contract_problems(endpoint, normalized(endpoint, request)):
        assert client_problems(endpoint, request), problems


@endpoints
@few
@given(data=st.data())
def test_client_refuses_mutated_flows_that_the_contract_rejects(endpoint: str, data: st.DataObject) -> None:
    """The same holds for mutated requests of every shape that can be built."""
    request = data.draw(mutated(dump_flow(data.draw(FLOWS[endpoint]))))
    if problems := contract_problems(endpoint, normalized(endpoint, request)):
        assert client_problems(endpoint, request), problems


def _with_value(request: Any, path: tuple[str | int, ...], value: object) -> Any:
    copied = json.loads(json.dumps(request))
    parent = copied
    for key in path[:-1]:
        parent = parent[key]
    if value is ...:
        del parent[path[-1]]
    else:
        parent[path[-1]] = value
    return copied


@pytest.mark.parametrize(
    ("endpoint", "path"),
    [
        pytest.param(endpoint, path, id=f"{endpoint} {'.'.join(map(str, path))}")
        for endpoint, sample in SAMPLES.items()
        for path in json_paths(sample)
    ],
)
def test_client_and_contract_agree_on_every_value_at_every_path(endpoint: str, path: tuple[str | int, ...]) -> None:
    """At each path of a complete request, the client refuses what the contract rejects, and builds what it accepts."""
    from .mutations import VALUES

    for value in (..., *VALUES):
        request = _with_value(SAMPLES[endpoint], path, value)
        contract = contract_problems(endpoint, normalized(endpoint, request))
        client = client_problems(endpoint, request)
        assert client or not contract, (value, contract)
        if not client:
            sent = json.loads(encode_flow(load_flow(endpoint, request, extra="keep")).reveal())
            assert contract_problems(endpoint, sent) == []
