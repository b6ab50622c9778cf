"""Flows: one class for each request shape that Routee documents. None can be built in a way that Routee would reject.

`RawFlow` is for shapes that Routee does not document.

Invalid values raise one `InvalidFlow`; a missing or unknown keyword raises `TypeError`, as in any call.
"""

from .callback import Callback, CallbackStrategy
from .endpoint import Endpoint
from .otp import OtpFlow, OtpSmsMessage, OtpSmsStep, ViberOtpStep
from .otp_template_ids import OtpTemplateId
from .otp_templates import OtpLanguage, OtpTemplateType
from .raw import RawFlow
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

ValidatedFlow = StandardFlow | TransactionalFlow | OtpFlow | ViberOtpMessage
"""A flow of a shape that Routee documents, which is validated when it is built."""
AnyFlow = ValidatedFlow | RawFlow
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
    "RawFlow",
    "Say",
    "SmsMessage",
    "SmsStep",
    "Speech",
    "StandardFlow",
    "TransactionalFlow",
    "UrlShortener",
    "ValidatedFlow",
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
