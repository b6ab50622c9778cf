"""Wrong types anywhere raise `InvalidFlow`, and never another exception."""

import math
from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

import attrs
import pytest

from routee_failover._wire import encode_flow, load_flow
from routee_failover.errors import InvalidFlow
from routee_failover.flows import Callback, SmsStep, ViberOtpMessage, ViberOtpStep
from routee_failover.secret import Secret

from .rule_tables import result_or_error
from .sample_requests import MINIMAL_ARGUMENTS, PHONE, SAMPLES, SENDER, STEP_CLASSES, Json, JsonPath, build, changed


class Unsupported:
    """An object that no field accepts."""


WRONG_VALUES: tuple[object, ...] = (
    *(None, True, 0, -1, 1.5, 10**30, math.nan, math.inf, 1j),
    *("", "x", "\ud800", "\x00", b"", b"x", bytearray(), range(3), Unsupported(), Unsupported, print),
    *([], [[]], [None], [5], (), {}, {"x": 1}, {5: 1}, {None: None}, set(), frozenset({1}), iter([])),
    attrs.NOTHING,
)


def _fields() -> list[Any]:
    return [
        pytest.param(cls, field.name, id=f"{cls.__name__}.{field.name}")
        for cls in (*MINIMAL_ARGUMENTS, *STEP_CLASSES)
        for field in attrs.fields(cls)
    ]


@pytest.mark.parametrize(("cls", "name"), _fields())
def test_constructor_with_any_value_returns_or_raises_invalid_flow(cls: type[Any], name: str) -> None:
    """A constructor returns an object or raises `InvalidFlow`, for any value of any field."""
    for value in WRONG_VALUES:
        arguments = MINIMAL_ARGUMENTS[cls] if cls in MINIMAL_ARGUMENTS else {"steps": [build(STEP_CLASSES[cls][0])]}
        result = result_or_error(cls, **{**arguments, name: value})
        if isinstance(result, InvalidFlow) and (cls, name) != (ViberOtpStep, "template_type"):
            assert result.problems[0].path[:1] in {(name,), ()}


@pytest.mark.parametrize(("cls", "name"), _fields())
def test_field_may_be_none_only_by_default(cls: type[Any], name: str) -> None:
    """A field whose annotation includes `None` has it as its default: defaults are not validated."""
    optional = type(None) in get_args(get_type_hints(cls)[name])
    assert optional is (getattr(attrs.fields(cls), name).default is None)


def _paths(node: Any, path: JsonPath = ()) -> Iterator[JsonPath]:
    if path:
        yield path
    if isinstance(node, dict | list):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from _paths(value, (*path, key))


@pytest.mark.parametrize(
    ("endpoint", "path"),
    [
        pytest.param(
            endpoint,
            path,
            id=f"{endpoint} {'.'.join(map(str, path))}",
        )
        for endpoint, sample in SAMPLES.items()
        for path in _paths(sample)
    ],
)
@pytest.mark.parametrize("extra", ["refuse", "keep"])
def test_load_with_any_value_returns_or_raises_invalid_flow(endpoint: str, path: JsonPath, extra: Any) -> None:
    """`load_flow` returns a flow that can be encoded, or raises `InvalidFlow`, for any value at any path."""
    for value in WRONG_VALUES:
        mapping = changed(SAMPLES[endpoint], path, value)
        result = result_or_error(load_flow, endpoint, mapping, extra=extra)
        if isinstance(result, InvalidFlow):
            assert result.problems
        else:
            encode_flow(result)


@pytest.mark.parametrize("mapping", [*WRONG_VALUES, "standard"], ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("endpoint", SAMPLES)
def test_load_of_something_else_than_a_mapping_is_invalid(endpoint: str, mapping: Any) -> None:
    """A value that is not a mapping is as invalid as any other request."""
    with pytest.raises(InvalidFlow):
        load_flow(endpoint, mapping, extra="keep")


@pytest.mark.parametrize(
    "endpoint", [None, 5, "", "STANDARD", "viber_otp", [], {}, Unsupported()], ids=lambda value: repr(value)[:8]
)
def test_unknown_endpoint_lists_the_four(endpoint: Any) -> None:
    """An endpoint that does not exist is invalid, and the error lists the four."""
    with pytest.raises(InvalidFlow, match=r"endpoint: must be one of standard, transactional, otp, viber-otp"):
        load_flow(endpoint, {})


def _deep(levels: int) -> list[Any]:
    nested: list[Any] = []
    for _ in range(levels):
        nested = [nested]
    return nested


@pytest.mark.parametrize(
    ("endpoint", "path", "levels"),
    [
        *(
            (endpoint, path, levels)
            for endpoint, path in (
                ("standard", ("flow",)),
                ("standard", ("flow", 0)),
                ("standard", ("flow", 0, "message")),
                ("standard", ("flow", 0, "message", "text")),
                ("standard", ("flow", 0, "ttl")),
                ("standard", ("flow", 0, "order")),
                ("standard", ("flow", 0, "type")),
                ("transactional", ("flow", 0, "templateParams")),
                ("transactional", ("flow", 0, "templateParams", "x")),
                ("viber-otp", ("templateParams", "pin")),
                ("viber-otp", ("xNew",)),
            )
            for levels in (900, 5000)
        ),
        *(
            pytest.param(endpoint, path, levels)
            for endpoint, path in (
                ("standard", ("flow", 0, "failoverOnStatuses", 0)),
                ("standard", ("flow", 2, "dialPlan", "verbs", 0, "message", "gender")),
                ("standard", ("callback", "strategy")),
                ("transactional", ("flow", 0, "deliveryScope")),
                ("viber-otp", ("label",)),
            )
            for levels in (400, 5000)
        ),
        *(pytest.param("viber-otp", ("templateParams", "x"), levels) for levels in (900, 5000)),
    ],
)
def test_deeply_nested_json_is_invalid(endpoint: str, path: JsonPath, levels: int) -> None:
    """JSON that is nested too deeply, at any path, is invalid and does not exhaust the stack."""
    with pytest.raises(InvalidFlow):
        load_flow(endpoint, changed(SAMPLES[endpoint], path, _deep(levels)), extra="keep")


@pytest.mark.parametrize(
    "value",
    [math.nan, -math.inf, "\ud800", b"x", Unsupported(), {5: 1}, _deep(70), [{"x": {1}}]],
    ids=["NaN", "infinity", "surrogate", "bytes", "object", "number as key", "deep", "set"],
)
def test_viber_otp_param_that_is_not_json_is_invalid(value: object) -> None:
    """An undocumented parameter is sent, so JSON must be able to represent it as well."""
    with pytest.raises(InvalidFlow, match=r"^ViberOtpMessage: template_params\.other"):
        build(ViberOtpMessage, template_params={"pin": "847291", "other": value})


@pytest.mark.parametrize("key", [5, None, "\ud800"])
def test_viber_otp_param_key_that_is_not_text_is_invalid(key: object) -> None:
    """The keys of `template_params` are text."""
    with pytest.raises(InvalidFlow, match=r"^ViberOtpMessage: template_params"):
        build(ViberOtpMessage, template_params={key: "x"})


@pytest.mark.parametrize("value", [10**5000, _deep(5000)], ids=["5000 digits", "5000 deep"])
def test_failover_status_that_python_cannot_print_is_invalid(value: object) -> None:
    """A value that Python itself cannot print is invalid as a failover status like any other."""
    with pytest.raises(InvalidFlow, match=r"^SmsStep: failover_on_statuses\[0\]"):
        build(SmsStep, failover_on_statuses=[value])


@pytest.mark.parametrize(
    "value",
    [pytest.param(10**5000, id="5000 digits"), pytest.param(_deep(5000), id="5000 deep")],
)
def test_enum_value_that_python_cannot_print_is_invalid(value: object) -> None:
    """A value that Python itself cannot print is invalid as a documented word."""
    with pytest.raises(InvalidFlow, match=r"^Callback: strategy"):
        build(Callback, strategy=value)


@pytest.mark.parametrize(
    "key",
    [5, None, 1.5, ("a",), pytest.param(10**5000, id="5000 digits")],
    ids=lambda key: type(key).__name__,
)
@pytest.mark.parametrize("extra", ["refuse", "keep"])
def test_mapping_key_that_is_not_text_is_invalid(key: Any, extra: Any) -> None:
    """A Python mapping with keys that are not text is invalid, whatever the key is."""
    mapping: dict[Any, Any] = {"senderInfoTrackingId": SENDER, "to": PHONE, key: 1}
    with pytest.raises(InvalidFlow):
        load_flow("viber-otp", mapping, extra=extra)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(5, id="number"),
        pytest.param(None, id="None"),
        pytest.param(b"847291", id="bytes"),
        pytest.param(["847291"], id="list"),
    ],
)
def test_secret_of_something_else_than_text_is_invalid(content: Any) -> None:
    """A `Secret` of something other than text is invalid as a pin."""
    with pytest.raises((InvalidFlow, TypeError)) as excinfo:
        build(ViberOtpStep, pin=Secret(content))
    assert isinstance(excinfo.value, InvalidFlow) or "Secret" in str(excinfo.value)


def test_every_sample_request_is_valid() -> None:
    """The samples that these tests change are valid."""
    for endpoint, sample in SAMPLES.items():
        whole: Json = dict(sample)
        assert load_flow(endpoint, whole)
