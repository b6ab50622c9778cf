"""What holds for every flow that Routee's pages allow, and for every JSON."""

import copy
import json
from typing import Any

import attrs
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from routee_failover._wire import dump_flow, encode_flow, load_flow
from routee_failover.errors import InvalidFlow
from routee_failover.flows import AnyFlow, ViberOtpMessage

from ..flows.rule_tables import judged
from ..flows.sample_requests import SAMPLES, at, changed
from ..strategies import FLOWS, few, flows, json_values

endpoints = pytest.mark.parametrize("endpoint", FLOWS)


@endpoints
@few
@given(data=st.data())
def test_load_and_dump_are_inverses(endpoint: str, data: st.DataObject) -> None:
    """Loading what was dumped gives an equal flow, with an equal hash."""
    flow = data.draw(FLOWS[endpoint])
    loaded = load_flow(flow.endpoint, dump_flow(flow), extra="keep")
    assert loaded == flow
    assert hash(loaded) == hash(flow)
    assert dump_flow(loaded) == dump_flow(flow)


@endpoints
@few
@given(data=st.data())
def test_json_round_trip(endpoint: str, data: st.DataObject) -> None:
    """The bytes that are sent are JSON, say what was dumped, and load into an equal flow."""
    flow = data.draw(FLOWS[endpoint])
    received = json.loads(encode_flow(flow).reveal())
    assert received == dump_flow(flow)
    assert load_flow(endpoint, received, extra="keep") == flow


def _bare(part: Any) -> Any:
    """A part of a flow without its extras."""
    if isinstance(part, tuple):
        return tuple(_bare(item) for item in part)
    if not attrs.has(type(part)):
        return part
    inner = {
        field.name: _bare(getattr(part, field.name)) for field in attrs.fields(type(part)) if field.name != "extra"
    }
    return attrs.evolve(part, extra={}, **inner)


@few
@given(flow=flows)
def test_strict_loading_takes_what_is_documented(flow: AnyFlow) -> None:
    """Without extras, what was dumped is loaded as strictly as any other JSON."""
    bare = _bare(flow)
    assert load_flow(bare.endpoint, dump_flow(bare)) == bare


@few
@given(flow=flows)
def test_copies_are_equal(flow: AnyFlow) -> None:
    """Copies of a flow, shallow and deep, are equal to it and are sent alike."""
    for copied in (copy.copy(flow), copy.deepcopy(flow), attrs.evolve(flow)):
        assert copied == flow
        assert hash(copied) == hash(flow)
        assert encode_flow(copied).reveal() == encode_flow(flow).reveal()


@few
@given(flow=flows, wrong=st.none() | st.booleans() | st.integers() | st.text(max_size=3))
def test_evolve_checks_again(flow: AnyFlow, wrong: object) -> None:
    """A changed copy is checked like a new flow: there is no way around the rules."""
    name = "to" if isinstance(flow, ViberOtpMessage) else "steps"
    with pytest.raises(InvalidFlow, match=f"^{type(flow).__name__}: {name}: "):
        attrs.evolve(flow, **{name: wrong})  # type: ignore[arg-type]  # on purpose
    assert attrs.evolve(flow, extra={"xNew": 1}).extra == {"xNew": 1}


@endpoints
@given(value=json_values, extra=st.sampled_from(["refuse", "keep"]))
def test_any_json_is_judged(endpoint: str, value: Any, extra: Any) -> None:
    """Arbitrary JSON gives a flow or `InvalidFlow`, and nothing else."""
    result = judged(load_flow, endpoint, value, extra=extra)
    assert result.problems if isinstance(result, InvalidFlow) else result.endpoint == endpoint


def _places(node: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [found for key, value in items for found in [(*place, key), *_places(value, (*place, key))]]


@endpoints
@given(data=st.data(), value=json_values, extra=st.sampled_from(["refuse", "keep"]))
def test_any_json_in_any_place(endpoint: str, data: st.DataObject, value: Any, extra: Any) -> None:
    """Arbitrary JSON in any place of a sound request gives a flow that can be sent, or `InvalidFlow`."""
    place = data.draw(st.sampled_from(_places(SAMPLES[endpoint])))
    assume(value != at(SAMPLES[endpoint], place))
    result = judged(load_flow, endpoint, changed(SAMPLES[endpoint], place, value), extra=extra)
    if isinstance(result, InvalidFlow):
        assert all(str(problem) in str(result) for problem in result.problems)
    else:
        assert json.loads(encode_flow(result).reveal()) == dump_flow(result)
