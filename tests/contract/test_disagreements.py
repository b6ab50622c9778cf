"""Requests that the contract refuses and the client still builds: each is a rule that one of the two has wrong."""

from typing import Any

import pytest

from ..flows.sample_requests import OTP, PHONE, STANDARD, Json
from .test_agreement import refused_by_client, refused_by_contract

SMS: Json = {"type": "Sms", "from": "Demo", "to": PHONE, "message": {"body": "Hi"}}
OTP_SMS: Json = {"type": "Sms", "order": 1, "to": PHONE, "ttl": 60, "message": {"body": "Hi"}}
VIBER_OTP, VOICE = OTP["flow"][0], STANDARD["flow"][2]


@pytest.mark.parametrize(
    ("endpoint", "request_"),
    [
        pytest.param("standard", {"flow": [{**SMS, "order": None}]}, id="order is null"),
        pytest.param("otp", {"flow": [{**OTP_SMS, "trackingId": 5}]}, id="trackingId is a number"),
        pytest.param(
            "otp",
            {"flow": [{**VIBER_OTP, "templateType": "with_validity", "trackingId": "x"}]},
            id="trackingId is no validity",
        ),
    ],
)
def test_client_is_too_lax(endpoint: str, request_: Any) -> None:
    """What the contract refuses the client refuses too, beyond the keys that the client models."""
    assert refused_by_contract(endpoint, request_)
    assert refused_by_client(endpoint, request_)


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
def test_client_is_too_strict(endpoint: str, request_: Any) -> None:
    """What no page of Routee's refuses the client lets through."""
    assert not refused_by_contract(endpoint, request_)
    assert not refused_by_client(endpoint, request_)
