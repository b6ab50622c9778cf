"""Rules that steps share: which flow they belong to, times to live, failover statuses, and short forms."""

from datetime import timedelta
from typing import Any

import attrs
import pytest

from routee_failover._wire import dump_flow, load_flow
from routee_failover.errors import InvalidFlow
from routee_failover.flows import (
    Callback,
    DialPlan,
    MachineDetection,
    OtpFlow,
    OtpSmsStep,
    Play,
    SmsMessage,
    SmsStep,
    Speech,
    StandardFlow,
    TransactionalFlow,
    UrlShortener,
    ViberMessage,
    ViberOtpMessage,
    ViberOtpStep,
    ViberStep,
    ViberTemplateStep,
    VoiceRecipient,
    VoiceStep,
)

from .rule_tables import problems_of
from .sample_requests import MINIMAL_ARGUMENTS, MINUTE, PHONE, STANDARD, STEP_CLASSES, build, changed, without

FLOWS_OF_STEP = {
    ViberStep: "a StandardFlow",
    ViberTemplateStep: "a TransactionalFlow",
    SmsStep: "a StandardFlow or a TransactionalFlow",
    VoiceStep: "a StandardFlow or a TransactionalFlow",
    ViberOtpStep: "an OtpFlow",
    OtpSmsStep: "an OtpFlow",
}


@pytest.mark.parametrize(
    ("flow", "step"),
    [
        pytest.param(flow, step, id=f"{step.__name__} in {flow.__name__}")
        for flow, own in STEP_CLASSES.items()
        for step in FLOWS_OF_STEP
        if step not in own
    ],
)
def test_step_of_another_endpoint_is_invalid(flow: type[Any], step: type[Any]) -> None:
    """A step of another endpoint is invalid at its index, and the error names the flow that accepts it."""
    valid_step = build(STEP_CLASSES[flow][0])
    with pytest.raises(InvalidFlow) as excinfo:
        flow(steps=[valid_step, build(step)])
    (problem,) = excinfo.value.problems
    assert problem.path == ("steps", 1)
    assert f"{step.__name__} belongs to {FLOWS_OF_STEP[step]}; {flow.__name__} takes " in problem.reason


@pytest.mark.parametrize(
    ("endpoint", "name", "owner"),
    [
        ("standard", "ViberOtp", "OtpFlow"),
        ("transactional", "ViberOtp", "OtpFlow"),
        ("otp", "Viber", "a StandardFlow or a TransactionalFlow"),
        ("otp", "Voice", "a StandardFlow or a TransactionalFlow"),
    ],
)
def test_type_of_another_endpoint_is_invalid(endpoint: str, name: str, owner: str) -> None:
    """A `type` of another endpoint is invalid, and the error names the flow that accepts it."""
    (problem,) = problems_of(endpoint, {"flow": [{"type": name, "order": 1}]})
    assert problem.startswith("flow[0].type: must be ")
    assert owner in problem


def test_otp_flow_is_named_with_the_article_an() -> None:
    """The name of a flow in an error has the correct article."""
    (problem,) = problems_of("standard", {"flow": [{"type": "ViberOtp"}]})
    assert "belongs to an OtpFlow" in problem


def test_value_of_another_class_is_named_with_the_article_an() -> None:
    """The name of a class in an error has the correct article."""
    with pytest.raises(InvalidFlow, match=r"must be an SmsMessage, not an OtpSmsStep$"):
        build(SmsStep, message=build(OtpSmsStep))


@pytest.mark.parametrize(
    ("cls", "field", "words"),
    [
        (Callback, "strategy", "OnStep, OnCompletion"),
        (MachineDetection, "strategy", "Hangup, Continue"),
        (Speech, "gender", "male, female"),
        (ViberTemplateStep, "delivery_scope", "PRIMARY_DEVICE, ALL_DEVICES"),
        (ViberOtpMessage, "label", "transactional, promotional"),
        (ViberOtpMessage, "type", "PRIMARY_ONLY, ALL_DEVICE"),
    ],
)
def test_unknown_word_error_lists_the_documented_words(cls: type[Any], field: str, words: str) -> None:
    """The error about an unknown word lists the documented ones."""
    with pytest.raises(InvalidFlow, match=rf"^{cls.__name__}: {field}: .*{words}"):
        build(cls, **{field: "nonsense"})


@pytest.mark.parametrize("flow", STEP_CLASSES, ids=lambda flow: flow.__name__)
@pytest.mark.parametrize("steps", [[], ()], ids=["list", "tuple"])
def test_flow_without_steps_is_invalid(flow: type[Any], steps: object) -> None:
    """A flow without a step cannot be built."""
    with pytest.raises(InvalidFlow, match=rf"^{flow.__name__}: steps: must have at least one step$"):
        flow(steps=steps)
    assert list(problems_of(flow.endpoint, {"flow": []})) == ["flow: must have at least one step"]


@pytest.mark.parametrize("flow", STEP_CLASSES, ids=lambda flow: flow.__name__)
def test_flow_of_100_steps_is_accepted(flow: type[Any]) -> None:
    """Routee documents no maximum number of steps, so a hundred are accepted."""
    built = flow(steps=[build(STEP_CLASSES[flow][0])] * 100)
    assert [step["order"] for step in dump_flow(built)["flow"]] == list(range(1, 101))


@pytest.mark.parametrize("cls", [ViberStep, ViberTemplateStep, SmsStep, ViberOtpStep, OtpSmsStep, ViberOtpMessage])
@pytest.mark.parametrize("number", [60, 2.5, 0, True, "60"])
def test_ttl_as_a_number_is_invalid_and_explains_the_units(cls: type[Any], number: object) -> None:
    """A number as ttl is invalid and both units are explained, because it would mean minutes here and seconds there."""
    with pytest.raises(InvalidFlow) as excinfo:
        build(cls, ttl=number)
    (problem,) = excinfo.value.problems
    assert problem.path == ("ttl",)
    unit = "seconds" if cls in {ViberOtpStep, OtpSmsStep, ViberOtpMessage} else "minutes"
    assert f"timedelta({unit}=" in problem.reason
    assert "minutes on the standard and transactional endpoints and seconds on the two OTP ones" in problem.reason


@pytest.mark.parametrize(
    ("cls", "ttl", "reason"),
    [
        pytest.param(ViberStep, timedelta(seconds=29), "0.5 to 1440 minutes", id="viber under its minimum"),
        pytest.param(ViberStep, timedelta(seconds=31), "one decimal", id="viber between two tenths"),
        pytest.param(ViberStep, timedelta(seconds=30, microseconds=1), "one decimal", id="viber and a microsecond"),
        pytest.param(ViberStep, timedelta(days=1, seconds=6), "0.5 to 1440", id="viber over its maximum"),
        pytest.param(SmsStep, timedelta(seconds=90), "whole minutes", id="sms and half a minute"),
        pytest.param(SmsStep, timedelta(days=1, microseconds=1), "1 to 1440", id="sms over its maximum"),
        pytest.param(OtpSmsStep, timedelta(microseconds=1), "whole seconds", id="otp and a microsecond"),
        pytest.param(ViberOtpStep, timedelta(microseconds=-1), "at least 0 seconds", id="otp under zero"),
        pytest.param(ViberOtpStep, timedelta.max, "whole seconds", id="otp maximum"),
    ],
)
def test_ttl_that_the_unit_cannot_express_is_invalid(cls: type[Any], ttl: timedelta, reason: str) -> None:
    """A duration that the endpoint's unit cannot express exactly is invalid."""
    with pytest.raises(InvalidFlow, match=rf"^{cls.__name__}: ttl: .*{reason}"):
        build(cls, ttl=ttl)


def test_ttl_is_dumped_in_the_unit_of_its_endpoint() -> None:
    """The same duration is minutes on two endpoints and seconds on two, and an omitted ttl is not written."""
    two = timedelta(minutes=2)
    standard = StandardFlow(steps=[build(ViberStep, ttl=two), build(SmsStep, ttl=two), build(ViberStep)])
    assert [step.get("ttl") for step in dump_flow(standard)["flow"]] == [2, 2, None]
    otp = OtpFlow(steps=[build(ViberOtpStep, ttl=two), build(OtpSmsStep, ttl=two)])
    assert [step["ttl"] for step in dump_flow(otp)["flow"]] == [120, 120]
    assert dump_flow(build(ViberOtpMessage, ttl=two))["ttl"] == 120
    assert dump_flow(build(ViberOtpMessage, ttl=timedelta(days=3)))["ttl"] == 259200


def test_every_documented_viber_ttl_survives_a_round_trip() -> None:
    """Each of the 14,396 documented Viber times to live is written with one decimal and loaded as the same."""
    for tenth in range(5, 14401):
        flow = StandardFlow(steps=[build(ViberStep, ttl=timedelta(seconds=6 * tenth))])
        written = dump_flow(flow)["flow"][0]["ttl"]
        assert written == tenth / 10
        assert repr(written) == repr(tenth // 10 if tenth % 10 == 0 else tenth / 10)
        assert load_flow("standard", dump_flow(flow)) == flow


@pytest.mark.parametrize(
    ("cls", "given", "held"),
    [
        (SmsStep, ["UNDELIVERED", "failed"], ("Undelivered", "Failed")),
        (ViberStep, ["EXPIRED", "fAiLeD", "undelivered"], ("Expired", "Failed", "Undelivered")),
        (ViberTemplateStep, ("expired",), ("Expired",)),
        (VoiceStep, ["COMPLETED", "busy", "NOANSWER", "noanswer"], ("Completed", "Busy", "NoAnswer", "NoAnswer")),
        (VoiceStep, [], ()),
    ],
)
def test_failover_statuses_are_accepted_in_any_letter_case(cls: type[Any], given: Any, held: tuple[str, ...]) -> None:
    """Failover statuses in any letter case keep their order and are written as Routee's tables spell them."""
    step = build(cls, failover_on_statuses=given)
    assert step.failover_on_statuses == held
    flow = (TransactionalFlow if cls is ViberTemplateStep else StandardFlow)(steps=[step])
    assert dump_flow(flow)["flow"][0]["failoverOnStatuses"] == list(held)


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (SmsStep, SmsMessage(body="Hi")),
        (OtpSmsStep, SmsMessage(body="Hi")),
        (ViberStep, ViberMessage(text="Hi")),
    ],
)
def test_text_is_short_for_a_message(cls: type[Any], message: object) -> None:
    """`message="text"` is equal to the message object with this text."""
    assert build(cls, message="Hi") == build(cls, message=message)


@pytest.mark.parametrize(
    ("cls", "text", "path"),
    [
        (SmsStep, "", "message: must not be empty"),
        (OtpSmsStep, "", "message: must not be empty"),
        (ViberStep, "x" * 1001, "message: must have at most 1000 characters, has 1001"),
        (VoiceStep, "nobody", "to: must be an E.164 number"),
    ],
)
def test_text_in_place_of_an_object_is_validated(cls: type[Any], text: str, path: str) -> None:
    """A text that is short for an object is validated as the field that it fills."""
    field = path.partition(":")[0]
    with pytest.raises(InvalidFlow, match=rf"^{cls.__name__}: {path}"):
        build(cls, **{field: text})


def test_text_is_short_for_a_voice_recipient() -> None:
    """A number as the recipient of a call is its phone, in JSON as well, and is dumped as an object."""
    assert build(VoiceStep, to=PHONE) == build(VoiceStep, to=VoiceRecipient(phone=PHONE))
    flow = load_flow("standard", changed(STANDARD, ("flow", 2, "to"), PHONE))
    assert dump_flow(flow)["flow"][2]["to"] == {"phone": PHONE}
    (problem,) = problems_of("standard", changed(STANDARD, ("flow", 2, "to"), "nobody"))
    assert problem.startswith("flow[2].to: must be an E.164 number")


@pytest.mark.parametrize(
    "to", [{"phone": PHONE}, {"viber": PHONE}, {"sip": "1111@host:55080"}], ids=lambda to: next(iter(to))
)
def test_voice_recipient_with_one_address_is_accepted(to: dict[str, Any]) -> None:
    """A call needs any one of phone, viber and sip."""
    assert VoiceRecipient(**to)
    sample = changed(STANDARD, ("flow", 2, "to"), to)
    assert dump_flow(load_flow("standard", sample)) == sample


def test_voice_recipient_without_an_address_is_invalid() -> None:
    """A call without a recipient is invalid."""
    with pytest.raises(InvalidFlow, match=r"^VoiceRecipient: needs a phone, a viber or a sip$"):
        VoiceRecipient()
    (problem,) = problems_of("standard", changed(STANDARD, ("flow", 2, "to"), {}))
    assert problem == "flow[2].to: needs a phone, a viber or a sip"


def test_event_url_with_hangup_is_invalid() -> None:
    """Routee requests a dial plan only with Continue; with Hangup an event URL is invalid."""
    with pytest.raises(InvalidFlow, match=r"^MachineDetection: event_url: .*Continue"):
        MachineDetection(strategy="Hangup", event_url="https://example.test/plan")
    path = ("flow", 2, "machineDetection", "strategy")
    (problem,) = problems_of("standard", changed(STANDARD, path, "Hangup"))
    assert problem.startswith("flow[2].machineDetection.eventUrl: ")
    sample = changed(STANDARD, path[:-1], {"strategy": "Hangup"})
    assert dump_flow(load_flow("standard", sample)) == sample


def test_ttl_on_a_voice_step_is_an_unknown_argument() -> None:
    """A voice step has no ttl, neither as an argument nor as a key."""
    with pytest.raises(TypeError, match=r"ttl"):
        build(VoiceStep, ttl=MINUTE)
    (problem,) = problems_of("standard", changed(STANDARD, ("flow", 2, "ttl"), 5))
    assert problem.startswith("flow[2].ttl: unknown key")


@pytest.mark.parametrize("verb", ["DIAL", "COLLECT", "say", "", None, 7])
def test_verb_other_than_say_and_play_is_invalid(verb: object) -> None:
    """A call of a failover flow has the verbs Say and Play only."""
    (problem,) = problems_of("standard", changed(STANDARD, ("flow", 2, "dialPlan", "verbs", 1, "type"), verb))
    assert problem.startswith("flow[2].dialPlan.verbs[1].type: ")
    assert "SAY or PLAY" in problem
    with pytest.raises(InvalidFlow, match=r"^DialPlan: verbs\[1\]: must be Say or Play, not text$"):
        DialPlan(verbs=[build(Play), "SAY"])  # type: ignore[list-item]  # on purpose


@pytest.mark.parametrize(
    ("owner", "field"),
    [
        pytest.param(cls, name, id=f"{cls.__name__}.{name}")
        for cls, minimal in MINIMAL_ARGUMENTS.items()
        for name in minimal
        if cls is not VoiceRecipient
    ],
)
def test_missing_required_argument_is_a_type_error(owner: type[Any], field: str) -> None:
    """Omitting an argument that Routee requires is a TypeError that names it, as for any Python function."""
    given = {name: value for name, value in MINIMAL_ARGUMENTS[owner].items() if name != field}
    with pytest.raises(TypeError, match=rf"'{field}'"):
        owner(**given)


@pytest.mark.parametrize("cls", [*MINIMAL_ARGUMENTS, *STEP_CLASSES], ids=lambda cls: cls.__name__)
def test_models_are_frozen_and_keyword_only(cls: type[Any]) -> None:
    """The model classes accept keyword arguments only, and their objects are immutable."""
    built = build(cls) if cls in MINIMAL_ARGUMENTS else cls(steps=[build(STEP_CLASSES[cls][0])])
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        built.extra = {}
    with pytest.raises(TypeError):
        cls("x")
    with pytest.raises(TypeError, match=r"no_such_field"):
        cls(**MINIMAL_ARGUMENTS.get(cls, {"steps": []}), no_such_field=1)


def test_url_shortener_is_dumped_inside_the_message() -> None:
    """Routee lists urlShortener with the message; on the step, where another page has it, it is sent as an extra."""
    flow = StandardFlow(
        steps=[
            build(SmsStep, message=SmsMessage(body="Hi", url_shortener=UrlShortener(url_validity=timedelta(hours=1)))),
            build(SmsStep, extra={"urlShortener": {"urlValidity": 3600}}),
        ]
    )
    first, second = dump_flow(flow)["flow"]
    assert first["message"]["urlShortener"] == second["urlShortener"] == {"urlValidity": 3600}
    assert without(flow_json := dump_flow(flow), ("flow", 1, "urlShortener")) != flow_json
