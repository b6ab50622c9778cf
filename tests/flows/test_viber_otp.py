"""Viber OTP, `POST /viber/otp`: each documented rule at its limit and just past it."""

import itertools

import pytest

from routee_failover._wire import dump_flow, load_flow
from routee_failover.errors import InvalidFlow
from routee_failover.flows import OtpLanguage, ViberOtpMessage

from .rule_tables import (
    Bad,
    Rule,
    problems_of,
    seconds,
)
from .sample_requests import PHONE, SENDER, VIBER_OTP, build, changed
from .shared_rules import INTEGERS, NON_EMPTY_TEXTS, NOT_INTEGERS, NOT_NON_EMPTY_TEXTS, NOT_NUMBERS, NUMBERS

LANGUAGES = "ar be bg br cs da de el en es fa fi fr he hi hr id it ja ko my nl pl pt ru sk sr sv th tr uk vi"
TEXTS = ("pin", "businessPlatformName", "pinType", "businessPlatformActionName", "codeReason")
GOOD_TEXTS = ("8", "x" * 50, "you asked for it: 50% off!", "κωδικός", "example.test")
BAD_TEXTS = (
    ("", "1 to 50 characters"),
    ("x" * 51, "1 to 50 characters, has 51"),
    ("see https://example.test", "link"),
    ("HTTP://example.test", "link"),
    ("www.example.test", "link"),
    (847291, "must be text, not a number"),
    (None, "must be text, not nothing"),
    ("\ud800", "surrogate"),
)
GOOD_NUMBERS = (0, 5, 10**50 - 1)
BAD_NUMBERS = (
    ("5", "whole number of minutes, not text"),
    (5.5, "whole number of minutes"),
    (True, "whole number of minutes, not true or false"),
    (-1, "at most 50 digits"),
    (10**50, "at most 50 digits"),
)


def _rule(field: str, api: str, good: tuple[object, ...], bad: tuple[Bad, ...]) -> Rule:
    return Rule(ViberOtpMessage, (), field, api, good, bad)


RULES = [
    _rule("sender_info_tracking_id", "senderInfoTrackingId", NON_EMPTY_TEXTS, NOT_NON_EMPTY_TEXTS),
    _rule("to", "to", NUMBERS, NOT_NUMBERS),
    Rule(
        ViberOtpMessage,
        (),
        "ttl",
        "ttl",
        (0, 1, 10**9),
        (Bad(-1, "at least 0 seconds"), Bad(0.5, "whole seconds")),
        seconds,
    ),
    _rule("seq", "seq", INTEGERS, NOT_INTEGERS),
    _rule("label", "label", ("transactional", "promotional"), (Bad("Promotional", "must be"), Bad("", "must be"))),
    _rule("type", "type", ("PRIMARY_ONLY", "ALL_DEVICE"), (Bad("ALL_DEVICES", "must be"), Bad(1, "must be"))),
    _rule(
        "template_lang",
        "templateLang",
        (*LANGUAGES.split(), "zu", "EN", "en-GB"),
        (Bad("", "must not be empty"), Bad(1, "must be text"), Bad("\ud800", "surrogate")),
    ),
    _rule("template_id", "templateId", ("someone-elses-template",), (Bad(7, "must be text"),)),
    _rule(
        "template_params",
        "templateParams",
        (
            *({"pin": "8472", name: text} for name, text in itertools.product(TEXTS, GOOD_TEXTS)),
            *({"pin": "8472", "codeValidityTime": number} for number in GOOD_NUMBERS),
            {"pin": "8472", "some_other": "x" * 51},
        ),
        (
            *(Bad({"pin": "8", name: text}, reason, (name,)) for name in TEXTS for text, reason in BAD_TEXTS),
            *(
                Bad({"pin": "8", "codeValidityTime": number}, reason, ("codeValidityTime",))
                for number, reason in BAD_NUMBERS
            ),
            Bad([["pin", "8472"]], "must be a mapping"),
            Bad("8472", "must be a mapping"),
        ),
    ),
]


NAME, VALIDITY, KIND = "businessPlatformName", "codeValidityTime", "pinType"
INVENTORY = {
    "0aac888f-2ee2-4112-9659-1755a951966a": ("pin",),
    "c2cdc028-a48b-4187-bbaf-3aaa137b6e23": ("pin",),
    "c33cccaf-735f-4d62-8383-a76bf4999e2d": ("pin", NAME),
    "bed0942f-e07e-4879-834b-29cc4cf3ec35": ("pin", VALIDITY),
    "60d67b38-b9fb-444a-80e6-754447e010c6": ("pin", KIND, VALIDITY),
    "6c929cef-29b4-4349-bc9d-2a07bdbb6e43": ("pin", NAME, VALIDITY),
    "82ba31a3-db42-4e87-82e8-33fa92b9e5ed": ("pin", KIND),
    "210ee8a9-1ed5-43cd-96e4-65bba311ab40": ("pin", "businessPlatformActionName"),
    "be56d97b-2a33-4c89-ac5f-f555a2c827d9": ("pin", NAME, "codeReason"),
}


def _params(names: tuple[str, ...]) -> dict[str, object]:
    return {name: 5 if name == VALIDITY else "Demo" for name in names}


@pytest.mark.parametrize(("template", "names"), INVENTORY.items(), ids=INVENTORY)
def test_inventory_template_with_its_params_is_accepted(template: str, names: tuple[str, ...]) -> None:
    """Each template of the inventory is accepted with exactly its parameters, in any spelling of its id."""
    for spelling in (template, template.upper()):
        message = build(ViberOtpMessage, template_id=spelling, template_params=_params(names))
        assert load_flow("viber-otp", dump_flow(message)) == message


@pytest.mark.parametrize(
    ("template", "names", "missing"),
    [
        pytest.param(template, names, missing, id=f"{template}-{missing}")
        for template, names in INVENTORY.items()
        for missing in names
    ],
)
def test_inventory_template_without_a_param_names_it(template: str, names: tuple[str, ...], missing: str) -> None:
    """The error names the parameter that a template of the inventory requires and the message lacks."""
    params = _params(tuple(name for name in names if name != missing))
    with pytest.raises(InvalidFlow, match=rf"^ViberOtpMessage: template_params\.{missing}: required by this template$"):
        build(ViberOtpMessage, template_id=template.upper(), template_params=params)
    sample = {**VIBER_OTP, "templateId": template, "templateParams": params}
    assert list(problems_of("viber-otp", sample)) == [f"templateParams.{missing}: required by this template"]


def test_inventory_template_without_params_names_them_all() -> None:
    """A template of the inventory without parameters has a problem for each of them."""
    sample = {"senderInfoTrackingId": SENDER, "to": PHONE, "templateId": "60d67b38-b9fb-444a-80e6-754447e010c6"}
    assert list(problems_of("viber-otp", sample)) == [
        "templateParams.pin: required by this template",
        "templateParams.pinType: required by this template",
        "templateParams.codeValidityTime: required by this template",
    ]


def test_message_without_a_template_is_accepted() -> None:
    """Only the sender and the recipient are documented as required."""
    sample = {"senderInfoTrackingId": SENDER, "to": PHONE}
    assert dump_flow(load_flow("viber-otp", sample)) == sample


@pytest.mark.parametrize("to", [[PHONE], "306900000001"], ids=["list", "without +"])
def test_recipient_list_or_number_without_plus_is_invalid(to: object) -> None:
    """Routee's newer page has one recipient, and its + is required."""
    (problem,) = problems_of("viber-otp", changed(VIBER_OTP, ("to",), to))
    assert problem.startswith("to: must be ")


def test_documented_languages_are_constants() -> None:
    """Each of the 32 languages that Routee lists is a member, and is sent as its plain text."""
    assert [*OtpLanguage] == LANGUAGES.split()
    sent = dump_flow(build(ViberOtpMessage, template_lang=OtpLanguage.BR))["templateLang"]
    assert (sent, type(sent)) == ("br", str)
