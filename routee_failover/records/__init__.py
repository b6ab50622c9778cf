"""What comes back: receipts and tracking records, open to every word and key that Routee may add."""

from .balance import Balance
from .inbound import InboundMessage
from .receipts import FlowReceipt, OtpReceipt, OtpStepEcho, StepEcho, ViberOtpReceipt
from .statuses import Channel, FlowKind, FlowStatus, MessageStatus
from .tracking import FlowRecord, MessageRecord, OtpRecord, OtpStepRecord, ViberOtpRecord

AnyReceipt = FlowReceipt | OtpReceipt | ViberOtpReceipt
"""Whatever `RouteeClient.send` gives."""

__all__ = [
    "AnyReceipt",
    "Balance",
    "Channel",
    "FlowKind",
    "FlowReceipt",
    "FlowRecord",
    "FlowStatus",
    "InboundMessage",
    "MessageRecord",
    "MessageStatus",
    "OtpReceipt",
    "OtpRecord",
    "OtpStepEcho",
    "OtpStepRecord",
    "StepEcho",
    "ViberOtpReceipt",
    "ViberOtpRecord",
]
