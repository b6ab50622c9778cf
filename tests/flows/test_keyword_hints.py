"""Keywords, keys and endpoints that people guess: the error says what to give instead, and quotes no value."""

import inspect
from typing import Any, cast

import attrs
import pytest

from routee_failover import InvalidFlow, flows, load_flow
from routee_failover.flows import (
    DialPlan,
    OtpFlow,
    OtpSmsStep,
    SmsMessage,
    SmsStep,
    Speech,
    StandardFlow,
    ViberMessage,
    ViberOtpMessage,
    ViberOtpStep,
    ViberStep,
    ViberTemplateStep,
    VoiceStep,
)
from routee_failover.flows.extensible import ExtensibleModel

from .leak_detection import caught, reported
from .sample_requests import PHONE, SAMPLES

CANARIES = ["8x4y7z2q"]
MODELS: list[type[Any]] = [
    model for model in vars(flows).values() if isinstance(model, type) and issubclass(model, ExtensibleModel)
]

GUESSED: list[tuple[type[Any], str, str]] = [
    (VoiceStep, "message", 'dial_plan=DialPlan(verbs=[Say(message=Speech(text="...", language="..."))])'),
    (VoiceStep, "text", "holds the text of a call"),
    (VoiceStep, "body", "holds the text of a call"),
    (VoiceStep, "ttl", "such a step has no ttl"),
    (VoiceStep, "dialPlan", "did you mean dial_plan?"),
    (DialPlan, "message", 'verbs=[Say(message=Speech(text="...", language="..."))]'),
    (SmsStep, "text", "did you mean message?"),
    (SmsStep, "body", "did you mean message?"),
    (SmsStep, "sender", "did you mean from_?"),
    (SmsStep, "from", "did you mean from_?"),
    (SmsStep, "recipient", "did you mean to?"),
    (SmsStep, "phone_number", "did you mean to?"),
    (SmsStep, "messsage", "did you mean message?"),
    (SmsStep, "order", "position in steps"),
    (SmsStep, "type", "the class says the type"),
    (SmsStep, "colour", "extra={...} sends a key that is no field as it is"),
    (SmsMessage, "text", "did you mean body?"),
    (Speech, "message", "did you mean text?"),
    (ViberMessage, "body", "did you mean text?"),
    (ViberStep, "sender", "did you mean sender_info_tracking_id?"),
    (ViberStep, "senderInfoTrackingId", "did you mean sender_info_tracking_id?"),
    (ViberTemplateStep, "message", "the text is that of the template: give template_id, template_lang and template_p"),
    (ViberOtpStep, "message", "the text is that of the template: give template_id and pin"),
    (ViberOtpStep, "code", "did you mean pin?"),
    (OtpSmsStep, "timeout", "did you mean ttl?"),
    (ViberOtpMessage, "message", "the text is that of the template: give template_id and template_params"),
    (StandardFlow, "flow", "did you mean steps?"),
    (StandardFlow, "messages", "did you mean steps?"),
    (StandardFlow, "message", "each step has a text of its own"),
    (OtpFlow, "ttl", "the ttl is that of each step"),
    (OtpFlow, "callback_url", "did you mean callback?"),
]


@pytest.mark.parametrize(("model", "keyword", "hint"), GUESSED)
def test_guessed_keyword_is_a_type_error_with_a_hint(model: type[Any], keyword: str, hint: str) -> None:
    """An unknown keyword is a TypeError that names it and what to give instead, whatever else is missing."""
    error = caught(lambda: model(**{keyword: CANARIES[0]}))
    assert type(error) is TypeError
    assert str(error).startswith(f"{model.__name__}.__init__() got an unexpected keyword argument '{keyword}': ")
    assert hint in str(error)
    assert CANARIES[0] not in reported(error)


@pytest.mark.parametrize("model", MODELS)
def test_every_missing_keyword_is_named(model: type[Any]) -> None:
    """A call without a required keyword is a TypeError that names it, for each class and each of its keywords."""
    required = [field.name for field in attrs.fields(model) if field.default is attrs.NOTHING]
    for missing in required:
        given = {name: CANARIES[0] for name in required if name != missing}
        error = caught(lambda given=given: model(**given))  # type: ignore[misc]
        assert type(error) is TypeError
        assert str(error) == f"{model.__name__}.__init__() missing required keyword arguments: '{missing}'"
        assert CANARIES[0] not in reported(error)
    if len(required) > 1:
        with pytest.raises(TypeError, match=f"'{required[0]}', '{required[1]}'"):
            model()


@pytest.mark.parametrize("model", MODELS)
def test_signature_shows_the_keywords_alone(model: type[Any]) -> None:
    """Editors and help() show the fields of a class, and no parameter that takes any keyword."""
    parameters = inspect.signature(model).parameters
    assert [*parameters] == [field.name for field in attrs.fields(model)]


def test_unprintable_keyword_is_shown_escaped() -> None:
    """A keyword from outside cannot write to a terminal or fill a log."""
    with pytest.raises(TypeError, match=r"argument 'x\\x1b\[31m\\u202ey*': ") as error:
        cast("Any", SmsStep)(**{"x\x1b[31m\u202e" + "y" * 5000: 1})
    assert len(str(error.value)) < 300


GUESSED_KEYS: list[tuple[str, str, str]] = [
    ("standard", "body", "did you mean message?"),
    ("standard", "fromm", "did you mean from?"),
    ("standard", "colour", 'extra="keep" sends such keys as they are'),
]


@pytest.mark.parametrize(("endpoint", "key", "hint"), GUESSED_KEYS)
def test_guessed_key_of_a_step_is_a_problem_with_a_hint(endpoint: str, key: str, hint: str) -> None:
    """An unknown key of Routee's JSON names what to give instead, in Routee's names."""
    mapping = {"flow": [{"type": "Sms", "from": "Demo", "to": PHONE, "message": {"body": "x"}, key: CANARIES[0]}]}
    with pytest.raises(InvalidFlow) as error:
        load_flow(endpoint, mapping)
    assert f"flow[0].{key}: unknown key; {hint}" in str(error.value)
    assert CANARIES[0] not in str(error.value)


def test_text_of_a_call_in_json_has_a_hint() -> None:
    """A voice step with a message says where the text of a call is in Routee's JSON."""
    mapping = {"flow": [{"type": "Voice", "from": "Demo", "to": {"phone": PHONE}, "message": CANARIES[0]}]}
    with pytest.raises(InvalidFlow) as error:
        load_flow("standard", mapping)
    assert "flow[0].message: unknown key; dialPlan.verbs[0].message.text, of a verb with the type SAY" in str(
        error.value
    )


@pytest.mark.parametrize(
    ("guess", "meant"),
    [
        ("OTP", "otp"),
        ("viber_otp", "viber-otp"),
        ("ViberOtp", "viber-otp"),
        ("failover-otp", "otp"),
        ("/failover-otp", "otp"),
        ("failover", "standard"),
        ("Standard", "standard"),
        ("sms", "standard"),
    ],
)
def test_guessed_endpoint_names_the_one_that_is_meant(guess: str, meant: str) -> None:
    """A wrong name of an endpoint lists the names, and says which one is probably meant."""
    with pytest.raises(InvalidFlow, match=rf"standard, transactional, otp, viber-otp; did you mean {meant}\?"):
        load_flow(guess, SAMPLES["standard"])


@pytest.mark.parametrize("guess", ["nothing like it", "", None, 1])
def test_other_endpoint_lists_the_names(guess: Any) -> None:
    """A name that means nothing lists the names."""
    with pytest.raises(InvalidFlow, match=r"must be one of standard, transactional, otp, viber-otp$"):
        load_flow(guess, SAMPLES["standard"])
