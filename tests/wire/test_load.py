"""The way in: complete requests come back as they were, and whatever is wrong is told at once, with its place."""

import copy
from types import MappingProxyType
from typing import Any

import pytest

from routee_failover._wire import dump_flow, load_flow
from routee_failover.errors import InvalidFlow
from routee_failover.flows import Endpoint, OtpFlow, StandardFlow, TransactionalFlow, ViberOtpMessage

from ..flows.rule_tables import problems_of
from ..flows.sample_requests import OTP, PHONE, SAMPLES, SENDER, STANDARD, VIBER_OTP, Json, Place, at, changed, without

FLOWS = {
    "standard": StandardFlow,
    "transactional": TransactionalFlow,
    "otp": OtpFlow,
    "viber-otp": ViberOtpMessage,
}


@pytest.mark.parametrize("endpoint", SAMPLES)
def test_complete_requests(endpoint: str) -> None:
    """A request with every documented key is loaded into the endpoint's flow, and dumped key by key as it was."""
    flow = load_flow(endpoint, SAMPLES[endpoint])
    assert type(flow) is FLOWS[endpoint]
    assert dump_flow(flow) == SAMPLES[endpoint]
    assert load_flow(Endpoint(endpoint), MappingProxyType(SAMPLES[endpoint])) == flow
    assert flow.endpoint == endpoint


@pytest.mark.parametrize("endpoint", SAMPLES)
def test_the_mapping_is_left_alone(endpoint: str) -> None:
    """Loading changes nothing in the mapping, and later changes to the mapping do not reach the flow."""
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
REQUIRED: dict[str, list[Place]] = {
    "standard": [
        ("flow",),
        *((*VIBER, key) for key in ("type", "senderInfoTrackingId", "to", "message", "order")),
        *((*VIDEO, key) for key in ("videoUrl", "videoThumbnail", "fileSize", "duration")),
        *((*SMS, key) for key in ("type", "from", "to", "message", "order")),
        (*SMS, "message", "body"),
        *((*VOICE, key) for key in ("type", "from", "to", "dialPlan", "order")),
        (*VOICE, "dialPlan", "verbs"),
        (*VOICE, "machineDetection", "strategy"),
        *((*SAY, *key) for key in (("type",), ("message",), ("message", "text"), ("message", "language"))),
        *((*PLAY, key) for key in ("type", "fileURL")),
        ("callback", "url"),
    ],
    "transactional": [
        ("flow",),
        *((*VIBER, key) for key in ("type", "order", "senderInfoTrackingId", "to", "templateId", "templateLang")),
        *((*SMS, key) for key in ("type", "order", "from", "to", "message")),
        *((*VOICE, key) for key in ("type", "order", "from", "to", "dialPlan")),
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


def _text(place: Place) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")


@pytest.mark.parametrize(
    ("endpoint", "place"),
    [
        pytest.param(endpoint, place, id=f"{endpoint} {_text(place)}")
        for endpoint, places in REQUIRED.items()
        for place in places
    ],
)
def test_required_keys(endpoint: str, place: Place) -> None:
    """A key that Routee requires is missed by its path, whether it is left out or null."""
    (missed,) = problems_of(endpoint, without(SAMPLES[endpoint], place))
    assert missed.startswith(f"{_text(place)}: required")
    (null,) = problems_of(endpoint, changed(SAMPLES[endpoint], place, None))
    assert null.startswith(f"{_text(place)}: ")


def _optional(endpoint: str) -> list[Any]:
    found: list[Place] = []

    def walk(node: Any, place: Place) -> None:
        items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        for key, value in items:
            if isinstance(key, str) and (*place, key) not in REQUIRED[endpoint]:
                found.append((*place, key))
            walk(value, (*place, key))

    walk(SAMPLES[endpoint], ())
    shared = {"standard": (), "transactional": SMS + VOICE, "otp": (), "viber-otp": ()}[endpoint]
    bound = {(*VIBER, "businessName"), ("templateParams", "pin"), ("templateParams",)}
    bound |= {("flow", 2, "to", way) for way in ("phone", "viber", "sip")}  # one of them is enough, and may be null
    return [
        pytest.param(endpoint, place, id=f"{endpoint} {_text(place)}")
        for place in found
        if place not in bound and not (shared and place[:2] in {SMS, VOICE}) and place[-1] != "customer_name"
    ]


@pytest.mark.parametrize(("endpoint", "place"), [case for endpoint in SAMPLES for case in _optional(endpoint)])
def test_optional_keys(endpoint: str, place: Place) -> None:
    """Every other documented key may be left out, and then is not written; it may not be null."""
    sample = without(SAMPLES[endpoint], place)
    assert dump_flow(load_flow(endpoint, sample)) == sample
    (problem,) = problems_of(endpoint, changed(SAMPLES[endpoint], place, None))
    assert problem == f"{_text(place)}: must not be null; leave the key out"


def _ordered(*orders: object) -> Json:
    steps = [{**STANDARD["flow"][1], "from": f"Step {index}", "order": order} for index, order in enumerate(orders)]
    return {"flow": [{key: value for key, value in step.items() if value is not ...} for step in steps]}


@pytest.mark.parametrize(
    ("orders", "first"),
    [((1, 2, 3), "Step 0"), ((3, 1, 2), "Step 1"), ((30, 20, 10), "Step 2"), ((2, 3, 10**40), "Step 0")],
)
def test_steps_are_sorted(orders: tuple[int, ...], first: str) -> None:
    """Steps are tried in the order of their `order`, which is written as 1, 2, … again."""
    dumped = dump_flow(load_flow("standard", _ordered(*orders)))
    assert dumped["flow"][0]["from"] == first
    assert [step["order"] for step in dumped["flow"]] == [1, 2, 3]


def test_order_may_be_missing_altogether() -> None:
    """The standard endpoint does not document `order` as required: without any, steps stand as they are listed."""
    dumped = dump_flow(load_flow("standard", _ordered(..., ...)))
    assert [(step["from"], step["order"]) for step in dumped["flow"]] == [("Step 0", 1), ("Step 1", 2)]


@pytest.mark.parametrize(
    ("orders", "problems"),
    [
        ((1, 1), ["flow[1].order: must be unique: flow[0] has it too"]),
        ((5, 2, 5), ["flow[2].order: must be unique: flow[0] has it too"]),
        ((0, 1), ["flow[0].order: must be a whole number of at least 1"]),
        ((-1, 1), ["flow[0].order: must be a whole number of at least 1"]),
        ((1.0, 2), ["flow[0].order: must be a whole number of at least 1"]),
        (("1", 2), ["flow[0].order: must be a whole number of at least 1"]),
        ((True, 2), ["flow[0].order: must be a whole number of at least 1"]),
        ((1, ...), ["flow[1].order: required: the position of the step in the flow, 1 for the first"]),
    ],
)
def test_order_is_checked(orders: tuple[object, ...], problems: list[str]) -> None:
    """An `order` that is repeated, missing among others or no position is refused at its step."""
    assert list(problems_of("standard", _ordered(*orders))) == problems


def test_an_order_that_is_no_number_repeats_none() -> None:
    """A step is told that its order is no number; the step whose order is sound is left alone."""
    assert list(problems_of("standard", _ordered(True, 1))) == ["flow[0].order: must be a whole number of at least 1"]


def test_an_unknown_key_can_be_printed() -> None:
    """A refusal can be written to any UTF-8 stream, whatever the keys of the request were."""
    (problem,) = problems_of("viber-otp", {**VIBER_OTP, "\ud800": 1})
    assert problem.encode()


def test_a_repeated_order_is_told_beside_other_problems() -> None:
    """What is wrong with a step itself and with its `order` is told together, where the step was found."""
    sample = changed(_ordered(2, 2), ("flow", 1, "to"), "nobody")
    found = list(problems_of("standard", sample))
    assert [problem.partition(": ")[0] for problem in found] == ["flow[1].to", "flow[1].order"]


def test_all_problems_at_once() -> None:
    """One refusal lists every problem of a request, each on its line with its path in Routee's names."""
    broken = changed(changed(STANDARD, ("flow", 0, "to"), "nobody"), ("flow", 1, "message"), {"body": ""})
    broken["flow"][1]["fromm"] = broken["flow"][1].pop("from")
    broken["flow"][2]["dialPlan"]["verbs"][0]["message"]["language"] = "xx"
    broken["flow"].append(5)
    broken["callback"] = {"url": "x", "strategy": "OnChange"}
    broken["flwo"] = []
    with pytest.raises(InvalidFlow) as refused:
        load_flow("standard", broken)
    assert {_text(problem.path) for problem in refused.value.problems} == {
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
    lines = str(refused.value).splitlines()
    assert lines[0] == "standard flow: 9 problems"
    assert "  flow[1].message.body: must not be empty" in lines


@pytest.mark.parametrize(
    ("endpoint", "place", "hint"),
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
def test_unknown_keys(endpoint: str, place: Place, hint: str) -> None:
    """An unknown key is refused with a hint: the key that was meant, or how to send it all the same."""
    sample = changed(SAMPLES[endpoint], place, 5)
    assert list(problems_of(endpoint, sample)) == [f"{_text(place)}: unknown key; {hint}"]
    assert at(dump_flow(load_flow(endpoint, sample, extra="keep")), place) == 5


def test_texts_of_a_viber_otp_step_are_template_fields() -> None:
    """Unknown texts on a ViberOtp step are kept: Routee's names for some of its parameters are not public."""
    sample = changed(OTP, ("flow", 0, "someValidity"), "5")
    flow = load_flow("otp", sample)
    assert dump_flow(flow) == sample
    assert list(problems_of("otp", changed(OTP, ("flow", 1, "someValidity"), "5"))) == [
        'flow[1].someValidity: unknown key; extra="keep" sends such keys as they are'
    ]


@pytest.mark.parametrize("ttl", ["60", None, True, [60], {"seconds": 60}, float("nan"), float("inf"), 10**40])
@pytest.mark.parametrize("endpoint", SAMPLES)
def test_ttl_is_a_number(endpoint: str, ttl: object) -> None:
    """A time to live in JSON is a number of the endpoint's unit, and one that a duration can hold."""
    place: Place = ("ttl",) if endpoint == "viber-otp" else (*SMS, "ttl")
    (problem,) = problems_of(endpoint, changed(SAMPLES[endpoint], place, ttl))
    assert problem.startswith(_text(place) + ": ")


@pytest.mark.parametrize(("number", "written"), [(60.0, 60), (1e2, 100), (1, 1)])
def test_whole_floats_are_whole(number: float, written: int) -> None:
    """JSON does not tell 60.0 from 60: both are whole, and an integer is written."""
    dumped = dump_flow(load_flow("viber-otp", {**VIBER_OTP, "ttl": number}))
    assert (dumped["ttl"], type(dumped["ttl"])) == (written, int)


def test_tuples_stand_for_lists() -> None:
    """A mapping of Python's own may have tuples where JSON has lists."""
    sample = changed(STANDARD, ("flow",), tuple(STANDARD["flow"]))
    assert dump_flow(load_flow("standard", sample)) == STANDARD


def test_least_requests() -> None:
    """The least that Routee documents is enough on each endpoint."""
    sms: Json = {"type": "Sms", "to": PHONE, "message": {"body": "Hi"}}
    assert load_flow("standard", {"flow": [{**sms, "from": "Demo"}]})
    assert load_flow("transactional", {"flow": [{**sms, "from": "Demo", "order": 1}]})
    assert load_flow("otp", {"flow": [{**sms, "ttl": 0, "order": 1}]})
    assert load_flow("viber-otp", {"senderInfoTrackingId": SENDER, "to": PHONE})


def test_a_misspelt_extra_is_refused() -> None:
    """`extra` is refuse or keep, and a misspelling of it is not taken for either."""
    with pytest.raises(InvalidFlow, match="extra: must be refuse or keep"):
        load_flow("otp", {}, extra="kep")  # type: ignore[call-overload]
