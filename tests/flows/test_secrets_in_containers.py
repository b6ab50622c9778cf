"""A one-time password stays a secret where a program takes a flow apart: as a dict, a tuple or JSON of its `vars`."""

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from routee_failover import (
    InvalidFlow,
    OtpFlow,
    OtpSmsMessage,
    OtpSmsStep,
    Secret,
    SmsMessage,
    SmsStep,
    StandardFlow,
    ViberOtpMessage,
    ViberOtpStep,
    dump_flow,
    load_flow,
)

from .leak_detection import caught, printed, reported
from .sample_requests import BASIC_OTP, build

CODE = "8x4y7z2q"
TEXT = f"Your code is {CODE}"

FLOWS: dict[str, Callable[[], Any]] = {
    "text": lambda: OtpFlow(steps=[build(OtpSmsStep, message=TEXT)]),
    "message": lambda: OtpFlow(steps=[build(OtpSmsStep, message=SmsMessage(body=TEXT, flash=True))]),
    "OTP message": lambda: OtpFlow(steps=[build(OtpSmsStep, message=OtpSmsMessage(body=TEXT))]),
    "extra": lambda: OtpFlow(steps=[build(OtpSmsStep, message=OtpSmsMessage(body="Hi", extra={"some": [CODE]}))]),
    "pin": lambda: OtpFlow(steps=[build(ViberOtpStep, pin=CODE)]),
    "template fields": lambda: OtpFlow(steps=[build(ViberOtpStep, template_fields={"some": CODE})]),
    "parameters": lambda: build(ViberOtpMessage, template_id=BASIC_OTP, template_params={"pin": CODE}),
    "loaded": lambda: load_flow("otp", dump_flow(OtpFlow(steps=[build(OtpSmsStep, message=TEXT)]))),
}
CONTAINERS: dict[str, Callable[[Any], Any]] = {
    "asdict": attrs.asdict,
    "shallow asdict": lambda model: attrs.asdict(model, recurse=False),
    "astuple": attrs.astuple,
    "vars": lambda model: {**vars(model)},
    "state": lambda model: model.__getstate__(),
}


def _parts(flow: Any) -> list[Any]:
    steps = getattr(flow, "steps", ())
    return [flow, *steps, *(step.message for step in steps if isinstance(step, OtpSmsStep))]


@pytest.mark.parametrize("take_apart", CONTAINERS.values(), ids=CONTAINERS)
@pytest.mark.parametrize("make", FLOWS.values(), ids=FLOWS)
def test_container_of_an_otp_shows_no_code(make: Callable[[], Any], take_apart: Callable[[Any], Any]) -> None:
    """What attrs and `vars` make of an OTP flow, a step or a message shows no code."""
    for part in _parts(make()):
        assert CODE not in printed(take_apart(part))


@pytest.mark.parametrize("default", [vars, attrs.asdict, str, repr], ids=["vars", "asdict", "str", "repr"])
@pytest.mark.parametrize("make", FLOWS.values(), ids=FLOWS)
def test_json_of_an_otp_shows_no_code(make: Callable[[], Any], default: Callable[[Any], Any]) -> None:
    """JSON that a program makes of an OTP flow by itself holds no code, or cannot be made, with an error without it."""
    for part in _parts(make()):
        try:
            text = json.dumps(part, default=default)
        except (TypeError, attrs.exceptions.NotAnAttrsClassError) as error:
            text = reported(error)
        assert CODE not in text


@pytest.mark.parametrize("make", FLOWS.values(), ids=FLOWS)
def test_otp_with_a_secret_text_is_copied_and_compared(make: Callable[[], Any]) -> None:
    """Copies are equal and have the same hash, a pickle is refused without the code, and Routee gets the code."""
    flow = make()
    for copied in (copy.copy(flow), copy.deepcopy(flow), attrs.evolve(flow), make()):
        assert copied == flow
        assert hash(copied) == hash(flow)
    error = caught(lambda: pickle.dumps(flow))
    assert isinstance(error, TypeError)
    assert CODE not in reported(error)
    assert CODE in json.dumps(dump_flow(flow))


def test_text_of_an_otp_step_is_revealed_like_a_pin() -> None:
    """The text is a `Secret` in the message of the step, whichever form it was given in; the options stay."""
    given: list[Any] = [TEXT, Secret(TEXT), SmsMessage(body=TEXT), OtpSmsMessage(body=TEXT)]
    steps = [
        build(OtpSmsStep, message=item if not isinstance(item, Secret) else OtpSmsMessage(body=item)) for item in given
    ]
    assert [step.message.body.reveal() for step in steps] == [TEXT] * 4
    assert steps[1:] == steps[:-1]
    options: dict[str, Any] = {"flash": True, "label": "x", "transcode": True, "extra": {"some": 1}}
    step = build(OtpSmsStep, message=SmsMessage(body=TEXT, **options))
    assert step.message == OtpSmsMessage(body=TEXT, **options)
    assert attrs.evolve(step.message, label="y").body.reveal() == TEXT
    assert step != build(OtpSmsStep, message=TEXT)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "must not be empty"),
        (5, "must be text, not a number"),
        (None, "must be text, not nothing"),
        ("\ud83d", "half"),
    ],
)
def test_otp_text_is_validated_like_any_text(body: Any, reason: str) -> None:
    """An empty text, half of a surrogate pair and what is no text are refused in the same words as on an SmsMessage."""
    own, other = caught(lambda: OtpSmsMessage(body=body)), caught(lambda: SmsMessage(body=body))
    assert isinstance(own, InvalidFlow)
    assert isinstance(other, InvalidFlow)
    assert own.problems == other.problems
    assert reason in str(own)


def test_ordinary_message_stays_text() -> None:
    """The text of an SMS in another flow stays text, and such a flow can be pickled."""
    flow = StandardFlow(steps=[build(SmsStep, message="Hello")])
    step = pickle.loads(pickle.dumps(flow)).steps[0]
    assert step.message.body == "Hello"
