"""Regression tests of former disagreements between client and contract, in both directions."""

from typing import Any

import pytest

from ..flows.sample_requests import OTP, PHONE, STANDARD, Json
from .test_agreement import client_problems, contract_problems

SMS: Json = {"type": "Sms", "from": "Demo", "to": PHONE, "message": {"body": "Hi"}}
OTP_SMS: Json = {"type": "Sms", "order": 1, "to": PHONE, "ttl": 60, "message": {"body": "Hi"}}
VIBER_OTP, VOICE = OTP["flow"][0], STANDARD["flow"][2]


@pytest.mark.parametrize(
    ("endpoint", "request_"),
    [
        pytest.param("standard", {"flow": [{**SMS, "order": 0}]}, id="order is 0"),
        pytest.param("otp", {"flow": [{**OTP_SMS, "order": None}]}, id="order of an OTP step is null"),
        pytest.param("otp", {"flow": [{**OTP_SMS, "trackingId": 5}]}, id="trackingId is a number"),
        pytest.param(
            "otp",
            {"flow": [{**VIBER_OTP, "templateType": "with_validity", "trackingId": "x"}]},
            id="trackingId is no validity",
        ),
    ],
)
def test_client_refuses_what_the_contract_rejects(endpoint: str, request_: Any) -> None:
    """What the contract rejects the client refuses too, beyond the keys that the client models."""
    assert contract_problems(endpoint, request_)
    assert client_problems(endpoint, request_)


@pytest.mark.parametrize(
    ("endpoint", "request_"),
    [
        pytest.param("otp", {"flow": [{**VIBER_OTP, "to": [PHONE]}]}, id="a list with one recipient"),
        pytest.param(
            "viber-otp", {"senderInfoTrackingId": "x", "to": PHONE, "seq": 2**63}, id="seq of more than 64 bits"
        ),
        pytest.param("standard", {"flow": [SMS], "xNew": 2**63}, id="extra number of more than 64 bits"),
        pytest.param(
            "standard", {"flow": [{**VOICE, "to": {"phone": PHONE, "viber": None, "sip": None}}]}, id="null recipients"
        ),
        pytest.param("viber-otp", {"senderInfoTrackingId": "x", "to": PHONE, "templateId": ""}, id="empty templateId"),
    ],
)
def test_client_accepts_what_no_page_forbids(endpoint: str, request_: Any) -> None:
    """What no page of Routee's forbids the client accepts."""
    assert not contract_problems(endpoint, request_)
    assert not client_problems(endpoint, request_)
