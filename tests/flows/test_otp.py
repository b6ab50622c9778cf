"""`POST /failover-otp/otp/send-failover`: each documented rule at its limit and just past it."""

from datetime import timedelta

import pytest

from routee_failover._wire import dump_flow, load_flow
from routee_failover.errors import InvalidFlow
from routee_failover.flows import Callback, OtpFlow, OtpSmsStep, SmsMessage, ViberOtpStep
from routee_failover.secret import Secret

from .rule_tables import (
    Bad,
    Rule,
    problems_of,
    seconds,
)
from .sample_requests import BASIC_OTP, OTP, PHONE, SENDER, build, changed, without
from .shared_rules import (
    FILLED,
    NOT_FILLED,
    NOT_NUMBERS,
    NOT_SENDER_IDS,
    NOT_WEB,
    NUMBERS,
    SENDER_IDS,
    WEB,
)
from .test_transactional import NOT_TEMPLATES, TEMPLATES

VIBER, SMS = ("flow", 0), ("flow", 1)
SECONDS = (0, 1, 60, 10**9)
NOT_SECONDS = (Bad(-1, "at least 0 seconds"), Bad(0.5, "whole seconds"))
LABELS = ("", "login", "x" * 5000)
NOT_LABELS = (Bad(7, "must be text"),)
TYPES = "basic basic_5min with_business_name with_type with_action with_reason"
VALIDITY_TYPES = "with_validity with_type_and_validity with_business_and_validity_hours"

RULES = [
    Rule(ViberOtpStep, VIBER, "sender_info_tracking_id", "senderInfoTrackingId", FILLED, NOT_FILLED),
    Rule(ViberOtpStep, VIBER, "to", "to", NUMBERS, NOT_NUMBERS),
    Rule(ViberOtpStep, VIBER, "template_id", "templateId", TEMPLATES, NOT_TEMPLATES),
    Rule(
        ViberOtpStep,
        VIBER,
        "pin",
        "pin",
        ("8472", "ABCDEfghij", "κωδικ\U0001f600"),
        (
            Bad("847", "4 to 10 characters, has 3"),
            Bad("84729184729", "4 to 10 characters, has 11"),
            Bad("", "4 to 10 characters"),
            Bad(847291, "text of 4 to 10 characters, not a number"),
        ),
    ),
    Rule(ViberOtpStep, VIBER, "ttl", "ttl", SECONDS, NOT_SECONDS, seconds),
    Rule(ViberOtpStep, VIBER, "business_name", "businessName", FILLED, NOT_FILLED),
    Rule(ViberOtpStep, VIBER, "label", "label", LABELS, NOT_LABELS),
    Rule(OtpSmsStep, SMS, "to", "to", NUMBERS, NOT_NUMBERS),
    Rule(OtpSmsStep, SMS, "ttl", "ttl", SECONDS, NOT_SECONDS, seconds),
    Rule(OtpSmsStep, SMS, "from_", "from", SENDER_IDS, NOT_SENDER_IDS),
    Rule(OtpSmsStep, SMS, "label", "label", LABELS, NOT_LABELS),
    Rule(SmsMessage, (*SMS, "message"), "body", "body", FILLED, NOT_FILLED),
    Rule(Callback, ("callback",), "url", "url", WEB, NOT_WEB),
]


@pytest.mark.parametrize("kind", [*TYPES.split(), *VALIDITY_TYPES.split()])
def test_template_types(kind: str) -> None:
    """Each of the nine documented template types can be built with what it requires, and loaded."""
    fields = {"someValidity": "5"} if kind in VALIDITY_TYPES.split() else {}
    step = build(ViberOtpStep, template_type=kind, business_name="Demo", template_fields=fields)
    flow = OtpFlow(steps=[step])
    assert dump_flow(flow)["flow"][0]["templateType"] == kind
    assert load_flow("otp", dump_flow(flow)) == flow


@pytest.mark.parametrize("kind", ["with_everything", "Basic", "BASIC", "", 7, None])
def test_unknown_template_type(kind: object) -> None:
    """A template type that is not documented is refused, and the documented ones are listed."""
    refused = "must be one of basic, basic_5min"
    if kind is not None:
        with pytest.raises(InvalidFlow, match=rf"^ViberOtpStep: template_type: {refused}"):
            build(ViberOtpStep, template_type=kind)
    (problem,) = problems_of("otp", changed(OTP, (*VIBER, "templateType"), kind))
    assert problem.startswith("flow[0].templateType: " + ("must not be null" if kind is None else refused))


@pytest.mark.parametrize("kind", ["with_business_name", "with_business_and_validity_hours", "with_reason"])
def test_business_name_is_required(kind: str) -> None:
    """The three types that show a business name cannot be built without one."""
    with pytest.raises(InvalidFlow, match=r"^ViberOtpStep: business_name: required by the template type"):
        build(ViberOtpStep, template_type=kind, template_fields={"someValidity": "5"})
    sample = changed(without(OTP, (*VIBER, "businessName")), (*VIBER, "templateType"), kind)
    problems = problems_of("otp", changed(sample, (*VIBER, "someValidity"), "5"))
    assert next(problems).startswith("flow[0].businessName: required by the template type")


@pytest.mark.parametrize("kind", VALIDITY_TYPES.split())
def test_validity_is_required(kind: str) -> None:
    """The three types with a validity need at least one field more; what it is called is not public."""
    with pytest.raises(InvalidFlow, match=r"^ViberOtpStep: template_fields: .*validity"):
        build(ViberOtpStep, template_type=kind, business_name="Demo")
    (problem,) = problems_of("otp", changed(OTP, (*VIBER, "templateType"), kind))
    assert problem.startswith("flow[0]: ")
    assert "validity" in problem


def test_required_by_the_type_and_left_out() -> None:
    """A basic template, by name or by silence, needs neither a business name nor a field more."""
    step = build(ViberOtpStep)
    assert (step.template_type, step.business_name, dict(step.template_fields)) == (None, None, {})


def test_template_fields_are_written_into_the_step() -> None:
    """Parameters whose names are not public become keys of the step, and come back from there."""
    flow = OtpFlow(steps=[build(ViberOtpStep, template_fields={"someValidity": "5", "someReason": ""})])
    (step,) = dump_flow(flow)["flow"]
    assert (step["someValidity"], step["someReason"]) == ("5", "")
    loaded = load_flow("otp", {"flow": [step]})
    assert loaded == flow
    assert isinstance(loaded.steps[0], ViberOtpStep)
    assert loaded.steps[0].template_fields == {"someValidity": "5", "someReason": ""}


@pytest.mark.parametrize(
    ("fields", "path", "reason"),
    [
        pytest.param({"a": 5}, ("a",), "must be text, not a number", id="number"),
        pytest.param({"a": None}, ("a",), "must be text, not nothing", id="nothing"),
        pytest.param({"a": "\ud800"}, ("a",), "surrogate", id="surrogate"),
        pytest.param({5: "a"}, (), "text for keys", id="key of another type"),
        pytest.param({"pin": "847291"}, ("pin",), "a field of its own", id="modelled field"),
        pytest.param({"type": "Sms"}, ("type",), "a field of its own", id="type"),
        pytest.param({"order": "1"}, ("order",), "a field of its own", id="order"),
        pytest.param([("a", "b")], (), "must be a mapping of names to texts, not a list", id="list"),
        pytest.param("a", (), "must be a mapping of names to texts, not text", id="text"),
        pytest.param(None, (), "must be a mapping of names to texts, not nothing", id="None"),
    ],
)
def test_template_fields_are_texts(fields: object, path: tuple[str, ...], reason: str) -> None:
    """`template_fields` maps names that are no field's own to texts."""
    with pytest.raises(InvalidFlow) as refused:
        build(ViberOtpStep, template_fields=fields)
    (problem,) = refused.value.problems
    assert problem.path == ("template_fields", *path)
    assert reason in problem.reason


def test_a_key_is_given_once() -> None:
    """A key cannot stand in `extra` and in `template_fields` at once."""
    with pytest.raises(InvalidFlow, match=r"template_fields\.someKey: is given twice"):
        build(ViberOtpStep, template_fields={"someKey": "a"}, extra={"someKey": "b"})


@pytest.mark.parametrize("strategy", ["OnStep", "OnCompletion"])
def test_callback_has_no_strategy(strategy: str) -> None:
    """An OTP flow calls back on each step; a strategy belongs to the other two flows."""
    callback = Callback(url="https://example.test/otp", strategy=strategy)
    with pytest.raises(InvalidFlow, match=r"^OtpFlow: callback\.strategy: .*standard and transactional"):
        OtpFlow(steps=[build(OtpSmsStep)], callback=callback)
    (problem,) = problems_of("otp", changed(OTP, ("callback", "strategy"), strategy))
    assert problem.startswith("callback.strategy: ")


def test_a_pin_is_held_as_a_secret() -> None:
    """A pin given as text or as a `Secret` is a `Secret`, and equal."""
    step = build(ViberOtpStep, pin="847291")
    assert isinstance(step.pin, Secret)
    assert step == build(ViberOtpStep, pin=Secret("847291"))
    assert step != build(ViberOtpStep, pin="847292")


def test_a_pin_that_is_no_text() -> None:
    """A pin with half of a surrogate pair is refused for that, and not for its length."""
    with pytest.raises(InvalidFlow, match=r"pin: .*surrogate"):
        build(ViberOtpStep, pin="8472\ud800")


def test_sms_may_come_first() -> None:
    """An SMS may be the first step, and the only one."""
    flow = OtpFlow(steps=[build(OtpSmsStep), build(ViberOtpStep, ttl=timedelta(0))])
    assert dump_flow(flow) == {
        "flow": [
            {"type": "Sms", "order": 1, "to": PHONE, "message": {"body": "Your code is 847291"}, "ttl": 60},
            {
                "type": "ViberOtp",
                "order": 2,
                "senderInfoTrackingId": SENDER,
                "to": PHONE,
                "templateId": BASIC_OTP,
                "pin": "847291",
                "ttl": 0,
            },
        ]
    }
