"""The client's rules and the contract's were written apart from the same pages: here each checks the other."""

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
from .mutations import places, spoilt

OPERATIONS = {
    "standard": "sendFailover",
    "transactional": "sendTransactionalFailover",
    "otp": "sendFailoverOtp",
    "viber-otp": "sendViberOtp",
}
endpoints = pytest.mark.parametrize("endpoint", OPERATIONS)


def refused_by_contract(endpoint: str, request: object) -> list[str]:
    """What the contract has against a request."""
    return [f"{found.location}: {found.reason}" for found in load_contract().check_body(OPERATIONS[endpoint], request)]


def refused_by_client(endpoint: str, request: Any) -> list[str]:
    """What the client has against a request, unknown keys left alone."""
    try:
        load_flow(endpoint, request, extra="keep")
    except InvalidFlow as error:
        return [str(problem) for problem in error.problems]
    return []


@endpoints
@few
@given(data=st.data())
def test_what_the_client_builds_the_contract_accepts(endpoint: str, data: st.DataObject) -> None:
    """Every flow that can be built is within the contract, as it arrives at the other end."""
    flow = data.draw(FLOWS[endpoint])
    assert refused_by_contract(endpoint, json.loads(encode_flow(flow).reveal())) == []


@endpoints
@given(data=st.data())
def test_what_the_contract_refuses_the_client_cannot_build(endpoint: str, data: st.DataObject) -> None:
    """Whatever of a spoilt request the contract refuses, the client refuses too."""
    request = data.draw(spoilt(SAMPLES[endpoint]))
    if why := refused_by_contract(endpoint, request):
        assert refused_by_client(endpoint, request), why


@endpoints
@few
@given(data=st.data())
def test_spoilt_flows_of_any_shape(endpoint: str, data: st.DataObject) -> None:
    """The same holds for spoilt requests of whatever shape can be built."""
    request = data.draw(spoilt(dump_flow(data.draw(FLOWS[endpoint]))))
    if why := refused_by_contract(endpoint, request):
        assert refused_by_client(endpoint, request), why


def _spoil(request: Any, place: tuple[str | int, ...], value: object) -> Any:
    copied = json.loads(json.dumps(request))
    holder = copied
    for part in place[:-1]:
        holder = holder[part]
    if value is ...:
        del holder[place[-1]]
    else:
        holder[place[-1]] = value
    return copied


@pytest.mark.parametrize(
    ("endpoint", "place"),
    [
        pytest.param(endpoint, place, id=f"{endpoint} {'.'.join(map(str, place))}")
        for endpoint, sample in SAMPLES.items()
        for place in places(sample)
    ],
)
def test_every_place_with_every_value(endpoint: str, place: tuple[str | int, ...]) -> None:
    """In each place of a complete request, the client refuses what the contract refuses, and builds what it accepts."""
    from .mutations import VALUES

    for value in (..., *VALUES):
        request = _spoil(SAMPLES[endpoint], place, value)
        contract, client = refused_by_contract(endpoint, request), refused_by_client(endpoint, request)
        assert client or not contract, (value, contract)
        if not client:
            sent = json.loads(encode_flow(load_flow(endpoint, request, extra="keep")).reveal())
            assert refused_by_contract(endpoint, sent) == []
