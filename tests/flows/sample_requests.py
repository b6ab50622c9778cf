"""One complete request for each endpoint, written from Routee's pages, and the minimal arguments of each class."""

import copy
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from routee_failover.flows import (
    Callback,
    DialPlan,
    MachineDetection,
    OtpFlow,
    OtpSmsMessage,
    OtpSmsStep,
    Play,
    Say,
    SmsMessage,
    SmsStep,
    Speech,
    StandardFlow,
    TransactionalFlow,
    UrlShortener,
    ViberAction,
    ViberFile,
    ViberMessage,
    ViberOtpMessage,
    ViberOtpStep,
    ViberStep,
    ViberTemplateStep,
    ViberVideo,
    VoiceRecipient,
    VoiceStep,
)

Json = dict[str, Any]
JsonPath = tuple[str | int, ...]

PHONE = "+306900000001"
SENDER = "aaaaaaaa-0000-4000-8000-000000000001"
BASIC_OTP = "0aac888f-2ee2-4112-9659-1755a951966a"
OWN_TEMPLATE = "bbbbbbbb-0000-4000-8000-000000000002"
URL_1000 = "https://example.test/" + "a" * 979
TEXT_1000 = "x" * 1000

SMS_STEP: Json = {
    "type": "Sms",
    "order": 2,
    "from": "Demo",
    "to": PHONE,
    "message": {
        "body": "Hi",
        "flash": False,
        "label": "demo",
        "transcode": True,
        "urlShortener": {"urlValidity": 3600},
    },
    "ttl": 60,
    "failoverOnStatuses": ["Failed", "Undelivered"],
}
VOICE_STEP: Json = {
    "type": "Voice",
    "order": 3,
    "from": "Demo",
    "to": {"phone": PHONE, "viber": PHONE, "sip": "1111@host:55080"},
    "dialPlan": {
        "verbs": [
            {
                "type": "SAY",
                "message": {"text": "Hi", "language": "en-US", "gender": "female"},
                "repeat": 1,
                "bargeIn": False,
            },
            {"type": "PLAY", "fileURL": "https://example.test/hi.wav", "repeat": -1, "bargeIn": True},
        ]
    },
    "machineDetection": {"strategy": "Continue", "eventUrl": "https://example.test/plan"},
    "failoverOnStatuses": ["Busy", "NoAnswer"],
}
CALLBACK: Json = {"url": "https://example.test/cb", "strategy": "OnStep"}

STANDARD: Json = {
    "flow": [
        {
            "type": "Viber",
            "order": 1,
            "senderInfoTrackingId": SENDER,
            "to": PHONE,
            "message": {
                "text": "Hi [~{firstName}]",
                "imageUrl": "https://example.test/i.png",
                "action": {"caption": "Open", "targetUrl": "https://example.test/"},
                "viberFile": {"fileName": "a.pdf", "fileType": "pdf", "fileUrl": "https://example.test/a.pdf"},
                "viberVideo": {
                    "videoUrl": "https://example.test/v.mp4",
                    "videoThumbnail": "https://example.test/v.png",
                    "fileSize": 1.5,
                    "duration": 10,
                },
            },
            "ttl": 2.5,
            "expireOnDelivery": True,
            "inboundUrl": "https://example.test/in",
            "label": "demo",
            "failoverOnStatuses": ["Expired", "Failed", "Undelivered"],
        },
        SMS_STEP,
        VOICE_STEP,
    ],
    "callback": CALLBACK,
}
TRANSACTIONAL: Json = {
    "flow": [
        {
            "type": "Viber",
            "order": 1,
            "senderInfoTrackingId": SENDER,
            "to": PHONE,
            "templateId": OWN_TEMPLATE,
            "templateLang": "en",
            "templateParams": {"customer_name": "Ada"},
            "deliveryScope": "PRIMARY_DEVICE",
            "seq": 7,
            "ttl": 10,
            "inboundUrl": "https://example.test/in",
            "failoverOnStatuses": ["Expired"],
        },
        SMS_STEP,
        VOICE_STEP,
    ],
    "callback": CALLBACK,
}
OTP: Json = {
    "flow": [
        {
            "type": "ViberOtp",
            "order": 1,
            "senderInfoTrackingId": SENDER,
            "to": PHONE,
            "templateId": "c33cccaf-735f-4d62-8383-a76bf4999e2d",
            "pin": "847291",
            "ttl": 60,
            "templateType": "with_business_name",
            "businessName": "Demo",
            "label": "login",
        },
        {
            "type": "Sms",
            "order": 2,
            "to": PHONE,
            "message": {"body": "Your code is 847291"},
            "ttl": 120,
            "from": "Demo",
            "label": "login",
        },
    ],
    "callback": {"url": "https://example.test/otp"},
}
VIBER_OTP: Json = {
    "senderInfoTrackingId": SENDER,
    "to": PHONE,
    "ttl": 60,
    "seq": 7,
    "label": "transactional",
    "type": "PRIMARY_ONLY",
    "templateId": BASIC_OTP,
    "templateParams": {"pin": "847291"},
    "templateLang": "el",
}
SAMPLES: Mapping[str, Json] = {
    "standard": STANDARD,
    "transactional": TRANSACTIONAL,
    "otp": OTP,
    "viber-otp": VIBER_OTP,
}

MINUTE = timedelta(minutes=1)
_VIBER: Json = {"sender_info_tracking_id": SENDER, "to": PHONE}
_SAY = Say(message=Speech(text="Hi", language="en-US"))

MINIMAL_ARGUMENTS: Mapping[type, Json] = {
    UrlShortener: {},
    SmsMessage: {"body": "Hi"},
    OtpSmsMessage: {"body": "Hi"},
    SmsStep: {"from_": "Demo", "to": PHONE, "message": "Hi"},
    ViberAction: {},
    ViberFile: {},
    ViberVideo: {
        "video_url": "https://example.test/v.mp4",
        "video_thumbnail": "https://example.test/v.png",
        "file_size": 1,
        "duration": 1,
    },
    ViberMessage: {},
    ViberStep: {**_VIBER, "message": "Hi"},
    ViberTemplateStep: {**_VIBER, "template_id": OWN_TEMPLATE, "template_lang": "en"},
    Speech: {"text": "Hi", "language": "en-US"},
    Say: {"message": Speech(text="Hi", language="en-US")},
    Play: {"file_url": "https://example.test/hi.wav"},
    DialPlan: {"verbs": [_SAY]},
    MachineDetection: {"strategy": "Continue"},
    VoiceRecipient: {"phone": PHONE},
    VoiceStep: {"from_": "Demo", "to": PHONE, "dial_plan": DialPlan(verbs=[_SAY])},
    Callback: {"url": "https://example.test/cb"},
    ViberOtpStep: {**_VIBER, "template_id": BASIC_OTP, "pin": "847291", "ttl": MINUTE},
    OtpSmsStep: {"to": PHONE, "message": "Your code is 847291", "ttl": MINUTE},
    ViberOtpMessage: _VIBER,
}


def build(cls: type[Any], **changes: object) -> Any:
    """Build an object from its minimal arguments, with changes."""
    return cls(**{**MINIMAL_ARGUMENTS[cls], **changes})


STEP_CLASSES: Mapping[type, Sequence[type]] = {
    StandardFlow: (ViberStep, SmsStep, VoiceStep),
    TransactionalFlow: (ViberTemplateStep, SmsStep, VoiceStep),
    OtpFlow: (ViberOtpStep, OtpSmsStep),
}
"""The multi-step flows, each with the classes of step that it accepts."""


def changed(sample: Json, path: JsonPath, value: object) -> Json:
    """Return a copy with one value replaced."""
    *above, last = path
    copied = copy.deepcopy(sample)
    node: Any = copied
    for part in above:
        node = node[part]
    node[last] = value
    return copied


def without(sample: Json, path: JsonPath) -> Json:
    """Return a copy without one key."""
    copied = copy.deepcopy(sample)
    del at(copied, path[:-1])[path[-1]]
    return copied


def at(sample: Any, path: JsonPath) -> Any:
    """Return the value at a path."""
    for part in path:
        sample = sample[part]
    return sample
