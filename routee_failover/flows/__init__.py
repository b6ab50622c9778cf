"""Flows: one class for each request shape that Routee documents. None can be built in a way that Routee would reject.

Invalid values raise one `InvalidFlow`; a missing or unknown keyword raises `TypeError`, as in any call.
"""

from .callback import Callback, CallbackStrategy
from .endpoint import Endpoint
from .otp import OtpFlow, OtpSmsMessage, OtpSmsStep, ViberOtpStep
from .otp_template_ids import OtpTemplateId
from .otp_templates import OtpLanguage, OtpTemplateType
from .sms import SmsMessage, SmsStep, UrlShortener
from .standard import StandardFlow, ViberAction, ViberFile, ViberFileType, ViberMessage, ViberStep, ViberVideo
from .transactional import DeliveryScope, TransactionalFlow, ViberTemplateStep
from .viber_otp import ViberOtpLabel, ViberOtpMessage, ViberOtpType
from .voice import (
    DialPlan,
    Gender,
    MachineDetection,
    MachineDetectionStrategy,
    Play,
    Say,
    Speech,
    VoiceRecipient,
    VoiceStep,
)

AnyFlow = StandardFlow | TransactionalFlow | OtpFlow | ViberOtpMessage
"""Everything that `RouteeClient.send` accepts."""

__all__ = [
    "AnyFlow",
    "Callback",
    "CallbackStrategy",
    "DeliveryScope",
    "DialPlan",
    "Endpoint",
    "Gender",
    "MachineDetection",
    "MachineDetectionStrategy",
    "OtpFlow",
    "OtpLanguage",
    "OtpSmsMessage",
    "OtpSmsStep",
    "OtpTemplateId",
    "OtpTemplateType",
    "Play",
    "Say",
    "SmsMessage",
    "SmsStep",
    "Speech",
    "StandardFlow",
    "TransactionalFlow",
    "UrlShortener",
    "ViberAction",
    "ViberFile",
    "ViberFileType",
    "ViberMessage",
    "ViberOtpLabel",
    "ViberOtpMessage",
    "ViberOtpStep",
    "ViberOtpType",
    "ViberStep",
    "ViberTemplateStep",
    "ViberVideo",
    "VoiceRecipient",
    "VoiceStep",
]
