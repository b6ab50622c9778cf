"""Failover OTP flow, `POST /failover-otp/otp/send-failover`: each documented rule at its limit and just past it."""

from datetime import timedelta

import pytest

from routee_failover._wire import dump_flow, load_flow
from routee_failover.errors import InvalidFlow
from routee_failover.flows import (
    Callback,
    OtpFlow,
    OtpLanguage,
    OtpSmsStep,
    OtpTemplateType,
    SmsMessage,
    ViberOtpStep,
)
from routee_failover.secret import Secret

from .rule_tables import (
    Bad,
    Rule,
    problems_of,
    seconds,
)
from .sample_requests import BASIC_OTP, OTP, PHONE, SENDER, build, changed, without
from .shared_rules import (
    NON_EMPTY_TEXTS,
    NOT_NON_EMPTY_TEXTS,
    NOT_NUMBERS,
    NOT_SENDER_IDS,
    NOT_WEB_URLS,
    NUMBERS,
    SENDER_IDS,
    WEB_URLS,
)
from .test_transactional import NOT_TEMPLATE_IDS, TEMPLATE_IDS

VIBER, SMS = ("flow", 0), ("flow", 1)
SECOND_COUNTS = (0, 1, 60, 10**9)
NOT_SECOND_COUNTS = (Bad(-1, "at least 0 seconds"), Bad(0.5, "whole seconds"))
LABELS = ("", "login", "x" * 5000)
NOT_LABELS = (Bad(7, "must be text"),)
BASIC_TYPES = "basic basic_5min with_business_name with_type with_action with_reason"
VALIDITY_TYPES = "with_validity with_type_and_validity with_business_and_validity_hours"

RULES = [
    Rule(ViberOtpStep, VIBER, "sender_info_tracking_id", "senderInfoTrackingId", NON_EMPTY_TEXTS, NOT_NON_EMPTY_TEXTS),
    Rule(ViberOtpStep, VIBER, "to", "to", NUMBERS, NOT_NUMBERS),
    Rule(ViberOtpStep, VIBER, "template_id", "templateId", TEMPLATE_IDS, NOT_TEMPLATE_IDS),
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
    Rule(ViberOtpStep, VIBER, "ttl", "ttl", SECOND_COUNTS, NOT_SECOND_COUNTS, seconds),
    Rule(ViberOtpStep, VIBER, "business_name", "businessName", NON_EMPTY_TEXTS, NOT_NON_EMPTY_TEXTS),
    Rule(ViberOtpStep, VIBER, "label", "label", LABELS, NOT_LABELS),
    Rule(OtpSmsStep, SMS, "to", "to", NUMBERS, NOT_NUMBERS),
    Rule(OtpSmsStep, SMS, "ttl", "ttl", SECOND_COUNTS, NOT_SECOND_COUNTS, seconds),
    Rule(OtpSmsStep, SMS, "from_", "from", SENDER_IDS, NOT_SENDER_IDS),
    Rule(OtpSmsStep, SMS, "label", "label", LABELS, NOT_LABELS),
    Rule(SmsMessage, (*SMS, "message"), "body", "body", NON_EMPTY_TEXTS, NOT_NON_EMPTY_TEXTS),
    Rule(Callback, ("callback",), "url", "url", WEB_URLS, NOT_WEB_URLS),
]


@pytest.mark.parametrize("template_type", [*BASIC_TYPES.split(), *VALIDITY_TYPES.split()])
def test_documented_template_type_is_built_and_loaded(template_type: str) -> None:
    """Each of the nine documented template types can be built with its required fields, and loaded."""
    fields = {"someValidity": "5"} if template_type in VALIDITY_TYPES.split() else {}
    step = build(ViberOtpStep, template_type=template_type, business_name="Demo", template_fields=fields)
    flow = OtpFlow(steps=[step])
    assert dump_flow(flow)["flow"][0]["templateType"] == template_type
    assert load_flow("otp", dump_flow(flow)) == flow


@pytest.mark.parametrize("template_type", ["with_everything", "Basic", "BASIC"])
def test_template_type_beyond_the_examples_is_sent_as_it_is(template_type: str) -> None:
    """Routee gives its template types as examples, so another one is built, loaded and sent unchanged."""
    assert build(ViberOtpStep, template_type=template_type).template_type == template_type
    sample = changed(OTP, (*VIBER, "templateType"), template_type)
    assert dump_flow(load_flow("otp", sample)) == sample


@pytest.mark.parametrize(("template_type", "reason"), [("", "must not be empty"), (7, "must be text")])
def test_template_type_that_is_no_text_is_invalid(template_type: object, reason: str) -> None:
    """A template type is a text that is not empty."""
    with pytest.raises(InvalidFlow, match=rf"^ViberOtpStep: template_type: {reason}"):
        build(ViberOtpStep, template_type=template_type)
    (problem,) = problems_of("otp", changed(OTP, (*VIBER, "templateType"), template_type))
    assert problem.startswith(f"flow[0].templateType: {reason}")


@pytest.mark.parametrize("template_type", ["with_business_name", "with_business_and_validity_hours", "with_reason"])
def test_template_type_without_its_business_name_is_invalid(template_type: str) -> None:
    """The three types that show a business name cannot be built without one."""
    with pytest.raises(InvalidFlow, match=r"^ViberOtpStep: business_name: required by the template type"):
        build(ViberOtpStep, template_type=template_type, template_fields={"someValidity": "5"})
    sample = changed(without(OTP, (*VIBER, "businessName")), (*VIBER, "templateType"), template_type)
    problems = problems_of("otp", changed(sample, (*VIBER, "someValidity"), "5"))
    assert next(problems).startswith("flow[0].businessName: required by the template type")


@pytest.mark.parametrize("template_type", VALIDITY_TYPES.split())
def test_template_type_without_its_validity_is_invalid(template_type: str) -> None:
    """The three types with a validity need at least one more field, whose name is not public."""
    with pytest.raises(InvalidFlow, match=r"^ViberOtpStep: template_fields: .*validity"):
        build(ViberOtpStep, template_type=template_type, business_name="Demo")
    (problem,) = problems_of("otp", changed(OTP, (*VIBER, "templateType"), template_type))
    assert problem.startswith("flow[0]: ")
    assert "validity" in problem


def test_several_recipients_of_a_step_are_refused_with_the_way_around() -> None:
    """A flow has one outcome, and a code belongs to one person: a list of several is refused, with a hint."""
    (problem,) = problems_of("otp", changed(OTP, (*VIBER, "to"), [PHONE, "+306900000002"]))
    assert problem == "flow[0].to: must be one recipient: send a flow to each; a raw flow takes several"
    (problem,) = problems_of("otp", changed(OTP, (*VIBER, "to"), []))
    assert problem == "flow[0].to: must be text, not a list"


def test_switch_is_not_the_validity_of_a_template() -> None:
    """A true or false among the template fields is a switch; a validity is a text."""
    with pytest.raises(InvalidFlow, match=r"^ViberOtpStep: template_fields: .*validity"):
        build(ViberOtpStep, template_type="with_validity", template_fields={"someSwitch": True})
    assert build(ViberOtpStep, template_type="with_validity", template_fields={"some": True, "someValidity": "5"})


@pytest.mark.parametrize("switch", [True, False])
def test_unknown_switch_on_a_viber_otp_step_is_a_template_field(switch: bool) -> None:
    """The switch for a failover after delivery has no public name, so an unknown true or false is sent as it is."""
    sample = changed(OTP, (*VIBER, "someSwitch"), switch)
    flow = load_flow("otp", sample)
    assert isinstance(flow, OtpFlow)
    assert isinstance(flow.steps[0], ViberOtpStep)
    assert flow.steps[0].template_fields == {"someSwitch": switch}
    assert dump_flow(flow) == sample
    (problem,) = problems_of("otp", changed(OTP, (*SMS, "someSwitch"), switch))
    assert problem.startswith("flow[1].someSwitch: unknown key")


@pytest.mark.parametrize("value", ["5", True])
@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("templateid", "templateId"),
        ("TEMPLATE_ID", "templateId"),
        ("templateIds", "templateId"),
        ("tempateTyp", "templateType"),
        ("sender-info-tracking-id", "senderInfoTrackingId"),
        ("bussinesName", "businessName"),
        ("labels", "label"),
        ("PIN", "pin"),
        ("templateLangs", "templateLang"),
        ("trackingID", "trackingId"),
        ("Order", "order"),
    ],
)
def test_slip_in_a_key_of_a_viber_otp_step_is_invalid(key: str, meant: str, value: object) -> None:
    """A key within two letters of a known one is a slip, whatever its value is; a caller may insist on it."""
    sample = changed(OTP, (*VIBER, key), value)
    assert list(problems_of("otp", sample)) == [f"flow[0].{key}: unknown key; did you mean {meant}?"]
    assert dump_flow(load_flow("otp", sample, extra="keep")) == sample
    assert build(ViberOtpStep, template_fields={key: value})


@pytest.mark.parametrize("key", ["someValidity", "codeValidityTime", "pinType", "codeReason", "actionName", "language"])
def test_key_that_resembles_no_known_one_is_a_template_field(key: str) -> None:
    """Names that Routee uses for the same parameters elsewhere pass."""
    sample = changed(OTP, (*VIBER, key), "x")
    assert dump_flow(load_flow("otp", sample)) == sample


def test_language_of_a_viber_otp_step_is_a_field() -> None:
    """The language is left to Routee's default if it is omitted, and otherwise sent under its inferred name."""
    assert "templateLang" not in dump_flow(OtpFlow(steps=[build(ViberOtpStep)]))["flow"][0]
    for language in ("el", "zu", OtpLanguage.EL):
        (step,) = dump_flow(OtpFlow(steps=[build(ViberOtpStep, language=language)]))["flow"]
        assert (step["templateLang"], type(step["templateLang"])) == (str(language), str)
    flow = load_flow("otp", changed(OTP, (*VIBER, "templateLang"), "el"))
    assert isinstance(flow, OtpFlow)
    assert isinstance(flow.steps[0], ViberOtpStep)
    assert flow.steps[0].language == "el"
    assert not flow.steps[0].template_fields


def test_documented_template_types_are_constants() -> None:
    """Each template type that Routee names is a member, and is sent as its plain text."""
    assert {*OtpTemplateType} == {*BASIC_TYPES.split(), *VALIDITY_TYPES.split()}
    (step,) = dump_flow(OtpFlow(steps=[build(ViberOtpStep, template_type=OtpTemplateType.BASIC)]))["flow"]
    assert (step["templateType"], type(step["templateType"])) == ("basic", str)


def test_step_without_template_type_needs_no_business_name() -> None:
    """A basic template, named or by default, needs neither a business name nor another field."""
    step = build(ViberOtpStep)
    assert (step.template_type, step.business_name, dict(step.template_fields)) == (None, None, {})


def test_template_fields_are_written_into_the_step() -> None:
    """Parameters whose names are not public become keys of the step, and are loaded from there."""
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
        pytest.param({"a": 5}, ("a",), "must be text, true or false, not a number", id="number"),
        pytest.param({"a": None}, ("a",), "must be text, true or false, not nothing", id="nothing"),
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
def test_template_fields_that_are_not_texts_are_invalid(fields: object, path: tuple[str, ...], reason: str) -> None:
    """`template_fields` maps names to texts, and no name is that of a modelled field."""
    with pytest.raises(InvalidFlow) as excinfo:
        build(ViberOtpStep, template_fields=fields)
    (problem,) = excinfo.value.problems
    assert problem.path == ("template_fields", *path)
    assert reason in problem.reason


def test_key_in_extra_and_template_fields_is_invalid() -> None:
    """A key cannot be in `extra` and in `template_fields` at once."""
    with pytest.raises(InvalidFlow, match=r"template_fields\.someKey: is given twice"):
        build(ViberOtpStep, template_fields={"someKey": "a"}, extra={"someKey": "b"})


@pytest.mark.parametrize("strategy", ["OnStep", "OnCompletion"])
def test_callback_strategy_is_invalid(strategy: str) -> None:
    """An OTP flow calls back on each step; a strategy belongs to the other two flows."""
    callback = Callback(url="https://example.test/otp", strategy=strategy)
    with pytest.raises(InvalidFlow, match=r"^OtpFlow: callback\.strategy: .*standard and transactional"):
        OtpFlow(steps=[build(OtpSmsStep)], callback=callback)
    (problem,) = problems_of("otp", changed(OTP, ("callback", "strategy"), strategy))
    assert problem.startswith("callback.strategy: ")


def test_pin_is_stored_as_a_secret() -> None:
    """A pin given as text or as a `Secret` is stored as a `Secret`, and both are equal."""
    step = build(ViberOtpStep, pin="847291")
    assert isinstance(step.pin, Secret)
    assert step == build(ViberOtpStep, pin=Secret("847291"))
    assert step != build(ViberOtpStep, pin="847292")


def test_pin_with_a_surrogate_is_invalid() -> None:
    """A pin with half of a surrogate pair is invalid for that reason, not for its length."""
    with pytest.raises(InvalidFlow, match=r"pin: .*surrogate"):
        build(ViberOtpStep, pin="8472\ud800")


def test_sms_as_first_step_is_dumped_first() -> None:
    """An SMS may be the first step, or the only one."""
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
