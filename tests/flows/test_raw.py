"""Raw flows: an endpoint and a mapping that is sent as it is; nothing of it is shown."""

import copy
import json
import math
import pickle
import re
from datetime import timedelta
from types import MappingProxyType
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routee_failover import Endpoint, InvalidFlow, RawFlow, dump_flow
from routee_failover._wire import encode_flow
from routee_failover._wire.redaction import collect_secrets
from routee_failover._wire.routes import correlation
from routee_failover.bulk import Correlation, rows_of
from routee_failover.bulk.flow_masking import masked_flow
from routee_failover.bulk.templates.correlation import all_recipients
from routee_failover.flows.deadline_fitting import fit_to_deadline
from tests.strategies import json_values

from .leak_detection import caught, printed, reported

CANARIES = ["8x4y7z2q"]
"""A list, so that no frame of a test has the secret in a variable of its own."""
UNDOCUMENTED: dict[str, Any] = {
    "zeta": None,
    "flow": [{"to": "306912345678", "type": "Rcs", "order": 7, "ttl": 0.5, "extra": [True, 10**60, "é \u2028"]}],
    "alpha": {},
}


@pytest.mark.parametrize("endpoint", [*Endpoint, *map(str, Endpoint)])
@pytest.mark.parametrize("mapping", [UNDOCUMENTED, {}, MappingProxyType({"a": MappingProxyType({"b": (1, [2])})})])
def test_body_is_the_json_of_the_mapping(endpoint: Endpoint, mapping: Any) -> None:
    """The body has the keys and values of the mapping in its order: nothing is added, removed, sorted or converted."""
    flow = RawFlow(endpoint, mapping)
    plain = json.loads(json.dumps(mapping, default=dict))
    assert json.dumps(json.loads(encode_flow(flow).reveal())) == json.dumps(plain)
    assert dump_flow(flow) == plain
    assert flow.endpoint is Endpoint(endpoint)


def test_later_changes_of_the_mapping_are_not_sent() -> None:
    """A raw flow is a copy: what happens to the mapping afterwards changes nothing."""
    mapping = copy.deepcopy(UNDOCUMENTED)
    flow = RawFlow("standard", mapping)
    mapping["flow"][0]["to"] = "somebody else"
    assert dump_flow(flow) == UNDOCUMENTED
    dump_flow(flow)["flow"].clear()
    assert dump_flow(flow) == UNDOCUMENTED


def _cyclic() -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    mapping["again"] = mapping
    return mapping


@pytest.mark.parametrize(
    ("mapping", "path", "reason"),
    [
        (None, (), "must be an object, not nothing"),
        ([{"to": 1}], (), "must be an object, not a list"),
        ("{}", (), "must be an object, not text"),
        ({"flow": [{"ttl": timedelta(minutes=1)}]}, ("flow", 0, "ttl"), "is a timedelta, which JSON cannot represent"),
        ({"a": math.nan}, ("a",), "must be a finite number"),
        ({"a": [math.inf]}, ("a", 0), "must be a finite number"),
        ({"a": "\ud83d"}, ("a",), "contains half of a surrogate pair"),
        ({"a": {1: 2}}, ("a",), "must have text for keys"),
        ({"\ud83d": 1}, (), "must have text for keys"),
        ({"a": b"bytes"}, ("a",), "is a bytes, which JSON cannot represent"),
        (_cyclic(), (), "is nested too deeply"),
        ({"a": "x" * 131_073}, (), "contains a text of more than 131,072 characters"),
        ({"a": [1] * 201}, (), "contains a list of more than 200 entries"),
        ({str(index): 1 for index in range(20_001)}, (), "contains more than 20,000 values"),
        ({"a": 10**500}, (), "contains a number of more than 400 digits"),
        ({str(index): "é" * 131_072 for index in range(17)}, (), "has more than 4 MiB"),
    ],
)
def test_only_what_is_no_json_object_or_too_large_is_invalid(mapping: Any, path: tuple[Any, ...], reason: str) -> None:
    """A raw flow is refused only if its mapping is not a JSON object that can be encoded, within the size limits."""
    with pytest.raises(InvalidFlow) as raised:
        RawFlow("standard", mapping)
    (problem,) = raised.value.problems
    assert problem.path == path
    assert problem.reason.startswith(reason)


def test_unknown_endpoint_and_unusable_values_are_reported_together() -> None:
    """An endpoint that does not exist is reported with every value that cannot be sent."""
    endpoint: Any = "sms"
    with pytest.raises(InvalidFlow) as raised:
        RawFlow(endpoint, {"a": {1}, "b": {2}})
    assert [problem.path for problem in raised.value.problems] == [("endpoint",), ("a",), ("b",)]


def test_equal_raw_flows_are_equal_and_copies_are_the_flow() -> None:
    """Raw flows are compared by endpoint and content, can be hashed and copied, and cannot be changed."""
    flow = RawFlow("otp", UNDOCUMENTED)
    assert flow == RawFlow(Endpoint.OTP, UNDOCUMENTED)
    assert len({flow, RawFlow("otp", UNDOCUMENTED), copy.deepcopy(flow), copy.copy(flow)}) == 1
    assert flow != RawFlow("standard", UNDOCUMENTED)
    assert flow != RawFlow("otp", {})
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        flow.endpoint = Endpoint.STANDARD  # type: ignore[misc]


def _with_secret(secret: str) -> dict[str, Any]:
    return {
        "flow": [{"to": secret, secret: 1, "deep": {"message": {"body": f"Your code is {secret}"}}}],
        secret: secret,
    }


def test_nothing_of_the_content_is_shown() -> None:
    """No repr, text, field dump or pickle of a raw flow shows a text, a number or a key of it."""
    flow = RawFlow("standard", _with_secret(CANARIES[0]))
    shown = [printed(flow), repr(vars(flow)), repr(attrs.asdict(flow)), repr(attrs.astuple(flow)), f"{flow}"]
    assert all(CANARIES[0] not in text for text in shown)
    assert repr(flow) == f"RawFlow(standard, <{len(encode_flow(flow))} bytes>)"
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(flow)
    with pytest.raises(TypeError):
        json.dumps(flow, default=vars)


@pytest.mark.parametrize("unusable", [{1}, math.nan, "\ud83d"])
def test_error_of_an_unusable_mapping_shows_nothing_of_it(unusable: Any) -> None:
    """No text or frame of the error shows a text of the mapping, nor a key that may be a number or a code."""
    error = caught(lambda: RawFlow("otp", _with_secret(CANARIES[0]) | {CANARIES[0]: {"plain": unusable}}))
    assert isinstance(error, InvalidFlow)
    assert CANARIES[0] not in reported(error)
    assert error.problems[0].path == ("****", "plain")


def test_every_text_and_number_of_the_content_is_masked_in_responses() -> None:
    """What Routee quotes of a raw flow is masked: all texts and numbers, and keys that hold digits."""
    flow = RawFlow("otp", {"note": "harmless", "n": 483920, "list": [{"+306912345678": "x", "ok": [True, None]}]})
    assert {"harmless", "483920", "+306912345678", "306912345678"} <= {*collect_secrets(flow)}
    assert not {"True", "None", "note", "list"} & {*collect_secrets(flow)}


@given(mapping=st.dictionaries(st.text(), json_values, max_size=4), endpoint=st.sampled_from(Endpoint))
def test_any_json_object_is_sent_as_it_is(mapping: dict[str, Any], endpoint: Endpoint) -> None:
    """Whatever the shape, the body is the mapping, and nothing that reads a flow of any kind fails on it."""
    flow = RawFlow(endpoint, mapping)
    assert json.dumps(json.loads(encode_flow(flow).reveal())) == json.dumps(mapping)
    assert correlation(flow) == {"endpoint": str(endpoint)}
    assert all(isinstance(secret, str) for secret in collect_secrets(flow))
    (row,) = rows_of([flow], key=lambda _flow: "key")
    assert row.build_flow(Correlation("label", "https://example.test/")) is flow
    assert all(re.fullmatch(r"\+[0-9]{7,15}", number) for number in all_recipients(flow))
    assert isinstance(masked_flow(row, flow), dict)


@pytest.mark.parametrize("mapping", [{}, {"flow": 1}, {"flow": [1, {}]}, {"flow": [{"to": []}]}, UNDOCUMENTED])
def test_correlation_names_the_endpoint_alone(mapping: Any) -> None:
    """The fields of a raw flow are not interpreted, so that its correlation is its endpoint, whatever its shape."""
    assert correlation(RawFlow("standard", mapping)) == {"endpoint": "standard"}


def test_deadline_leaves_the_content_alone() -> None:
    """A raw flow is not shortened to fit a deadline: it is sent as it is while there is time, and not at all after."""
    flow = RawFlow("otp", {"flow": [{"ttl": 3600}]})
    assert fit_to_deadline(flow, timedelta(seconds=1)) is flow
    assert fit_to_deadline(flow, timedelta(0)) is None
