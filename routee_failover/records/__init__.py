"""Receipts and tracking records: Routee's responses, read leniently, with any status or key that it may add later."""

from .balance import Balance
from .flow import FlowRecord
from .inbound import InboundMessage
from .messages import MessageRecord, SmsMessageRecord, ViberMessageRecord, VoiceMessageRecord
from .otp import OtpRecord, OtpStepRecord
from .otp_template import OtpTemplate
from .page import FlowPage, OtpPage
from .receipts import FlowReceipt, OtpReceipt, OtpStepEcho, StepEcho
from .statuses import Channel, FlowKind, FlowStatus, MessageStatus
from .token_info import TokenInfo
from .viber_otp import ViberOtpReceipt, ViberOtpRecord

AnyReceipt = FlowReceipt | OtpReceipt | ViberOtpReceipt
"""Everything that `RouteeClient.send` returns."""

__all__ = [
    "AnyReceipt",
    "Balance",
    "Channel",
    "FlowKind",
    "FlowPage",
    "FlowReceipt",
    "FlowRecord",
    "FlowStatus",
    "InboundMessage",
    "MessageRecord",
    "MessageStatus",
    "OtpPage",
    "OtpReceipt",
    "OtpRecord",
    "OtpStepEcho",
    "OtpStepRecord",
    "OtpTemplate",
    "SmsMessageRecord",
    "StepEcho",
    "TokenInfo",
    "ViberMessageRecord",
    "ViberOtpReceipt",
    "ViberOtpRecord",
    "VoiceMessageRecord",
]
