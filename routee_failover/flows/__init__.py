"""Flows: one class for each request shape that Routee documents. None can be built in a way that Routee would reject.

`RawFlow` is for shapes that Routee does not document.

Invalid values raise one `InvalidFlow`; a missing or unknown keyword raises `TypeError`, as in any call.
"""

from .callback import Callback, CallbackStrategy
from .endpoint import Endpoint
from .otp import OtpFlow, OtpSmsStep, ViberOtpStep
from .raw import RawFlow
from .sms import SmsMessage, SmsStep, UrlShortener
from .standard import StandardFlow, ViberAction, ViberFile, ViberMessage, ViberStep, ViberVideo
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
    "OtpSmsStep",
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
