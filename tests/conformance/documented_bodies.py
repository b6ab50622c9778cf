"""Request bodies from Routee's pages, each with every member that its page names and the page's own values."""

from collections.abc import Iterator, Mapping
from typing import Any

SENDER = "aaaaaaaa-0000-4000-8000-000000000001"
TO = "+306912345678"
PIN = "847291"
CALLBACK = {"strategy": "OnStep", "url": "https://example.test/callback"}

# https://docs.routee.net/reference/send-a-failover-message
SMS: dict[str, Any] = {
    "type": "Sms",
    "from": "MyApp",
    "to": TO,
    "ttl": 1440,
    "message": {"body": "Your order #1234 has shipped", "flash": False, "label": "orders", "transcode": True},
    "order": 2,
    "failoverOnStatuses": ["FAILED", "UNDELIVERED"],
}
VIBER: dict[str, Any] = {
    "type": "Viber",
    "senderInfoTrackingId": SENDER,
    "to": TO,
    "ttl": 0.5,
    "expireOnDelivery": True,
    "label": "flash-sale",
    "inboundUrl": "https://example.test/inbound",
    "message": {
        "text": "Hi [~{firstName}], flash sale: 50% off today",
        "imageUrl": "https://example.test/sale.png",
        "action": {"caption": "Shop now", "targetUrl": "https://example.test/sale"},
    },
    "order": 1,
    "failoverOnStatuses": ["EXPIRED", "FAILED", "UNDELIVERED"],
}
VIBER_FILE: dict[str, Any] = {
    **VIBER,
    "message": {
        "viberFile": {"fileName": "terms.pdf", "fileType": "pdf", "fileUrl": "https://example.test/terms.pdf"},
    },
}
VOICE: dict[str, Any] = {
    "type": "Voice",
    "from": "MyApp",
    "to": {"phone": TO},
    "order": 3,
    "dialPlans": {
        "verbs": [
            {"type": "SAY", "message": {"text": "Your order has shipped", "language": "en-US", "gender": "female"}},
            {"type": "PLAY", "fileURL": "https://example.test/jingle.wav"},
        ]
    },
    "failoverOnStatuses": ["Busy", "NoAnswer"],
}
STANDARD: dict[str, Any] = {"flow": [VIBER, SMS, VOICE], "callback": CALLBACK}

# https://docs.routee.net/reference/send-a-transactional-failover-message
TEMPLATE: dict[str, Any] = {
    "type": "Viber",
    "senderInfoTrackingId": SENDER,
    "to": TO,
    "ttl": 1440.0,
    "order": 1,
    "failoverOnStatuses": ["EXPIRED", "FAILED", "UNDELIVERED"],
    "templateId": "bbbbbbbb-0000-4000-8000-000000000001",
    "templateLang": "en",
    "templateParams": {"order_number": "1234"},
    "deliveryScope": "PRIMARY_DEVICE",
    "seq": 42,
    "inboundUrl": "https://example.test/inbound",
}
TRANSACTIONAL_SMS: dict[str, Any] = {**SMS, "message": SMS["message"] | {"urlShortener": {"urlValidity": 3600}}}
TRANSACTIONAL: dict[str, Any] = {"flow": [TEMPLATE, TRANSACTIONAL_SMS, VOICE], "callback": CALLBACK}

# https://docs.routee.net/reference/send-a-failover-otp-message
VIBER_OTP_STEP: dict[str, Any] = {
    "type": "ViberOtp",
    "to": TO,
    "order": 1,
    "ttl": 60,
    "trackingId": None,
    "label": "login",
    "senderInfoTrackingId": SENDER,
    "templateId": "0aac888f-2ee2-4112-9659-1755a951966a",
    "pin": PIN,
}
OTP_SMS_STEP: dict[str, Any] = {
    "type": "Sms",
    "to": TO,
    "order": 2,
    "ttl": 180,
    "label": "login",
    "from": "MyApp",
    "message": {"body": f"Your code is {PIN}"},
}
OTP: dict[str, Any] = {"flow": [VIBER_OTP_STEP, OTP_SMS_STEP], "callback": {"url": "https://example.test/otp"}}

# https://docs.routee.net/reference/viber-otp-request
VIBER_OTP: dict[str, Any] = {
    "senderInfoTrackingId": SENDER,
    "to": TO,
    "ttl": 60,
    "seq": 7,
    "label": "transactional",
    "type": "PRIMARY_ONLY",
    "templateId": "6c929cef-29b4-4349-bc9d-2a07bdbb6e43",
    "templateParams": {
        "pin": PIN,
        "businessPlatformName": "MyApp",
        "pinType": "verification",
        "codeValidityTime": 5,
        "businessPlatformActionName": "logging in",
        "codeReason": "you requested a password reset",
    },
    "templateLang": "en",
}


def names(document: Any) -> set[str]:
    """Return the name of every member, at any depth."""
    return set(_names(document))


def _names(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        for name, value in node.items():
            yield name
            yield from _names(value)
    elif isinstance(node, list):
        for item in node:
            yield from _names(item)


def scripted(flow: Mapping[str, Any], to: str) -> dict[str, Any]:
    """Return the flow with a recipient whose number determines its outcome in the sandbox."""
    steps = [{**step, "to": {"phone": to} if isinstance(step["to"], dict) else to} for step in flow["flow"]]
    return {**flow, "flow": steps}
