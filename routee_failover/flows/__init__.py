"""What is sent: a class for each shape that Routee documents, none of which can be built as Routee would refuse it.

Wrong values are one `InvalidFlow`; a keyword that is missing or does not exist is a `TypeError`, as in any call.
"""

from .callback import Callback, CallbackStrategy
from .endpoint import Endpoint
from .otp import OtpFlow, OtpSmsStep, ViberOtpStep
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

AnyFlow = StandardFlow | TransactionalFlow | OtpFlow | ViberOtpMessage
"""Whatever `RouteeClient.send` takes."""

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
    "Say",
    "SmsMessage",
    "SmsStep",
    "Speech",
    "StandardFlow",
    "TransactionalFlow",
    "UrlShortener",
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
