"""Responses as Routee's pages document them, with unknown keys among them."""

from typing import Any

Json = dict[str, Any]

PIN = "739164"
PHONE = "+306912345678"

FLOW_ACCEPTED: Json = {
    "trackingId": "t-1",
    "flowKind": "standard",
    "flow": [
        {"type": "Viber", "order": 1, "to": PHONE, "ttl": 2.5, "message": {"text": "Hi"}, "label": "demo"},
        {"type": "Sms", "order": 2, "from": "Demo", "to": PHONE, "message": {"body": "Hi"}},
        {"type": "Voice", "order": 3, "from": "Demo", "to": {"phone": PHONE}, "dialPlans": {"verbs": []}},
    ],
    "callback": {"strategy": "OnStep", "url": "https://example.test/cb"},
    "createdAt": "2026-01-01T10:00:00.000Z",
    "tomorrow": {"key": 1},
}
TEMPLATE_ACCEPTED: Json = {
    "trackingId": "t-2",
    "flowKind": "transactional",
    "flow": [
        {
            "type": "Viber",
            "order": 1,
            "to": PHONE,
            "templateId": "bbbbbbbb-0000-4000-8000-000000000002",
            "templateLang": "en",
            "templateParams": {"pin": PIN, "customer_name": "Ada"},
            "seq": 7,
        }
    ],
    "createdAt": "2026-01-01T10:00:00Z",
}
OTP_ACCEPTED: Json = {
    "flowId": "f-1",
    "status": "InProgress",
    "type": "Viber",
    "flow": [
        {"type": "ViberOtp", "order": 1, "to": PHONE, "ttl": 60, "pin": PIN, "trackingId": "m-1"},
        {"type": "Sms", "order": 2, "to": PHONE, "message": {"body": f"Code {PIN}"}, "trackingId": None},
    ],
    "createdAt": "2026-01-01T10:00:00.123456+02:00",
}
VIBER_OTP_ACCEPTED: Json = {
    "trackingId": "v-1",
    "to": PHONE,
    "from": "Demo",
    "country": "GR",
    "seq": 7,
    "ttl": 60,
    "label": "transactional",
    "templateParams": {"pin": PIN},
    "status": {"status": "QUEUED", "date": "2026-01-01T10:00:00Z", "reason": {"detailedStatus": "Queued"}},
}
FLOW_TRACKED: Json = {
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
            "status": {
                "name": "EXPIRED",
                "reason": {"detailedStatus": "TTL Expired", "description": "..."},
                "updatedDate": "2026-01-01T10:10:00.000Z",
            },
            "body": {"text": "Hi", "imageUrl": "https://example.test/i.png"},
            "label": "demo",
            "failoverOnStatuses": ["EXPIRED", "FAILED", "UNDELIVERED"],
            "order": 1,
            "price": 0.01,
            "createdAt": "2026-01-01T10:00:00.100Z",
        },
        {
            "type": "Sms",
            "messageId": "m-1",
            "smsId": "s-1",
            "to": PHONE,
            "status": {"name": "Delivered", "updatedDate": "2026-01-01T10:10:05Z"},
            "body": "Hi",
            "price": 0.03,
            "order": 2,
            "part": 1,
            "parts": 1,
            "latency": 4,
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
OTP_TRACKED: Json = {
    "flowId": "f-1",
    "status": "Failed",
    "statusCode": 2,
    "total_cost": 0.05,
    "steps": [
        {
            "trackingId": "m-1",
            "role": "primary",
            "status": "EXPIRED",
            "channel": "viber",
            "phone_number": PHONE.removeprefix("+"),
            "price": 0.01,
            "latency_ms": 900,
        },
        {
            "trackingId": "m-2",
            "role": "failover",
            "status": "queued",
            "channel": "sms",
            "phone_number": PHONE.removeprefix("+"),
            "failover_from_message_token": "m-1",
        },
    ],
}
VIBER_TRACKED: Json = {
    "trackingId": "v-1",
    "to": PHONE,
    "from": "Demo",
    "country": "GR",
    "status": {"status": "SEEN", "reason": {"detailedStatus": "Seen"}, "date": "2026-01-01T10:00:09Z"},
    "applicationName": "Demo",
    "originatingService": "Viber",
    "direction": "Outbound",
    "ttl": 60,
    "message": f"Your code is {PIN}",
    "price": 0.01,
    "expireOnDelivery": False,
}
VOICE_MESSAGE: Json = {
    "type": "Voice",
    "order": 3,
    "failoverOnStatuses": ["Busy", "NoAnswer"],
    "messageId": "m-3",
    "conversationTrackingId": "c-3",
    "from": "Demo",
    "to": {"phone": PHONE},
    "status": {"name": "Completed", "updatedDate": "2026-01-01T10:20:00Z"},
    "direction": "Outbound",
    "duration": 12,
    "price": 0.05,
    "createdAt": "2026-01-01T10:19:00Z",
}
OLD_CALLBACK: Json = {
    "trackingId": "t-1",
    "messages": [
        {
            "type": "Viber",
            "trackingId": "v-1",
            "to": PHONE,
            "from": "Demo",
            "ttl": 10,
            "status": {
                "name": "EXPIRED",
                "reason": {"detailedStatus": "TTL Expired", "description": "..."},
                "updatedDate": "2026-01-01T10:10:00Z",
                "expireOnDelivery": True,
                "expiredOnDeliveryAt": "2026-01-01T10:10:00Z",
            },
            "body": {
                "text": "Hi",
                "imageURL": "https://example.test/i.png",
                "viberAction": {"caption": "Open", "targetUrl": "https://example.test/"},
            },
            "order": 1,
            "price": 0.035,
        },
        {
            "type": "Sms",
            "messageId": "m-1",
            "smsId": "s-1",
            "to": PHONE,
            "from": "Demo",
            "message": "Hi",
            "status": {"name": "Delivered", "updatedDate": "2026-01-01T10:10:05Z"},
            "ttl": 15,
            "price": 0.003,
            "order": 2,
            "part": 1,
            "parts": 1,
        },
    ],
    "terminationChannel": "Sms",
    "status": "Succeeded",
    "statusCode": "",
    "totalPrice": 0.038,
    "originatingService": "Failover",
    "applicationId": "000000000000000000000000",
    "createdAt": "2026-01-01T10:00:00Z",
    "updatedAt": "2026-01-01T10:10:05Z",
}
"""The older generation of the callback, built from the differences that Routee's page shows."""
