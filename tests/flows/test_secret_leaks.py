"""A PIN is seen by nobody: in no text, log, copy, pickle or traceback of a flow or of what was wrong with it."""

import copy
import pickle
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import attrs
import pytest

from routee_failover._wire import load_flow
from routee_failover.errors import InvalidFlow
from routee_failover.flows import (
    DialPlan,
    OtpFlow,
    OtpSmsStep,
    Say,
    SmsMessage,
    SmsStep,
    Speech,
    StandardFlow,
    TransactionalFlow,
    ViberMessage,
    ViberOtpMessage,
    ViberOtpStep,
    ViberStep,
    ViberTemplateStep,
    VoiceRecipient,
    VoiceStep,
)

from .leak_detection import caught, printed, reported
from .rule_tables import judged
from .sample_requests import BASIC_OTP, OTP, STANDARD, TRANSACTIONAL, VIBER_OTP, Json, Place, build, changed

CANARIES = ["8x4y7z2q"]
"""Held in a list, so that no frame of a test has it in a variable of its own."""
NUMBER = "+306912345678"


def _flows() -> dict[str, Callable[[str], Any]]:
    return {
        "pin": lambda it: OtpFlow(steps=[build(ViberOtpStep, pin=it)]),
        "otp sms": lambda it: OtpFlow(steps=[build(OtpSmsStep, message=f"Your code is {it}")]),
        "template fields": lambda it: OtpFlow(steps=[build(ViberOtpStep, template_fields={"some": it})]),
        "extra of a step": lambda it: OtpFlow(steps=[build(OtpSmsStep, extra={"some": it})]),
        "extra of a flow": lambda it: StandardFlow(steps=[build(SmsStep)], extra={"some": [{"deep": it}]}),
        "extra of a message": lambda it: StandardFlow(
            steps=[build(SmsStep, message=SmsMessage(body="Hi", extra={"some": it}))]
        ),
        "parameters": lambda it: build(ViberOtpMessage, template_id=BASIC_OTP, template_params={"pin": it}),
        "template parameters": lambda it: TransactionalFlow(
            steps=[build(ViberTemplateStep, template_id=BASIC_OTP, template_params={"pin": it})]
        ),
        "sms": lambda it: StandardFlow(steps=[build(SmsStep, message=f"Your code is {it}")]),
        "viber": lambda it: StandardFlow(steps=[build(ViberStep, message=ViberMessage(text=f"Your code is {it}"))]),
        "call": lambda it: StandardFlow(
            steps=[
                build(VoiceStep, dial_plan=DialPlan(verbs=[Say(message=Speech(text=f"It is {it}", language="en-US"))]))
            ]
        ),
    }


by_place = pytest.mark.parametrize("place", _flows())


@by_place
def test_a_flow_is_printed_without_it(place: str) -> None:
    """No text of a flow, of its steps or of its parts shows a PIN, wherever it stands."""
    flow = _flows()[place](CANARIES[0])
    assert CANARIES[0] not in printed(flow)
    for field in attrs.fields(type(flow)):
        if field.name != "extra":
            assert CANARIES[0] not in printed(getattr(flow, field.name))


@by_place
def test_a_copy_is_printed_without_it(place: str) -> None:
    """Copies keep the secret as well as the original."""
    flow = _flows()[place](CANARIES[0])
    for copied in (copy.copy(flow), copy.deepcopy(flow), attrs.evolve(flow)):
        assert copied == flow
        assert CANARIES[0] not in printed(copied)


_MESSAGES = {"sms", "viber", "call"}  # of no endpoint for one-time passwords: their texts are ordinary messages


@pytest.mark.parametrize("place", [place for place in _flows() if place not in _MESSAGES])
def test_a_flow_with_it_is_not_pickled(place: str) -> None:
    """A flow with a PIN or with parameters is not pickled, and the refusal does not tell it."""
    flow = _flows()[place](CANARIES[0])
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        error = caught(lambda protocol=protocol: pickle.dumps(flow, protocol))  # type: ignore[misc]
        assert isinstance(error, TypeError)
        assert CANARIES[0] not in reported(error)


UNSOUND: dict[str, Callable[[str], Any]] = {
    "pin too long": lambda it: build(ViberOtpStep, pin=it * 2),
    "pin in a list": lambda it: build(ViberOtpStep, pin=[it]),
    "pin beside a wrong number": lambda it: build(ViberOtpStep, pin=it, to="nobody"),
    "pin beside a bare ttl": lambda it: build(ViberOtpStep, pin=it, ttl=60),
    "pin where a number belongs": lambda it: build(ViberOtpStep, to=it),
    "pin where a sender id belongs": lambda it: build(SmsStep, from_=it + "+"),
    "pin where a type belongs": lambda it: build(ViberOtpStep, template_type=it),
    "pin where a language belongs": lambda it: build(ViberOtpMessage, template_lang=it),
    "pin where a label belongs": lambda it: build(ViberOtpMessage, label=it),
    "pin where a template belongs": lambda it: build(ViberOtpStep, template_id=it),
    "pin where a ttl belongs": lambda it: build(ViberOtpStep, ttl=it),
    "pin where an address belongs": lambda it: build(ViberStep, inbound_url=it),
    "pin where an object belongs": lambda it: build(VoiceStep, dial_plan=it),
    "pin among triggers": lambda it: build(SmsStep, failover_on_statuses=[it]),
    "pin as a recipient": lambda it: build(VoiceStep, to=it),
    "text beside a wrong sender": lambda it: build(OtpSmsStep, message=f"Your code is {it}", from_="+"),
    "message beside a wrong label": lambda it: SmsMessage(body=it, label="x" * 351),
    "text too long": lambda it: build(ViberStep, message=it * 1000),
    "parameters beside a wrong number": lambda it: build(ViberOtpMessage, template_params={"pin": it}, to="x"),
    "parameter with a link": lambda it: build(ViberOtpMessage, template_params={"pin": "www." + it}),
    "parameter too long": lambda it: build(ViberOtpMessage, template_params={"pin": it * 10}),
    "parameters in a list": lambda it: build(ViberOtpMessage, template_params=[it]),
    "fields beside a wrong number": lambda it: build(ViberOtpStep, template_fields={"some": it}, to="x"),
    "fields in a list": lambda it: build(ViberOtpStep, template_fields={"some": [it]}),
    "extra beside a wrong number": lambda it: build(SmsStep, extra={"some": it}, to="x"),
    "extra that overwrites": lambda it: build(SmsStep, extra={"to": it}),
    "extra that is no JSON": lambda it: build(SmsStep, extra={"some": {it}}),
    "a step in the wrong flow": lambda it: StandardFlow(steps=[build(ViberOtpStep, pin=it)]),
    "a step beside another": lambda it: OtpFlow(
        steps=[build(ViberOtpStep, pin=it), build(OtpSmsStep), build(SmsStep, message=it)]
    ),
    "a changed copy": lambda it: attrs.evolve(build(ViberOtpStep), pin=it * 2),
    "a copy with it": lambda it: attrs.evolve(build(ViberOtpStep, pin=it), to="nobody"),
}


@pytest.mark.parametrize("case", UNSOUND)
def test_a_refusal_does_not_tell_it(case: str) -> None:
    """What is refused with a PIN in hand says what is wrong without it: in text, fields, pickle, copy and frames."""
    error = caught(lambda: UNSOUND[case](CANARIES[0]))
    assert isinstance(error, InvalidFlow)
    assert CANARIES[0] not in reported(error)
    assert CANARIES[0].encode() not in pickle.dumps(error)
    assert CANARIES[0] not in reported(copy.deepcopy(error))


def _in_place(sample: Json, place: Place, spoilt: Place | None) -> Callable[[str], Json]:
    def make(it: str) -> Json:
        mapping = changed(sample, place, it)
        return mapping if spoilt is None else changed(mapping, spoilt, "x")

    return make


LOADED: dict[str, tuple[str, Callable[[str], Any]]] = {
    "pin beside a wrong number": ("otp", _in_place(OTP, ("flow", 0, "pin"), ("flow", 0, "to"))),
    "pin beside a wrong step": ("otp", _in_place(OTP, ("flow", 0, "pin"), ("flow", 1, "ttl"))),
    "pin beside an unknown key": ("otp", _in_place(OTP, ("flow", 0, "pin"), ("flow", 1, "some"))),
    "pin beside a repeated order": (
        "otp",
        lambda it: changed(changed(OTP, ("flow", 0, "pin"), it), ("flow", 1, "order"), 1),
    ),
    "pin too long": ("otp", lambda it: changed(OTP, ("flow", 0, "pin"), it * 2)),
    "pin as a number's neighbour": ("otp", lambda it: changed(OTP, ("flow", 0, "pin"), [it])),
    "pin as a type": ("otp", _in_place(OTP, ("flow", 0, "type"), None)),
    "pin as an order": ("otp", _in_place(OTP, ("flow", 0, "order"), None)),
    "pin as a ttl": ("otp", _in_place(OTP, ("flow", 0, "ttl"), None)),
    "pin under an unknown key": ("viber-otp", _in_place(VIBER_OTP, ("otp",), None)),
    "a field beside a wrong number": ("otp", _in_place(OTP, ("flow", 0, "some"), ("flow", 0, "to"))),
    "an SMS beside a wrong number": ("otp", _in_place(OTP, ("flow", 1, "message", "body"), ("flow", 1, "to"))),
    "a parameter beside a wrong number": ("viber-otp", _in_place(VIBER_OTP, ("templateParams", "pin"), ("to",))),
    "a parameter of a template": (
        "transactional",
        _in_place(TRANSACTIONAL, ("flow", 0, "templateParams", "pin"), ("flow", 0, "to")),
    ),
    "a template key on the wrong endpoint": ("standard", _in_place(STANDARD, ("flow", 0, "templateParams"), None)),
    "a request of another endpoint": ("standard", lambda it: changed(OTP, ("flow", 0, "pin"), it)),
    "no request": ("standard", lambda it: it),
    "a list": ("standard", lambda it: [it]),
}


@pytest.mark.parametrize("extra", ["refuse", "keep"])
@pytest.mark.parametrize("case", LOADED)
def test_a_refused_load_does_not_tell_it(case: str, extra: Any) -> None:
    """JSON that is refused with a PIN in it is refused without telling it."""
    endpoint, make = LOADED[case]
    error = judged(load_flow, endpoint, make(CANARIES[0]), extra=extra)
    if isinstance(error, InvalidFlow):
        assert CANARIES[0] not in reported(error)
        assert CANARIES[0].encode() not in pickle.dumps(error)
        assert CANARIES[0] not in reported(copy.deepcopy(error))
    else:
        assert (case, extra) in {("pin under an unknown key", "keep"), ("pin beside an unknown key", "keep")}


def test_an_unknown_endpoint_does_not_tell_it() -> None:
    """A request for an endpoint that does not exist is refused without telling what is in it."""
    error = caught(lambda: load_flow("sms", changed(OTP, ("flow", 0, "pin"), CANARIES[0])))
    assert isinstance(error, InvalidFlow)
    assert CANARIES[0] not in reported(error)


@pytest.mark.parametrize(
    "part",
    [
        pytest.param(cls, id=cls.__name__)
        for cls in (ViberStep, SmsStep, ViberTemplateStep, ViberOtpStep, OtpSmsStep, ViberOtpMessage)
    ],
)
def test_numbers_are_masked(part: type[Any]) -> None:
    """The recipient of a step is recognisable in its text, and cannot be called from it."""
    shown = printed(build(part, to=NUMBER))
    assert NUMBER not in shown
    assert "+3069****5678" in shown


def test_voice_recipients_are_masked() -> None:
    """All three ways to call someone are masked."""
    shown = printed(VoiceRecipient(phone=NUMBER, viber=NUMBER, sip="1111@host:55080"))
    assert NUMBER not in shown
    assert "1111@host" not in shown


def test_what_is_no_secret_is_shown() -> None:
    """A flow's text still says what it is: whoever debugs sees ttl, template and sender."""
    shown = repr(build(ViberOtpStep, ttl=timedelta(seconds=42), label="login", template_fields={"some": "x"}))
    assert "seconds=42" in shown
    assert BASIC_OTP in shown
    assert "label='login'" in shown
    assert "{'some': ****}" in shown
