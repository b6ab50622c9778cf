"""What steps have in common: where they belong, times to live, triggers, and the short ways to write them."""

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
from .sample_requests import FLOW_LEAST, LEAST, MINUTE, PHONE, STANDARD, build, changed, without

BELONGS = {
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
        for flow, own in FLOW_LEAST.items()
        for step in BELONGS
        if step not in own
    ],
)
def test_steps_of_another_endpoint(flow: type[Any], step: type[Any]) -> None:
    """A step of another endpoint is refused where it stands, and the endpoint that takes it is named."""
    sound = build(FLOW_LEAST[flow][0])
    with pytest.raises(InvalidFlow) as refused:
        flow(steps=[sound, build(step)])
    (problem,) = refused.value.problems
    assert problem.path == ("steps", 1)
    assert f"{step.__name__} belongs to {BELONGS[step]}; {flow.__name__} takes " in problem.reason


@pytest.mark.parametrize(
    ("endpoint", "name", "home"),
    [
        ("standard", "ViberOtp", "OtpFlow"),
        ("transactional", "ViberOtp", "OtpFlow"),
        ("otp", "Viber", "a StandardFlow or a TransactionalFlow"),
        ("otp", "Voice", "a StandardFlow or a TransactionalFlow"),
    ],
)
def test_types_of_another_endpoint(endpoint: str, name: str, home: str) -> None:
    """A `type` of another endpoint is refused, and the endpoint that takes it is named."""
    (problem,) = problems_of(endpoint, {"flow": [{"type": name, "order": 1}]})
    assert problem.startswith("flow[0].type: must be ")
    assert home in problem


def test_the_article_fits() -> None:
    """An endpoint is named in good English."""
    (problem,) = problems_of("standard", {"flow": [{"type": "ViberOtp"}]})
    assert "belongs to an OtpFlow" in problem


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
def test_documented_words_are_listed(cls: type[Any], field: str, words: str) -> None:
    """Where one of a few words belongs, a refusal lists them."""
    with pytest.raises(InvalidFlow, match=rf"^{cls.__name__}: {field}: .*{words}"):
        build(cls, **{field: "nonsense"})


@pytest.mark.parametrize("flow", FLOW_LEAST, ids=lambda flow: flow.__name__)
@pytest.mark.parametrize("steps", [[], ()], ids=["list", "tuple"])
def test_at_least_one_step(flow: type[Any], steps: object) -> None:
    """A flow without a step cannot be built."""
    with pytest.raises(InvalidFlow, match=rf"^{flow.__name__}: steps: must have at least one step$"):
        flow(steps=steps)
    assert list(problems_of(flow.endpoint, {"flow": []})) == ["flow: must have at least one step"]


@pytest.mark.parametrize("flow", FLOW_LEAST, ids=lambda flow: flow.__name__)
def test_many_steps(flow: type[Any]) -> None:
    """Nobody documents how many steps a flow may have, so a hundred pass."""
    built = flow(steps=[build(FLOW_LEAST[flow][0])] * 100)
    assert [step["order"] for step in dump_flow(built)["flow"]] == list(range(1, 101))


@pytest.mark.parametrize("cls", [ViberStep, ViberTemplateStep, SmsStep, ViberOtpStep, OtpSmsStep, ViberOtpMessage])
@pytest.mark.parametrize("number", [60, 2.5, 0, True, "60"])
def test_a_bare_number_is_no_time_to_live(cls: type[Any], number: object) -> None:
    """A bare number as ttl is refused with both units explained, for it would mean minutes here and seconds there."""
    with pytest.raises(InvalidFlow) as refused:
        build(cls, ttl=number)
    (problem,) = refused.value.problems
    assert problem.path == ("ttl",)
    unit = "seconds" if cls in {ViberOtpStep, OtpSmsStep, ViberOtpMessage} else "minutes"
    assert f"timedelta({unit}=" in problem.reason
    assert "minutes on the standard and transactional endpoints and seconds on the two OTP ones" in problem.reason


@pytest.mark.parametrize(
    ("cls", "ttl", "reason"),
    [
        pytest.param(ViberStep, timedelta(seconds=29), "0.5 to 1440 minutes", id="viber under its least"),
        pytest.param(ViberStep, timedelta(seconds=31), "one decimal", id="viber between two tenths"),
        pytest.param(ViberStep, timedelta(seconds=30, microseconds=1), "one decimal", id="viber and a microsecond"),
        pytest.param(ViberStep, timedelta(days=1, seconds=6), "0.5 to 1440", id="viber over its most"),
        pytest.param(SmsStep, timedelta(seconds=90), "whole minutes", id="sms and half a minute"),
        pytest.param(SmsStep, timedelta(days=1, microseconds=1), "1 to 1440", id="sms over its most"),
        pytest.param(OtpSmsStep, timedelta(microseconds=1), "whole seconds", id="otp and a microsecond"),
        pytest.param(ViberOtpStep, timedelta(microseconds=-1), "at least 0 seconds", id="otp under nothing"),
        pytest.param(ViberOtpStep, timedelta.max, "whole seconds", id="otp for ever"),
    ],
)
def test_what_a_unit_cannot_say(cls: type[Any], ttl: timedelta, reason: str) -> None:
    """A duration is refused where its endpoint's unit cannot express it exactly."""
    with pytest.raises(InvalidFlow, match=rf"^{cls.__name__}: ttl: .*{reason}"):
        build(cls, ttl=ttl)


def test_units_of_time() -> None:
    """The same duration is minutes on two endpoints and seconds on two, and a ttl that is not given is not written."""
    two = timedelta(minutes=2)
    standard = StandardFlow(steps=[build(ViberStep, ttl=two), build(SmsStep, ttl=two), build(ViberStep)])
    assert [step.get("ttl") for step in dump_flow(standard)["flow"]] == [2, 2, None]
    otp = OtpFlow(steps=[build(ViberOtpStep, ttl=two), build(OtpSmsStep, ttl=two)])
    assert [step["ttl"] for step in dump_flow(otp)["flow"]] == [120, 120]
    assert dump_flow(build(ViberOtpMessage, ttl=two))["ttl"] == 120
    assert dump_flow(build(ViberOtpMessage, ttl=timedelta(days=3)))["ttl"] == 259200


def test_every_tenth_of_a_minute() -> None:
    """Each of the 14,396 documented Viber times to live is written with one decimal and comes back the same."""
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
def test_triggers_in_any_case(cls: type[Any], given: Any, held: tuple[str, ...]) -> None:
    """Trigger statuses are taken in any letter case, in the order given, and written as Routee's tables spell them."""
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
def test_a_message_as_text(cls: type[Any], message: object) -> None:
    """`message="text"` stands for the message that says just that."""
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
def test_what_is_wrong_with_a_text_that_stands_for_an_object(cls: type[Any], text: str, path: str) -> None:
    """A text that stands for an object is checked as the part of it that it is."""
    field = path.partition(":")[0]
    with pytest.raises(InvalidFlow, match=rf"^{cls.__name__}: {path}"):
        build(cls, **{field: text})


def test_a_voice_recipient_as_text() -> None:
    """A plain number as the recipient of a call means its phone, in JSON too, and is written as an object."""
    assert build(VoiceStep, to=PHONE) == build(VoiceStep, to=VoiceRecipient(phone=PHONE))
    flow = load_flow("standard", changed(STANDARD, ("flow", 2, "to"), PHONE))
    assert dump_flow(flow)["flow"][2]["to"] == {"phone": PHONE}
    (problem,) = problems_of("standard", changed(STANDARD, ("flow", 2, "to"), "nobody"))
    assert problem.startswith("flow[2].to: must be an E.164 number")


@pytest.mark.parametrize(
    "to", [{"phone": PHONE}, {"viber": PHONE}, {"sip": "1111@host:55080"}], ids=lambda to: next(iter(to))
)
def test_one_way_to_call_is_enough(to: dict[str, Any]) -> None:
    """A call needs one of phone, viber and sip, whichever."""
    assert VoiceRecipient(**to)
    sample = changed(STANDARD, ("flow", 2, "to"), to)
    assert dump_flow(load_flow("standard", sample)) == sample


def test_somebody_is_called() -> None:
    """A call to nobody is refused."""
    with pytest.raises(InvalidFlow, match=r"^VoiceRecipient: needs a phone, a viber or a sip$"):
        VoiceRecipient()
    (problem,) = problems_of("standard", changed(STANDARD, ("flow", 2, "to"), {}))
    assert problem == "flow[2].to: needs a phone, a viber or a sip"


def test_event_url_belongs_to_continue() -> None:
    """Routee asks for a dial plan only when it is to continue; with Hangup an address is refused."""
    with pytest.raises(InvalidFlow, match=r"^MachineDetection: event_url: .*Continue"):
        MachineDetection(strategy="Hangup", event_url="https://example.test/plan")
    place = ("flow", 2, "machineDetection", "strategy")
    (problem,) = problems_of("standard", changed(STANDARD, place, "Hangup"))
    assert problem.startswith("flow[2].machineDetection.eventUrl: ")
    sample = changed(STANDARD, place[:-1], {"strategy": "Hangup"})
    assert dump_flow(load_flow("standard", sample)) == sample


def test_a_voice_step_has_no_ttl() -> None:
    """Voice steps do not use ttl: it is no argument, and no key."""
    with pytest.raises(TypeError, match=r"ttl"):
        build(VoiceStep, ttl=MINUTE)
    (problem,) = problems_of("standard", changed(STANDARD, ("flow", 2, "ttl"), 5))
    assert problem.startswith("flow[2].ttl: unknown key")


@pytest.mark.parametrize("verb", ["DIAL", "COLLECT", "say", "", None, 7])
def test_other_verbs(verb: object) -> None:
    """A call of a failover flow says and plays; other verbs are refused."""
    (problem,) = problems_of("standard", changed(STANDARD, ("flow", 2, "dialPlan", "verbs", 1, "type"), verb))
    assert problem.startswith("flow[2].dialPlan.verbs[1].type: ")
    assert "SAY or PLAY" in problem
    with pytest.raises(InvalidFlow, match=r"^DialPlan: verbs\[1\]: must be Say or Play, not text$"):
        DialPlan(verbs=[build(Play), "SAY"])  # type: ignore[list-item]  # on purpose


@pytest.mark.parametrize(
    ("owner", "field"),
    [
        pytest.param(cls, name, id=f"{cls.__name__}.{name}")
        for cls, least in LEAST.items()
        for name in least
        if cls is not VoiceRecipient
    ],
)
def test_required_arguments(owner: type[Any], field: str) -> None:
    """Leaving out an argument that Routee requires is a TypeError that names it, as it is for any Python function."""
    given = {name: value for name, value in LEAST[owner].items() if name != field}
    with pytest.raises(TypeError, match=rf"'{field}'"):
        owner(**given)


@pytest.mark.parametrize("cls", [*LEAST, *FLOW_LEAST], ids=lambda cls: cls.__name__)
def test_frozen_and_by_keyword(cls: type[Any]) -> None:
    """An object of a flow is built by keywords alone, and does not change."""
    built = build(cls) if cls in LEAST else cls(steps=[build(FLOW_LEAST[cls][0])])
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        built.extra = {}
    with pytest.raises(TypeError):
        cls("x")
    with pytest.raises(TypeError, match=r"no_such_field"):
        cls(**LEAST.get(cls, {"steps": []}), no_such_field=1)


def test_url_shortener_stands_in_the_message() -> None:
    """The seed lists urlShortener with the message; where another page has it, on the step, it passes as an extra."""
    flow = StandardFlow(
        steps=[
            build(SmsStep, message=SmsMessage(body="Hi", url_shortener=UrlShortener(url_validity=timedelta(hours=1)))),
            build(SmsStep, extra={"urlShortener": {"urlValidity": 3600}}),
        ]
    )
    first, second = dump_flow(flow)["flow"]
    assert first["message"]["urlShortener"] == second["urlShortener"] == {"urlValidity": 3600}
    assert without(flow_json := dump_flow(flow), ("flow", 1, "urlShortener")) != flow_json
