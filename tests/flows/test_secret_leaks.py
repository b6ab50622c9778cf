"""A PIN does not leak: not in a text, log, copy, pickle or traceback of a flow or of an error about it."""

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
from .rule_tables import result_or_error
from .sample_requests import BASIC_OTP, OTP, STANDARD, TRANSACTIONAL, VIBER_OTP, Json, JsonPath, build, changed

CANARIES = ["8x4y7z2q"]
"""A list, so that no frame of a test has the secret in a variable of its own."""
NUMBER = "+306912345678"


def _flows() -> dict[str, Callable[[str], Any]]:
    return {
        "pin": lambda secret: OtpFlow(steps=[build(ViberOtpStep, pin=secret)]),
        "otp sms": lambda secret: OtpFlow(steps=[build(OtpSmsStep, message=f"Your code is {secret}")]),
        "template fields": lambda secret: OtpFlow(steps=[build(ViberOtpStep, template_fields={"some": secret})]),
        "extra of a step": lambda secret: OtpFlow(steps=[build(OtpSmsStep, extra={"some": secret})]),
        "extra of a flow": lambda secret: StandardFlow(steps=[build(SmsStep)], extra={"some": [{"deep": secret}]}),
        "extra of a message": lambda secret: StandardFlow(
            steps=[build(SmsStep, message=SmsMessage(body="Hi", extra={"some": secret}))]
        ),
        "parameters": lambda secret: build(ViberOtpMessage, template_id=BASIC_OTP, template_params={"pin": secret}),
        "template parameters": lambda secret: TransactionalFlow(
            steps=[build(ViberTemplateStep, template_id=BASIC_OTP, template_params={"pin": secret})]
        ),
        "sms": lambda secret: StandardFlow(steps=[build(SmsStep, message=f"Your code is {secret}")]),
        "viber": lambda secret: StandardFlow(
            steps=[build(ViberStep, message=ViberMessage(text=f"Your code is {secret}"))]
        ),
        "call": lambda secret: StandardFlow(
            steps=[
                build(
                    VoiceStep, dial_plan=DialPlan(verbs=[Say(message=Speech(text=f"It is {secret}", language="en-US"))])
                )
            ]
        ),
    }


for_each_position = pytest.mark.parametrize("position", _flows())


@for_each_position
def test_flow_prints_without_the_secret(position: str) -> None:
    """No text of a flow, of its steps or of their parts shows a PIN, at any position."""
    flow = _flows()[position](CANARIES[0])
    assert CANARIES[0] not in printed(flow)
    for field in attrs.fields(type(flow)):
        if field.name != "extra":
            assert CANARIES[0] not in printed(getattr(flow, field.name))


@for_each_position
def test_copy_prints_without_the_secret(position: str) -> None:
    """A copy hides the secret as well as the original."""
    flow = _flows()[position](CANARIES[0])
    for copied in (copy.copy(flow), copy.deepcopy(flow), attrs.evolve(flow)):
        assert copied == flow
        assert CANARIES[0] not in printed(copied)


_MESSAGES = {"sms", "viber", "call"}  # not one-time passwords: their texts are ordinary messages


@pytest.mark.parametrize("position", [position for position in _flows() if position not in _MESSAGES])
def test_flow_with_a_secret_is_not_pickled(position: str) -> None:
    """A flow with a PIN or with parameters is not pickled, and the error does not reveal them."""
    flow = _flows()[position](CANARIES[0])
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        error = caught(lambda protocol=protocol: pickle.dumps(flow, protocol))  # type: ignore[misc]
        assert isinstance(error, TypeError)
        assert CANARIES[0] not in reported(error)


INVALID_BUILDS: dict[str, Callable[[str], Any]] = {
    "pin too long": lambda secret: build(ViberOtpStep, pin=secret * 2),
    "pin in a list": lambda secret: build(ViberOtpStep, pin=[secret]),
    "pin beside a wrong number": lambda secret: build(ViberOtpStep, pin=secret, to="nobody"),
    "pin beside a bare ttl": lambda secret: build(ViberOtpStep, pin=secret, ttl=60),
    "pin where a number belongs": lambda secret: build(ViberOtpStep, to=secret),
    "pin where a sender id belongs": lambda secret: build(SmsStep, from_=secret + "+"),
    "pin where a type belongs": lambda secret: build(ViberOtpStep, template_type=[secret]),
    "pin where a language belongs": lambda secret: build(ViberOtpMessage, template_lang=[secret]),
    "pin where a label belongs": lambda secret: build(ViberOtpMessage, label=secret),
    "pin where a template belongs": lambda secret: build(ViberOtpStep, template_id=secret),
    "pin where a ttl belongs": lambda secret: build(ViberOtpStep, ttl=secret),
    "pin where an address belongs": lambda secret: build(ViberStep, inbound_url=secret),
    "pin where an object belongs": lambda secret: build(VoiceStep, dial_plan=secret),
    "pin among triggers": lambda secret: build(SmsStep, failover_on_statuses=[secret]),
    "pin as a recipient": lambda secret: build(VoiceStep, to=secret),
    "text beside a wrong sender": lambda secret: build(OtpSmsStep, message=f"Your code is {secret}", from_="+"),
    "message beside a wrong label": lambda secret: SmsMessage(body=secret, label="x" * 351),
    "text too long": lambda secret: build(ViberStep, message=secret * 1000),
    "parameters beside a wrong number": lambda secret: build(ViberOtpMessage, template_params={"pin": secret}, to="x"),
    "parameter with a link": lambda secret: build(ViberOtpMessage, template_params={"pin": "www." + secret}),
    "parameter too long": lambda secret: build(ViberOtpMessage, template_params={"pin": secret * 10}),
    "parameters in a list": lambda secret: build(ViberOtpMessage, template_params=[secret]),
    "fields beside a wrong number": lambda secret: build(ViberOtpStep, template_fields={"some": secret}, to="x"),
    "fields in a list": lambda secret: build(ViberOtpStep, template_fields={"some": [secret]}),
    "extra beside a wrong number": lambda secret: build(SmsStep, extra={"some": secret}, to="x"),
    "extra that overwrites": lambda secret: build(SmsStep, extra={"to": secret}),
    "extra that is no JSON": lambda secret: build(SmsStep, extra={"some": {secret}}),
    "a step in the wrong flow": lambda secret: StandardFlow(steps=[build(ViberOtpStep, pin=secret)]),
    "a step beside another": lambda secret: OtpFlow(
        steps=[build(ViberOtpStep, pin=secret), build(OtpSmsStep), build(SmsStep, message=secret)]
    ),
    "a changed copy": lambda secret: attrs.evolve(build(ViberOtpStep), pin=secret * 2),
    "a copy with the secret": lambda secret: attrs.evolve(build(ViberOtpStep, pin=secret), to="nobody"),
}


@pytest.mark.parametrize("case", INVALID_BUILDS)
def test_invalid_flow_error_does_not_reveal_the_secret(case: str) -> None:
    """The error about a call that contains a PIN does not reveal it: not in text, fields, pickle, copy or frames."""
    error = caught(lambda: INVALID_BUILDS[case](CANARIES[0]))
    assert isinstance(error, InvalidFlow)
    assert CANARIES[0] not in reported(error)
    assert CANARIES[0].encode() not in pickle.dumps(error)
    assert CANARIES[0] not in reported(copy.deepcopy(error))


def _sample_with(sample: Json, path: JsonPath, invalid_path: JsonPath | None) -> Callable[[str], Json]:
    def make(secret: str) -> Json:
        mapping = changed(sample, path, secret)
        return mapping if invalid_path is None else changed(mapping, invalid_path, "x")

    return make


INVALID_LOADS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "pin beside a wrong number": ("otp", _sample_with(OTP, ("flow", 0, "pin"), ("flow", 0, "to"))),
    "pin beside a wrong step": ("otp", _sample_with(OTP, ("flow", 0, "pin"), ("flow", 1, "ttl"))),
    "pin beside an unknown key": ("otp", _sample_with(OTP, ("flow", 0, "pin"), ("flow", 1, "some"))),
    "pin beside a repeated order": (
        "otp",
        lambda secret: changed(changed(OTP, ("flow", 0, "pin"), secret), ("flow", 1, "order"), 1),
    ),
    "pin too long": ("otp", lambda secret: changed(OTP, ("flow", 0, "pin"), secret * 2)),
    "pin as a number's neighbour": ("otp", lambda secret: changed(OTP, ("flow", 0, "pin"), [secret])),
    "pin as a type": ("otp", _sample_with(OTP, ("flow", 0, "type"), None)),
    "pin as an order": ("otp", _sample_with(OTP, ("flow", 0, "order"), None)),
    "pin as a ttl": ("otp", _sample_with(OTP, ("flow", 0, "ttl"), None)),
    "pin under an unknown key": ("viber-otp", _sample_with(VIBER_OTP, ("otp",), None)),
    "a field beside a wrong number": ("otp", _sample_with(OTP, ("flow", 0, "some"), ("flow", 0, "to"))),
    "an SMS beside a wrong number": ("otp", _sample_with(OTP, ("flow", 1, "message", "body"), ("flow", 1, "to"))),
    "a parameter beside a wrong number": ("viber-otp", _sample_with(VIBER_OTP, ("templateParams", "pin"), ("to",))),
    "a parameter of a template": (
        "transactional",
        _sample_with(TRANSACTIONAL, ("flow", 0, "templateParams", "pin"), ("flow", 0, "to")),
    ),
    "a template key on the wrong endpoint": ("standard", _sample_with(STANDARD, ("flow", 0, "templateParams"), None)),
    "a request of another endpoint": ("standard", lambda secret: changed(OTP, ("flow", 0, "pin"), secret)),
    "no request": ("standard", lambda secret: secret),
    "a list": ("standard", lambda secret: [secret]),
}


@pytest.mark.parametrize("extra", ["refuse", "keep"])
@pytest.mark.parametrize("case", INVALID_LOADS)
def test_failed_load_does_not_reveal_the_secret(case: str, extra: Any) -> None:
    """The error about JSON that contains a PIN does not reveal it."""
    endpoint, make = INVALID_LOADS[case]
    error = result_or_error(load_flow, endpoint, make(CANARIES[0]), extra=extra)
    if isinstance(error, InvalidFlow):
        assert CANARIES[0] not in reported(error)
        assert CANARIES[0].encode() not in pickle.dumps(error)
        assert CANARIES[0] not in reported(copy.deepcopy(error))
    else:
        assert (case, extra) in {("pin under an unknown key", "keep"), ("pin beside an unknown key", "keep")}


def test_unknown_endpoint_error_does_not_reveal_the_secret() -> None:
    """The error about an endpoint that does not exist does not reveal what is in the request."""
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
def test_recipient_number_is_masked_in_repr(part: type[Any]) -> None:
    """The recipient of a step is recognisable in its `repr`, but the number is incomplete."""
    text = printed(build(part, to=NUMBER))
    assert NUMBER not in text
    assert "+3069****5678" in text


def test_voice_recipient_is_masked_in_repr() -> None:
    """All three kinds of recipient of a call are masked."""
    text = printed(VoiceRecipient(phone=NUMBER, viber=NUMBER, sip="1111@host:55080"))
    assert NUMBER not in text
    assert "1111@host" not in text


def test_repr_shows_fields_that_are_not_secret() -> None:
    """The `repr` of a step is useful for debugging: it shows ttl, template and label."""
    text = repr(build(ViberOtpStep, ttl=timedelta(seconds=42), label="login", template_fields={"some": "x"}))
    assert "seconds=42" in text
    assert BASIC_OTP in text
    assert "label='login'" in text
    assert "{'some': ****}" in text
