"""Payloads of callbacks, as both generations of Routee's pages document them, and builders for more."""

import copy
import json
from typing import Any

Json = dict[str, Any]

PHONE = "+306900000001"
PIN = "739164"
WORDS = f"Hi Ada, your code is {PIN}"

_REASON = {"detailedStatus": "TTL Expired", "description": "The ttl has passed"}
NEW: Json = {
    "trackingId": "t-1",
    "messages": [
        {
            "type": "Viber",
            "trackingId": "v-1",
            "to": PHONE,
            "from": "Demo",
            "country": "GR",
            "ttl": 10,
            "expireOnDelivery": False,
            "expiredOnDeliveryAt": None,
            "status": {"name": "EXPIRED", "reason": _REASON, "updatedDate": "2026-01-01T10:10:00.000Z"},
            "body": {"text": WORDS, "action": {"caption": "Open", "targetUrl": "https://example.test/"}},
            "label": "demo",
            "failoverOnStatuses": ["EXPIRED", "FAILED", "UNDELIVERED"],
            "order": 1,
            "inboundUrl": "https://example.test/in",
            "price": 0.01,
            "createdAt": "2026-01-01T10:00:00.100Z",
        },
        {
            "type": "Sms",
            "messageId": "m-1",
            "smsId": "s-1",
            "to": PHONE,
            "from": "Demo",
            "country": "GR",
            "operator": "Op",
            "ttl": 15,
            "status": {
                "name": "Delivered",
                "reason": {"detailedStatus": "Delivered"},
                "updatedDate": "2026-01-01T10:10:05Z",
            },
            "body": WORDS,
            "price": 0.03,
            "label": "demo",
            "order": 2,
            "part": 1,
            "parts": 1,
            "latency": 4,
            "failoverOnStatuses": ["Undelivered", "Failed"],
            "createdAt": "2026-01-01T10:10:01.000Z",
        },
    ],
    "terminationChannel": "Sms",
    "status": "Succeeded",
    "statusCode": None,
    "totalPrice": 0.04,
    "originatingService": "Failover",
    "applicationId": "000000000000000000000000",
    "createdAt": "2026-01-01T10:00:00.000Z",
    "updatedAt": "2026-01-01T10:10:05.500Z",
}
"""A flow whose Viber message expired and whose SMS was delivered, as on the newer page."""

OLD: Json = {
    "trackingId": "t-2",
    "messages": [
        {
            "type": "Viber",
            "trackingId": "v-2",
            "to": PHONE,
            "from": "Demo",
            "ttl": 10,
            "status": {
                "name": "FAILED",
                "reason": _REASON,
                "updatedDate": "2026-01-01T10:10:00Z",
                "expireOnDelivery": False,
                "expiredOnDeliveryAt": None,
            },
            "body": {"text": WORDS, "imageURL": "https://example.test/i.png", "viberAction": {"caption": "Open"}},
            "order": 1,
            "price": 0.035,
        },
        {
            "type": "Sms",
            "messageId": "m-2",
            "smsId": "s-2",
            "to": PHONE,
            "from": "Demo",
            "status": {"name": "Failed", "updatedDate": "2026-01-01T10:10:05Z"},
            "message": WORDS,
            "order": 2,
            "part": 1,
            "parts": 1,
            "price": 0.003,
        },
    ],
    "terminationChannel": "Sms",
    "status": "Failed",
    "statusCode": "",
    "totalPrice": 0.038,
    "originatingService": "Failover",
    "createdAt": "2026-01-01T10:00:00Z",
    "updatedAt": "2026-01-01T10:10:05Z",
}
"""A flow that failed, as on the older page."""

OTP: Json = {
    "flowId": "5f0f6c0e-29c5-4b51-a8a6-0a86e5ef1a04",
    "status": "Succeeded",
    "statusCode": None,
    "total_cost": 0.05,
    "steps": [
        {
            "trackingId": "o-1",
            "role": "primary",
            "status": "EXPIRED",
            "channel": "viber",
            "phone_number": "306900000001",
            "price": 0.02,
            "created_at": "2026-01-01T10:00:00Z",
        },
        {
            "trackingId": "o-2",
            "role": "failover",
            "status": "queued",
            "channel": "sms",
            "phone_number": "306900000001",
            "failover_from_message_token": "o-1",
        },
    ],
}
"""An OTP flow that failed over. In the page's own example it has succeeded while its SMS is only queued."""

INBOUND: Json = {
    "from": PHONE,
    "to": "aaaaaaaa-0000-4000-8000-000000000001",
    "message": "Was that you?",
    "sentDate": "2026-01-01T10:20:00Z",
    "campaignName": None,
    "campaignTrackingId": None,
    "referenceTrackingId": "v-1",
    "direction": "Inbound",
    "media": "https://example.test/photo.jpg",
    "filename": "photo.jpg",
    "label": "demo",
}
"""An inbound message."""

VIBER_OTP: Json = {
    "trackingId": "v-7",
    "to": PHONE,
    "from": "Demo",
    "country": "GR",
    "status": {"status": "DELIVERED", "date": "2026-01-01T10:00:09Z", "reason": None},
    "applicationName": "Login",
    "direction": "Outbound",
    "ttl": 60,
    "seq": 7,
    "label": "transactional",
    "type": "PRIMARY_ONLY",
    "templateId": "0aac888f-2ee2-4112-9659-1755a951966a",
    "templateParams": {"pin": PIN},
    "templateLang": "en",
}
"""A single Viber OTP. Its page mentions callbacks without an example: this is the response of the page."""

SHAPES: dict[str, Json] = {"new": NEW, "old": OLD, "otp": OTP, "inbound": INBOUND, "viber-otp": VIBER_OTP}


def body_of(shape: Json) -> bytes:
    """Return the request body that Routee would post."""
    return json.dumps(shape).encode()


def flow(status: str = "InProgress", at: int | None = 0, *messages: str, tracking_id: str = "t-1", **more: Any) -> Json:
    """Return a callback of a flow: its status, the second of its last update, and the status of each message."""
    shape: Json = {
        "trackingId": tracking_id,
        "status": status,
        "messages": [{"type": "Viber", "order": 1, "status": {"name": name}} for name in messages],
    }
    if at is not None:
        shape["updatedAt"] = f"2026-01-01T10:00:{at:02d}.000Z"
    return shape | more


def otp(status: str = "InProgress", *steps: str, tracking_id: str = "f-1", **more: Any) -> Json:
    """Return a callback of a failover OTP flow: its status and the status of each step."""
    return {"flowId": tracking_id, "status": status, "steps": [{"status": name} for name in steps]} | more


def viber_otp(status: str = "QUEUED", at: int | None = 0, *, tracking_id: str = "v-1", **more: Any) -> Json:
    """Return a callback of a single Viber OTP: its status, and the second of its last update."""
    date = {} if at is None else {"date": f"2026-01-01T10:00:{at:02d}Z"}
    return {"trackingId": tracking_id, "to": PHONE, "status": {"status": status, **date}} | more


def inbound(message: str = "Hello", sender: str = PHONE) -> Json:
    """Return a callback of an inbound message."""
    return copy.deepcopy(INBOUND) | {"message": message, "from": sender}
