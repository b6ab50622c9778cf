"""Properties of loading and dumping, for every flow that Routee's pages allow and for any JSON."""

import copy
import json
from typing import Any

import attrs
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from routee_failover._wire import dump_flow, encode_flow, load_flow
from routee_failover.errors import InvalidFlow
from routee_failover.flows import TransactionalFlow, ValidatedFlow, ViberOtpMessage

from ..flows.rule_tables import result_or_error
from ..flows.sample_requests import SAMPLES, at, changed
from ..strategies import FLOWS, few, flows, json_values

endpoints = pytest.mark.parametrize("endpoint", FLOWS)


@endpoints
@few
@given(data=st.data())
def test_dumped_flow_is_loaded_as_an_equal_flow(endpoint: str, data: st.DataObject) -> None:
    """Loading a dumped flow returns an equal flow, with an equal hash."""
    flow = data.draw(FLOWS[endpoint])
    loaded = load_flow(flow.endpoint, dump_flow(flow), extra="keep")
    assert loaded == flow
    assert hash(loaded) == hash(flow)
    assert dump_flow(loaded) == dump_flow(flow)


@endpoints
@few
@given(data=st.data())
def test_encoded_flow_is_loaded_as_an_equal_flow(endpoint: str, data: st.DataObject) -> None:
    """The bytes that are sent are the JSON of the dumped flow, and are loaded as an equal flow."""
    flow = data.draw(FLOWS[endpoint])
    received = json.loads(encode_flow(flow).reveal())
    assert received == dump_flow(flow)
    assert load_flow(endpoint, received, extra="keep") == flow


def _without_extra(part: Any) -> Any:
    """Return a part of a flow without its extras."""
    if isinstance(part, tuple):
        return tuple(_without_extra(item) for item in part)
    if not attrs.has(type(part)):
        return part
    inner = {
        field.name: _without_extra(getattr(part, field.name))
        for field in attrs.fields(type(part))
        if field.name != "extra"
    }
    return attrs.evolve(part, extra={}, **inner)


@few
@given(flow=flows)
def test_flow_without_extra_survives_strict_loading(flow: ValidatedFlow) -> None:
    """A dumped flow without extras can be loaded strictly."""
    stripped = _without_extra(flow)
    assert load_flow(stripped.endpoint, dump_flow(stripped)) == stripped


@few
@given(flow=flows)
def test_copies_of_a_flow_are_equal_and_encoded_alike(flow: ValidatedFlow) -> None:
    """Shallow and deep copies of a flow are equal to it and have the same bytes."""
    for copied in (copy.copy(flow), copy.deepcopy(flow), attrs.evolve(flow)):
        assert copied == flow
        assert hash(copied) == hash(flow)
        assert encode_flow(copied).reveal() == encode_flow(flow).reveal()


@few
@given(flow=flows, invalid_value=st.none() | st.booleans() | st.integers() | st.text(max_size=3))
def test_evolve_with_an_invalid_value_raises_invalid_flow(flow: ValidatedFlow, invalid_value: object) -> None:
    """A changed copy is validated like a new flow: there is no way around the rules."""
    name = "to" if isinstance(flow, ViberOtpMessage) else "steps"
    with pytest.raises(InvalidFlow, match=f"^{type(flow).__name__}: {name}: "):
        attrs.evolve(flow, **{name: invalid_value})  # type: ignore[arg-type]  # on purpose
    if not isinstance(flow, TransactionalFlow):  # which takes no extra
        assert attrs.evolve(flow, extra={"xNew": 1}).extra == {"xNew": 1}


@endpoints
@given(value=json_values, extra=st.sampled_from(["refuse", "keep"]))
def test_any_json_is_loaded_or_raises_invalid_flow(endpoint: str, value: Any, extra: Any) -> None:
    """Any JSON is loaded as a flow or raises `InvalidFlow`, and no other error."""
    result = result_or_error(load_flow, endpoint, value, extra=extra)
    assert result.problems if isinstance(result, InvalidFlow) else result.endpoint == endpoint


def _paths(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [found for key, value in items for found in [(*path, key), *_paths(value, (*path, key))]]


@endpoints
@given(data=st.data(), value=json_values, extra=st.sampled_from(["refuse", "keep"]))
def test_any_json_at_any_path_is_loaded_or_raises_invalid_flow(
    endpoint: str, data: st.DataObject, value: Any, extra: Any
) -> None:
    """With any JSON at any path of a valid request, the result is a flow that can be sent, or `InvalidFlow`."""
    path = data.draw(st.sampled_from(_paths(SAMPLES[endpoint])))
    assume(value != at(SAMPLES[endpoint], path))
    result = result_or_error(load_flow, endpoint, changed(SAMPLES[endpoint], path, value), extra=extra)
    if isinstance(result, InvalidFlow):
        assert all(str(problem) in str(result) for problem in result.problems)
    else:
        assert json.loads(encode_flow(result).reveal()) == dump_flow(result)
