"""Loading: complete requests are loaded unchanged, and all problems are reported at once, with their paths."""

import copy
from types import MappingProxyType
from typing import Any

import pytest

from routee_failover._wire import dump_flow, load_flow
from routee_failover.errors import InvalidFlow
from routee_failover.flows import Endpoint, OtpFlow, StandardFlow, TransactionalFlow, ViberOtpMessage

from ..flows.rule_tables import problems_of
from ..flows.sample_requests import (
    OTP,
    PHONE,
    SAMPLES,
    SENDER,
    STANDARD,
    VIBER_OTP,
    Json,
    JsonPath,
    at,
    changed,
    without,
)

FLOWS = {
    "standard": StandardFlow,
    "transactional": TransactionalFlow,
    "otp": OtpFlow,
    "viber-otp": ViberOtpMessage,
}


@pytest.mark.parametrize("endpoint", SAMPLES)
def test_complete_request_is_loaded_and_dumped_unchanged(endpoint: str) -> None:
    """A request with every documented key is loaded as the flow of its endpoint, and dumped unchanged."""
    flow = load_flow(endpoint, SAMPLES[endpoint])
    assert type(flow) is FLOWS[endpoint]
    assert dump_flow(flow) == SAMPLES[endpoint]
    assert load_flow(Endpoint(endpoint), MappingProxyType(SAMPLES[endpoint])) == flow
    assert flow.endpoint == endpoint


@pytest.mark.parametrize("endpoint", SAMPLES)
def test_loading_and_the_mapping_do_not_affect_each_other(endpoint: str) -> None:
    """Loading does not change the mapping, and later changes to the mapping do not affect the flow."""
    mapping = copy.deepcopy(SAMPLES[endpoint])
    flow = load_flow(endpoint, mapping)
    assert mapping == SAMPLES[endpoint]
    for value in mapping.values():
        if isinstance(value, dict | list):
            value.clear()
    assert dump_flow(flow) == SAMPLES[endpoint]


VIBER, SMS, VOICE = ("flow", 0), ("flow", 1), ("flow", 2)
SAY, PLAY = (*VOICE, "dialPlan", "verbs", 0), (*VOICE, "dialPlan", "verbs", 1)
VIDEO = (*VIBER, "message", "viberVideo")
REQUIRED: dict[str, list[JsonPath]] = {
    "standard": [
        ("flow",),
        *((*VIBER, key) for key in ("type", "senderInfoTrackingId", "to", "message")),
        *((*VIDEO, key) for key in ("videoUrl", "videoThumbnail", "fileSize", "duration")),
        *((*SMS, key) for key in ("type", "from", "to", "message")),
        (*SMS, "message", "body"),
        *((*VOICE, key) for key in ("type", "from", "to", "dialPlan")),
        (*VOICE, "dialPlan", "verbs"),
        (*VOICE, "machineDetection", "strategy"),
        *((*SAY, *key) for key in (("type",), ("message",), ("message", "text"), ("message", "language"))),
        *((*PLAY, key) for key in ("type", "fileURL")),
        ("callback", "url"),
    ],
    "transactional": [
        ("flow",),
        *((*VIBER, key) for key in ("type", "senderInfoTrackingId", "to", "templateId", "templateLang")),
        *((*SMS, key) for key in ("type", "from", "to", "message")),
        *((*VOICE, key) for key in ("type", "from", "to", "dialPlan")),
        ("callback", "url"),
    ],
    "otp": [
        ("flow",),
        *((*VIBER, key) for key in ("type", "order", "senderInfoTrackingId", "to", "templateId", "pin", "ttl")),
        *((*SMS, key) for key in ("type", "order", "to", "ttl", "message")),
        (*SMS, "message", "body"),
        ("callback", "url"),
    ],
    "viber-otp": [("senderInfoTrackingId",), ("to",)],
}


def _path_text(path: JsonPath) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


@pytest.mark.parametrize(
    ("endpoint", "path"),
    [
        pytest.param(endpoint, path, id=f"{endpoint} {_path_text(path)}")
        for endpoint, paths in REQUIRED.items()
        for path in paths
    ],
)
def test_missing_or_null_required_key_is_reported_by_path(endpoint: str, path: JsonPath) -> None:
    """A required key that is missing or null is reported with its path."""
    for request in (without(SAMPLES[endpoint], path), changed(SAMPLES[endpoint], path, None)):
        (problem,) = problems_of(endpoint, request)
        assert problem.startswith(f"{_path_text(path)}: required")


def _optional_cases(endpoint: str) -> list[Any]:
    optional_paths: list[JsonPath] = []

    def walk(node: Any, path: JsonPath) -> None:
        items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        for key, value in items:
            if isinstance(key, str) and (*path, key) not in REQUIRED[endpoint]:
                optional_paths.append((*path, key))
            walk(value, (*path, key))

    walk(SAMPLES[endpoint], ())
    shared = {"standard": (), "transactional": SMS + VOICE, "otp": (), "viber-otp": ()}[endpoint]
    excluded = {(*VIBER, "businessName"), ("templateParams", "pin"), ("templateParams",)}
    excluded |= {("flow", 2, "to", key) for key in ("phone", "viber", "sip")}  # one of them is enough
    return [
        pytest.param(endpoint, path, id=f"{endpoint} {_path_text(path)}")
        for path in optional_paths
        if path not in excluded
        and path[-1] != "order"
        and not (shared and path[:2] in {SMS, VOICE})
        and path[-1] != "customer_name"
    ]


@pytest.mark.parametrize(("endpoint", "path"), [case for endpoint in SAMPLES for case in _optional_cases(endpoint)])
def test_optional_key_may_be_omitted_or_null(endpoint: str, path: JsonPath) -> None:
    """Every other documented key may be omitted, and then is not written; a null counts as absent."""
    sample = without(SAMPLES[endpoint], path)
    assert dump_flow(load_flow(endpoint, sample)) == sample
    assert dump_flow(load_flow(endpoint, changed(SAMPLES[endpoint], path, None))) == sample


@pytest.mark.parametrize(
    ("endpoint", "path"),
    [
        ("otp", ("flow", 0, "trackingId")),
        ("otp", ("flow", 1, "trackingId")),
        ("standard", ("flow", 0, "templateId")),
        ("transactional", ("flow", 0, "label")),
        ("transactional", ("flow", 0, "message")),
        ("standard", ("flow", 2, "dialPlans")),
    ],
)
def test_null_on_a_key_that_belongs_elsewhere_counts_as_absent(endpoint: str, path: JsonPath) -> None:
    """Programs that write every key of a schema, empty ones as null, can be loaded; nothing of a null is sent."""
    assert dump_flow(load_flow(endpoint, changed(SAMPLES[endpoint], path, None))) == SAMPLES[endpoint]


def test_null_on_an_unknown_key_is_still_an_unknown_key() -> None:
    """A key that is not known is a problem whatever its value is: it may be a slip."""
    assert list(problems_of("viber-otp", {**VIBER_OTP, "templatId": None})) == [
        "templatId: unknown key; did you mean templateId?"
    ]
    kept = load_flow("viber-otp", {**VIBER_OTP, "newKey": None}, extra="keep")
    assert dump_flow(kept) == {**VIBER_OTP, "newKey": None}


def _flow_with_orders(*orders: object) -> Json:
    steps = [{**STANDARD["flow"][1], "from": f"Step {index}", "order": order} for index, order in enumerate(orders)]
    return {"flow": [{key: value for key, value in step.items() if value is not ...} for step in steps]}


@pytest.mark.parametrize(
    ("orders", "first"),
    [((1, 2, 3), "Step 0"), ((3, 1, 2), "Step 1"), ((30, 20, 10), "Step 2"), ((2, 3, 10**40), "Step 0")],
)
def test_steps_are_sorted_by_order(orders: tuple[int, ...], first: str) -> None:
    """Steps are sorted by their `order`, which is dumped as 1, 2, ... again."""
    dumped = dump_flow(load_flow("standard", _flow_with_orders(*orders)))
    assert dumped["flow"][0]["from"] == first
    assert [step["order"] for step in dumped["flow"]] == [1, 2, 3]


@pytest.mark.parametrize(
    ("orders", "sequence"),
    [
        ((..., ...), (0, 1)),
        ((None, None), (0, 1)),
        ((1, 1), (0, 1)),
        ((5, 2, 5), (1, 0, 2)),
        ((1, 2, 2, 1), (0, 3, 1, 2)),
        ((2, ..., 1), (2, 0, 1)),
        ((3, ..., 1), (2, 1, 0)),
        ((..., 1), (0, 1)),
        ((2.0, 1), (1, 0)),
        ((1.0, 1), (0, 1)),
    ],
)
@pytest.mark.parametrize("endpoint", ["standard", "transactional"])
def test_equal_or_missing_orders_keep_the_sequence_as_written(
    endpoint: str, orders: tuple[object, ...], sequence: tuple[int, ...]
) -> None:
    """Steps are sorted stably: equal orders keep their sequence, and a step without one counts by its position."""
    dumped = dump_flow(load_flow(endpoint, _flow_with_orders(*orders)))
    assert [step["from"] for step in dumped["flow"]] == [f"Step {index}" for index in sequence]
    assert [step["order"] for step in dumped["flow"]] == [*range(1, len(orders) + 1)]


def _otp_flow_with_orders(*orders: object) -> Json:
    steps = [{**OTP["flow"][1], "label": f"Step {index}", "order": order} for index, order in enumerate(orders)]
    return {"flow": [{key: value for key, value in step.items() if value is not ...} for step in steps]}


INVALID_ORDERS = [
    ((0, 1), ["flow[0].order: must be a whole number of at least 1"]),
    ((-1, 1), ["flow[0].order: must be a whole number of at least 1"]),
    ((1.5, 2), ["flow[0].order: must be a whole number of at least 1"]),
    (("1", 2), ["flow[0].order: must be a whole number of at least 1"]),
    ((True, 2), ["flow[0].order: must be a whole number of at least 1"]),
    ((True, 1), ["flow[0].order: must be a whole number of at least 1"]),
]


@pytest.mark.parametrize(("orders", "problems"), INVALID_ORDERS)
@pytest.mark.parametrize("endpoint", ["standard", "otp"])
def test_invalid_order_is_reported_at_its_step(endpoint: str, orders: tuple[object, ...], problems: list[str]) -> None:
    """An `order` that is not a position is reported at its step, on every endpoint, and no other step with it."""
    flow = (_otp_flow_with_orders if endpoint == "otp" else _flow_with_orders)(*orders)
    assert list(problems_of(endpoint, flow)) == problems


@pytest.mark.parametrize(
    ("orders", "problems"),
    [
        ((1, 1), ["flow[1].order: must be unique: flow[0] has it too"]),
        ((1, 1.0), ["flow[1].order: must be unique: flow[0] has it too"]),
        ((5, 2, 5), ["flow[2].order: must be unique: flow[0] has it too"]),
        ((1, ...), ["flow[1].order: required: the position of the step in the flow, 1 for the first"]),
        ((None, 2), ["flow[0].order: required: the position of the step in the flow, 1 for the first"]),
    ],
)
def test_repeated_or_missing_order_of_an_otp_flow_is_reported(orders: tuple[object, ...], problems: list[str]) -> None:
    """The failover OTP documents `order` as required and unique."""
    assert list(problems_of("otp", _otp_flow_with_orders(*orders))) == problems


def test_otp_steps_are_sorted_by_order() -> None:
    """Unique orders of a failover OTP may come in any sequence, and with gaps."""
    dumped = dump_flow(load_flow("otp", _otp_flow_with_orders(30, 10, 20.0)))
    assert [step["label"] for step in dumped["flow"]] == ["Step 1", "Step 2", "Step 0"]


def test_unknown_key_with_a_surrogate_can_be_encoded() -> None:
    """An error can be written to any UTF-8 stream, whatever the keys of the request are."""
    (problem,) = problems_of("viber-otp", {**VIBER_OTP, "\ud800": 1})
    assert problem.encode()


def test_duplicate_order_is_reported_with_other_problems() -> None:
    """Problems of a step itself and of its `order` are reported together, at the step's index."""
    sample = changed(_otp_flow_with_orders(2, 2), ("flow", 1, "to"), "nobody")
    problems = list(problems_of("otp", sample))
    assert [problem.partition(": ")[0] for problem in problems] == ["flow[1].to", "flow[1].order"]


def test_all_problems_are_reported_at_once() -> None:
    """One error lists every problem of a request, each on its line with its path in Routee's names."""
    broken = changed(changed(STANDARD, ("flow", 0, "to"), "nobody"), ("flow", 1, "message"), {"body": ""})
    broken["flow"][1]["fromm"] = broken["flow"][1].pop("from")
    broken["flow"][2]["dialPlan"]["verbs"][0]["message"]["language"] = "xx"
    broken["flow"].append(5)
    broken["callback"] = {"url": "x", "strategy": "OnChange"}
    broken["flwo"] = []
    with pytest.raises(InvalidFlow) as excinfo:
        load_flow("standard", broken)
    assert {_path_text(problem.path) for problem in excinfo.value.problems} == {
        "flow[0].to",
        "flow[1].message.body",
        "flow[1].fromm",
        "flow[1].from",
        "flow[2].dialPlan.verbs[0].message.language",
        "flow[3]",
        "flow[3].order",
        "callback.url",
        "callback.strategy",
        "flwo",
    } - {"flow[3].order"}
    lines = str(excinfo.value).splitlines()
    assert lines[0] == "standard flow: 9 problems"
    assert "  flow[1].message.body: must not be empty" in lines


@pytest.mark.parametrize(
    ("endpoint", "path", "hint"),
    [
        ("standard", ("flow", 0, "messages"), "did you mean message?"),
        ("standard", ("flow", 0, "inboundURL"), "did you mean inboundUrl?"),
        ("standard", ("flow", 1, "failover_on_statuses"), "did you mean failoverOnStatuses?"),
        ("standard", ("flow", 1, "from_"), "did you mean from?"),
        ("standard", ("callbak",), "did you mean callback?"),
        ("viber-otp", ("templateID",), "did you mean templateId?"),
        ("standard", ("flow", 0, "priority"), 'extra="keep" sends such keys as they are'),
        ("otp", ("flow", 0, "qqqq"), 'extra="keep" sends such keys as they are'),
    ],
)
def test_unknown_key_is_reported_with_a_hint(endpoint: str, path: JsonPath, hint: str) -> None:
    """An unknown key is reported with a hint: the similar known key, or how to send it anyway."""
    sample = changed(SAMPLES[endpoint], path, 5)
    assert list(problems_of(endpoint, sample)) == [f"{_path_text(path)}: unknown key; {hint}"]
    assert at(dump_flow(load_flow(endpoint, sample, extra="keep")), path) == 5


def test_unknown_text_on_a_viber_otp_step_is_a_template_field() -> None:
    """Unknown texts on a ViberOtp step are kept: Routee's names for some of its parameters are not public."""
    sample = changed(OTP, ("flow", 0, "someValidity"), "5")
    flow = load_flow("otp", sample)
    assert dump_flow(flow) == sample
    assert list(problems_of("otp", changed(OTP, ("flow", 1, "someValidity"), "5"))) == [
        'flow[1].someValidity: unknown key; extra="keep" sends such keys as they are'
    ]


@pytest.mark.parametrize("ttl", ["60", True, [60], {"seconds": 60}, float("nan"), float("inf"), 10**40])
@pytest.mark.parametrize("endpoint", SAMPLES)
def test_ttl_that_is_not_a_number_is_invalid(endpoint: str, ttl: object) -> None:
    """A time to live in JSON is a number of the endpoint's unit that a `timedelta` can hold."""
    path: JsonPath = ("ttl",) if endpoint == "viber-otp" else (*SMS, "ttl")
    (problem,) = problems_of(endpoint, changed(SAMPLES[endpoint], path, ttl))
    assert problem.startswith(_path_text(path) + ": ")


@pytest.mark.parametrize(("number", "written"), [(60.0, 60), (1e2, 100), (1, 1)])
def test_integral_float_ttl_is_dumped_as_an_integer(number: float, written: int) -> None:
    """JSON does not distinguish 60.0 from 60: both are whole, and an integer is dumped."""
    dumped = dump_flow(load_flow("viber-otp", {**VIBER_OTP, "ttl": number}))
    assert (dumped["ttl"], type(dumped["ttl"])) == (written, int)


WHOLE_NUMBERS: list[tuple[str, JsonPath]] = [
    ("transactional", (*VIBER, "seq")),
    ("viber-otp", ("seq",)),
    ("standard", (*SAY, "repeat")),
    ("standard", (*PLAY, "repeat")),
    ("viber-otp", ("templateParams", "codeValidityTime")),
]


@pytest.mark.parametrize(("number", "written"), [(7.0, 7), (0.0, 0), (1e3, 1000), (2.0**53, 2**53)])
@pytest.mark.parametrize(("endpoint", "path"), WHOLE_NUMBERS)
def test_integral_float_is_a_whole_number(endpoint: str, path: JsonPath, number: float, written: int) -> None:
    """JSON does not distinguish 7.0 from 7: wherever a whole number is documented, an integer is sent."""
    sent = at(dump_flow(load_flow(endpoint, changed(SAMPLES[endpoint], path, number))), path)
    assert (sent, type(sent)) == (written, int)


@pytest.mark.parametrize("number", [7.5, 1e300, 2.0**54, True, "7"])
@pytest.mark.parametrize(("endpoint", "path"), WHOLE_NUMBERS)
def test_number_whose_digits_are_not_known_is_no_whole_number(endpoint: str, path: JsonPath, number: object) -> None:
    """A fraction, a text and a double beyond its exact digits are not converted."""
    (problem,) = problems_of(endpoint, changed(SAMPLES[endpoint], path, number))
    assert problem.startswith(f"{_path_text(path)}: must be a whole number")


def test_tuple_is_loaded_like_a_list() -> None:
    """A Python mapping may have tuples in place of lists."""
    sample = changed(STANDARD, ("flow",), tuple(STANDARD["flow"]))
    assert dump_flow(load_flow("standard", sample)) == STANDARD


def test_minimal_request_is_loaded() -> None:
    """The minimum that Routee documents is enough on each endpoint."""
    sms: Json = {"type": "Sms", "to": PHONE, "message": {"body": "Hi"}}
    assert load_flow("standard", {"flow": [{**sms, "from": "Demo"}]})
    assert load_flow("transactional", {"flow": [{**sms, "from": "Demo", "order": 1}]})
    assert load_flow("otp", {"flow": [{**sms, "ttl": 0, "order": 1}]})
    assert load_flow("viber-otp", {"senderInfoTrackingId": SENDER, "to": PHONE})


def test_misspelled_extra_option_is_invalid() -> None:
    """`extra` is refuse or keep, and a misspelling is an error."""
    with pytest.raises(InvalidFlow, match="extra: must be refuse or keep"):
        load_flow("otp", {}, extra="kep")  # type: ignore[call-overload]
