"""Documented limits: client and contract accept each limit itself, and refuse a value just past it."""

from typing import Any

import pytest

from ..flows.sample_requests import BASIC_OTP, SAMPLES, URL_1000, JsonPath, changed
from .test_agreement import client_problems, contract_problems

VIBER, SMS, VOICE = ("flow", 0), ("flow", 1), ("flow", 2)
MESSAGE = (*VIBER, "message")
SMS_LIMITS: list[tuple[JsonPath, tuple[Any, ...], tuple[Any, ...]]] = [
    ((*SMS, "ttl"), (1, 1440), (0, 1441, 1.5)),
    ((*SMS, "to"), ("+6834000", "+123456789012345"), ("+1", "+1234567890123456", "12", "+012")),
    ((*SMS, "from"), ("1" * 16, "x" * 11, "My Shop"), ("1" * 17, "x" * 12, "", "My-Shop", "+12")),
    ((*SMS, "message", "body"), ("x", "x" * 5000), ("",)),
    ((*SMS, "message", "label"), ("", "x" * 350, "\U0001f600" * 350), ("x" * 351,)),
    ((*SMS, "message", "urlShortener", "urlValidity"), (3600, 2592000), (3599, 2592001, 3600.5)),
    ((*SMS, "failoverOnStatuses"), ([], ["FAILED"], ["undelivered"]), (["Expired"], ["Failed", ""], "Failed")),
]
VOICE_LIMITS: list[tuple[JsonPath, tuple[Any, ...], tuple[Any, ...]]] = [
    (
        (*VOICE, "to"),
        ("+6834000", "+123456789012345", {"sip": "a"}),
        ({}, {"sip": " "}, {"phone": ""}, "1234567890123456"),
    ),
    ((*VOICE, "from"), ("x",), ("",)),
    ((*VOICE, "dialPlan", "verbs"), (), ([], [{"type": "DIAL"}])),
    ((*VOICE, "dialPlan", "verbs", 0, "repeat"), (-1, 0, 100), (-2, 1.5)),
    ((*VOICE, "dialPlan", "verbs", 0, "message", "language"), ("es-LA", "ru-RU"), ("en", "xx-XX")),
    ((*VOICE, "dialPlan", "verbs", 0, "message", "gender"), ("male", "female"), ("Male", "")),
    ((*VOICE, "machineDetection"), ({"strategy": "Hangup"},), ({}, {"strategy": "Hangup", "eventUrl": URL_1000})),
    ((*VOICE, "failoverOnStatuses"), (["completed"], ["TERMINATED", "unsent"]), (["Delivered"],)),
]
CALLBACK_LIMITS: list[tuple[JsonPath, tuple[Any, ...], tuple[Any, ...]]] = [
    (("callback", "url"), ("http://example.test", "https://example.test/cb"), ("ftp://example.test", "x", "")),
    (("callback", "strategy"), ("OnStep", "OnCompletion"), ("OnChange", "onstep")),
]
VIBER_LIMITS: list[tuple[JsonPath, tuple[Any, ...], tuple[Any, ...]]] = [
    ((*VIBER, "ttl"), (0.5, 0.6, 2.3, 1439.9, 1440, 1440.0), (0, 0.4, 0.55, 1440.1, 1441)),
    ((*VIBER, "to"), ("+6834000", "+123456789012345"), ("+1", "+1234567890123456", "12", "+012")),
    ((*VIBER, "senderInfoTrackingId"), ("x",), ("",)),
    ((*VIBER, "failoverOnStatuses"), ([], ["expired", "FAILED", "Undelivered"]), (["Busy"], ["Seen"])),
]
LIMITS: dict[str, list[tuple[JsonPath, tuple[Any, ...], tuple[Any, ...]]]] = {
    "standard": [
        *VIBER_LIMITS,
        ((*VIBER, "label"), ("", "x" * 350), ("x" * 351,)),
        ((*MESSAGE, "text"), ("", "x" * 1000, "\U0001f600" * 1000), ("x" * 1001,)),
        ((*MESSAGE, "imageUrl"), (URL_1000,), (URL_1000 + "a", "http://example.test/")),
        ((*MESSAGE, "action", "caption"), ("x", "x" * 30), ("", "x" * 31)),
        ((*MESSAGE, "action", "targetUrl"), (URL_1000, "http://example.test"), (URL_1000 + "a", "open")),
        ((*MESSAGE, "viberFile", "fileName"), ("x" * 25,), ("x" * 26,)),
        (
            (*MESSAGE, "viberFile", "fileType"),
            ("doc", "xltx", "info", "pdax", "pages", "PDF"),
            ("application/pdf", ".pdf", "", 7),
        ),
        ((*MESSAGE, "viberFile", "fileUrl"), (URL_1000,), (URL_1000 + "a", "http://example.test/")),
        ((*MESSAGE, "viberVideo", "fileSize"), (0.001, 200), (0, 200.001)),
        ((*MESSAGE, "viberVideo", "duration"), (0.001, 600), (0, 600.001)),
        *SMS_LIMITS,
        *VOICE_LIMITS,
        *CALLBACK_LIMITS,
    ],
    "transactional": [
        *VIBER_LIMITS,
        ((*VIBER, "templateId"), ("BBBBBBBB-0000-4000-8000-000000000002",), ("", BASIC_OTP, BASIC_OTP[:-1])),
        ((*VIBER, "templateLang"), ("zu",), ("",)),
        ((*VIBER, "deliveryScope"), ("PRIMARY_DEVICE", "ALL_DEVICES"), ("PRIMARY_ONLY",)),
        ((*VIBER, "seq"), (0, -1, 2**63 - 1), (0.5, "1")),
        *SMS_LIMITS,
        *VOICE_LIMITS,
        *CALLBACK_LIMITS,
    ],
    "otp": [
        ((*VIBER, "pin"), ("x" * 4, "x" * 10, "\U0001f600" * 10), ("x" * 3, "x" * 11, 847291)),
        ((*VIBER, "ttl"), (0, 10**9), (-1, 0.5)),
        ((*VIBER, "to"), ("+6834000", "+123456789012345"), ("1", "1234567890123456", "012")),
        ((*VIBER, "templateId"), (BASIC_OTP.upper(),), ("", BASIC_OTP[:-1])),
        ((*VIBER, "templateType"), ("basic", "basic_5min", "with_reason", "with_more"), ("with_validity", "", 7)),
        ((*VIBER, "businessName"), ("x",), ("", 1)),
        ((*VIBER, "order"), (1, 3), (0, 2, 1.5, -1)),
        ((*SMS, "ttl"), (0, 10**9), (-1, 0.5)),
        ((*SMS, "from"), ("1" * 16, "x" * 11), ("1" * 17, "x" * 12)),
        ((*SMS, "message", "body"), ("x",), ("",)),
        (("callback", "url"), ("http://example.test",), ("x",)),
    ],
    "viber-otp": [
        (("to",), ("+6834000", "+123456789012345"), ("12", "+1", "+1234567890123456")),
        (("ttl",), (0, 10**9), (-1, 0.5)),
        (("label",), ("transactional", "promotional"), ("x",)),
        (("type",), ("PRIMARY_ONLY", "ALL_DEVICE"), ("ALL_DEVICES",)),
        (("templateLang",), ("ar", "vi", "br", "zu", "EN"), ("", 7)),
        (("templateParams", "pin"), ("x", "x" * 50), ("", "x" * 51, "http://x", "www.x", 5)),
        (("templateParams", "businessPlatformName"), ("x" * 50,), ("x" * 51, "HTTPS://x")),
        (("templateParams", "codeValidityTime"), (0, 10**50 - 1), (-1, 10**50, "5", 1.5)),
    ],
}


def _id(endpoint: str, path: JsonPath, value: object) -> str:
    text = ascii(value)
    return f"{endpoint} {'.'.join(map(str, path))}={text if len(text) < 30 else f'{text[:12]}.. {len(text)}'}"


@pytest.mark.parametrize(
    ("endpoint", "path", "value"),
    [
        pytest.param(endpoint, path, value, id=_id(endpoint, path, value))
        for endpoint, limits in LIMITS.items()
        for path, valid, _ in limits
        for value in valid
    ],
)
def test_value_at_the_limit_is_accepted_by_client_and_contract(endpoint: str, path: JsonPath, value: object) -> None:
    """A documented limit itself is within the rules of both."""
    request = changed(SAMPLES[endpoint], path, value)
    assert contract_problems(endpoint, request) == []
    assert client_problems(endpoint, request) == []


@pytest.mark.parametrize(
    ("endpoint", "path", "value"),
    [
        pytest.param(endpoint, path, value, id=_id(endpoint, path, value))
        for endpoint, limits in LIMITS.items()
        for path, _, invalid in limits
        for value in invalid
    ],
)
def test_value_past_the_limit_is_refused_by_client_and_contract(endpoint: str, path: JsonPath, value: object) -> None:
    """Just past it, both refuse."""
    request = changed(SAMPLES[endpoint], path, value)
    assert contract_problems(endpoint, request)
    assert client_problems(endpoint, request)


def test_contract_accepts_every_tenth_of_a_viber_minute() -> None:
    """The contract, which computes in binary floating point, accepts every one of the 14,396 documented Viber ttls."""
    rejected = [
        tenth
        for tenth in range(5, 14401)
        if contract_problems(
            "standard", changed({"flow": [{**SAMPLES["standard"]["flow"][0]}]}, (*VIBER, "ttl"), tenth / 10)
        )
    ]
    assert rejected == []


@pytest.mark.parametrize("number", ["12", "306900000001"])
@pytest.mark.parametrize(
    ("endpoint", "path"), [("standard", (*VOICE, "to")), ("otp", (*VIBER, "to")), ("otp", (*SMS, "to"))]
)
def test_number_without_plus_is_refused_by_the_client_only(endpoint: str, path: JsonPath, number: str) -> None:
    """Routee's own examples write such numbers, but one that lacks its country code looks the same."""
    request = changed(SAMPLES[endpoint], path, number)
    assert contract_problems(endpoint, request) == []
    assert client_problems(endpoint, request)


@pytest.mark.parametrize(
    ("endpoint", "path"),
    [("standard", (*VIBER, "to")), ("transactional", (*SMS, "to")), ("otp", (*SMS, "to")), ("viber-otp", ("to",))],
)
def test_number_too_short_for_any_plan_is_refused_by_the_client_only(endpoint: str, path: JsonPath) -> None:
    """No page of Routee's has a minimum length; no country has numbers of five digits including its code."""
    request = changed(SAMPLES[endpoint], path, "+30691")
    assert contract_problems(endpoint, request) == []
    assert client_problems(endpoint, request)
