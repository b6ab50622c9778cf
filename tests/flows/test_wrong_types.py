"""Wrong types everywhere: whatever is given, the answer is `InvalidFlow`, and never another exception."""

import math
from collections.abc import Iterator
from typing import Any

import attrs
import pytest

from routee_failover._wire import encode_flow, load_flow
from routee_failover.errors import InvalidFlow
from routee_failover.flows import Callback, SmsStep, ViberOtpMessage, ViberOtpStep
from routee_failover.secret import Secret

from .rule_tables import judged
from .sample_requests import FLOW_LEAST, LEAST, PHONE, SAMPLES, SENDER, Json, Place, build, changed


class Odd:
    """An object that no field takes."""


WRONG: tuple[object, ...] = (
    *(None, True, 0, -1, 1.5, 10**30, math.nan, math.inf, 1j),
    *("", "x", "\ud800", "\x00", b"", b"x", bytearray(), range(3), Odd(), Odd, print),
    *([], [[]], [None], [5], (), {}, {"x": 1}, {5: 1}, {None: None}, set(), frozenset({1}), iter([])),
)


def _fields() -> list[Any]:
    return [
        pytest.param(cls, field.name, id=f"{cls.__name__}.{field.name}")
        for cls in (*LEAST, *FLOW_LEAST)
        for field in attrs.fields(cls)
    ]


@pytest.mark.parametrize(("cls", "name"), _fields())
def test_constructors(cls: type[Any], name: str) -> None:
    """A constructor gives an object or `InvalidFlow` for whatever a field is given."""
    for value in WRONG:
        given = LEAST[cls] if cls in LEAST else {"steps": [build(FLOW_LEAST[cls][0])]}
        result = judged(cls, **{**given, name: value})
        if isinstance(result, InvalidFlow) and (cls, name) != (ViberOtpStep, "template_type"):
            assert result.problems[0].path[:1] in {(name,), ()}


def _places(node: Any, place: Place = ()) -> Iterator[Place]:
    if place:
        yield place
    if isinstance(node, dict | list):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from _places(value, (*place, key))


@pytest.mark.parametrize(
    ("endpoint", "place"),
    [
        pytest.param(
            endpoint,
            place,
            id=f"{endpoint} {'.'.join(map(str, place))}",
        )
        for endpoint, sample in SAMPLES.items()
        for place in _places(sample)
    ],
)
@pytest.mark.parametrize("extra", ["refuse", "keep"])
def test_json(endpoint: str, place: Place, extra: Any) -> None:
    """`load_flow` gives a flow that can be encoded, or `InvalidFlow`, for whatever stands in any place of a request."""
    for value in WRONG:
        mapping = changed(SAMPLES[endpoint], place, value)
        result = judged(load_flow, endpoint, mapping, extra=extra)
        if isinstance(result, InvalidFlow):
            assert result.problems
        else:
            encode_flow(result)


@pytest.mark.parametrize("mapping", [*WRONG, "standard"], ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("endpoint", SAMPLES)
def test_no_mapping_at_all(endpoint: str, mapping: Any) -> None:
    """What is no request at all is refused like any other."""
    with pytest.raises(InvalidFlow):
        load_flow(endpoint, mapping, extra="keep")


@pytest.mark.parametrize(
    "endpoint", [None, 5, "", "STANDARD", "viber_otp", [], {}, Odd()], ids=lambda value: repr(value)[:8]
)
def test_unknown_endpoint(endpoint: Any) -> None:
    """An endpoint that does not exist is refused, and the four are listed."""
    with pytest.raises(InvalidFlow, match=r"endpoint: must be one of standard, transactional, otp, viber-otp"):
        load_flow(endpoint, {})


def _deep(levels: int) -> list[Any]:
    nested: list[Any] = []
    for _ in range(levels):
        nested = [nested]
    return nested


@pytest.mark.parametrize(
    ("endpoint", "place", "levels"),
    [
        *(
            (endpoint, place, levels)
            for endpoint, place in (
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
            pytest.param(endpoint, place, levels)
            for endpoint, place in (
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
def test_deep_nesting(endpoint: str, place: Place, levels: int) -> None:
    """However deep JSON is nested, in whatever place, it is refused and does not exhaust the stack."""
    with pytest.raises(InvalidFlow):
        load_flow(endpoint, changed(SAMPLES[endpoint], place, _deep(levels)), extra="keep")


@pytest.mark.parametrize(
    "value",
    [math.nan, -math.inf, "\ud800", b"x", Odd(), {5: 1}, _deep(70), [{"x": {1}}]],
    ids=["NaN", "infinity", "surrogate", "bytes", "object", "number as key", "deep", "set"],
)
def test_viber_otp_parameters_are_json(value: object) -> None:
    """A parameter that no page names is passed through, so it too must be what JSON can say."""
    with pytest.raises(InvalidFlow, match=r"^ViberOtpMessage: template_params\.other"):
        build(ViberOtpMessage, template_params={"pin": "847291", "other": value})


@pytest.mark.parametrize("key", [5, None, "\ud800"])
def test_viber_otp_parameters_have_names(key: object) -> None:
    """The keys of `template_params` are text."""
    with pytest.raises(InvalidFlow, match=r"^ViberOtpMessage: template_params"):
        build(ViberOtpMessage, template_params={key: "x"})


@pytest.mark.parametrize("value", [10**5000, _deep(5000)], ids=["5000 digits", "5000 deep"])
def test_triggers_without_a_text_form(value: object) -> None:
    """A value that Python itself will not print is refused as a trigger status like any other."""
    with pytest.raises(InvalidFlow, match=r"^SmsStep: failover_on_statuses\[0\]"):
        build(SmsStep, failover_on_statuses=[value])


@pytest.mark.parametrize(
    "value",
    [pytest.param(10**5000, id="5000 digits"), pytest.param(_deep(5000), id="5000 deep")],
)
def test_words_without_a_text_form(value: object) -> None:
    """A value that Python itself will not print is refused where a documented word belongs."""
    with pytest.raises(InvalidFlow, match=r"^Callback: strategy"):
        build(Callback, strategy=value)


@pytest.mark.parametrize(
    "key",
    [5, None, 1.5, ("a",), pytest.param(10**5000, id="5000 digits")],
    ids=lambda key: type(key).__name__,
)
@pytest.mark.parametrize("extra", ["refuse", "keep"])
def test_keys_that_are_no_text(key: Any, extra: Any) -> None:
    """A mapping of Python's whose keys are no text is refused, wherever the key stands."""
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
def test_a_secret_that_holds_no_text(content: Any) -> None:
    """A `Secret` of something other than text is refused as a pin."""
    with pytest.raises((InvalidFlow, TypeError)) as refused:
        build(ViberOtpStep, pin=Secret(content))
    assert isinstance(refused.value, InvalidFlow) or "Secret" in str(refused.value)


def test_every_sample_is_sound() -> None:
    """The samples that these tests break are whole."""
    for endpoint, sample in SAMPLES.items():
        whole: Json = dict(sample)
        assert load_flow(endpoint, whole)
