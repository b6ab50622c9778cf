"""Routee's failover messaging for asyncio: flows that cannot be built wrong, sent once, followed to their end."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .client import RouteeClient
    from .config import Config
    from .errors import (
        BadRequest,
        ClientClosed,
        ConnectFailed,
        DeliveryUnknown,
        FlowFailed,
        Forbidden,
        InsufficientBalance,
        InvalidConfig,
        InvalidFlow,
        NoAnswer,
        NotFound,
        NotSent,
        Outcome,
        PoolTimeout,
        Problem,
        RateLimited,
        Rejected,
        RouteeError,
        TokenUnavailable,
        Unauthorized,
        Unprocessable,
    )
    from .flows import (
        AnyFlow,
        Callback,
        CallbackStrategy,
        DeliveryScope,
        DialPlan,
        Endpoint,
        Gender,
        MachineDetection,
        MachineDetectionStrategy,
        OtpFlow,
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
        ViberOtpLabel,
        ViberOtpMessage,
        ViberOtpStep,
        ViberOtpType,
        ViberStep,
        ViberTemplateStep,
        ViberVideo,
        VoiceStep,
        VoiceTo,
    )
    from .records import (
        AnyReceipt,
        Balance,
        Channel,
        FlowKind,
        FlowReceipt,
        FlowRecord,
        FlowStatus,
        MessageRecord,
        MessageStatus,
        OtpReceipt,
        OtpRecord,
        OtpStepEcho,
        OtpStepRecord,
        StepEcho,
        ViberOtpReceipt,
        ViberOtpRecord,
    )
    from .secret import Secret
    from .sending import Sent
    from .wire import dump_flow, load_flow

__all__ = [
    "AnyFlow",
    "AnyReceipt",
    "BadRequest",
    "Balance",
    "Callback",
    "CallbackStrategy",
    "Channel",
    "ClientClosed",
    "Config",
    "ConnectFailed",
    "DeliveryScope",
    "DeliveryUnknown",
    "DialPlan",
    "Endpoint",
    "FlowFailed",
    "FlowKind",
    "FlowReceipt",
    "FlowRecord",
    "FlowStatus",
    "Forbidden",
    "Gender",
    "InsufficientBalance",
    "InvalidConfig",
    "InvalidFlow",
    "MachineDetection",
    "MachineDetectionStrategy",
    "MessageRecord",
    "MessageStatus",
    "NoAnswer",
    "NotFound",
    "NotSent",
    "OtpFlow",
    "OtpReceipt",
    "OtpRecord",
    "OtpSmsStep",
    "OtpStepEcho",
    "OtpStepRecord",
    "Outcome",
    "Play",
    "PoolTimeout",
    "Problem",
    "RateLimited",
    "Rejected",
    "RouteeClient",
    "RouteeError",
    "Say",
    "Secret",
    "Sent",
    "SmsMessage",
    "SmsStep",
    "Speech",
    "StandardFlow",
    "StepEcho",
    "TokenUnavailable",
    "TransactionalFlow",
    "Unauthorized",
    "Unprocessable",
    "UrlShortener",
    "ViberAction",
    "ViberFile",
    "ViberMessage",
    "ViberOtpLabel",
    "ViberOtpMessage",
    "ViberOtpReceipt",
    "ViberOtpRecord",
    "ViberOtpStep",
    "ViberOtpType",
    "ViberStep",
    "ViberTemplateStep",
    "ViberVideo",
    "VoiceStep",
    "VoiceTo",
    "dump_flow",
    "load_flow",
]

_HOMES = ("errors", "secret", "config", "flows", "records", "wire", "sending", "client")
"""The rooms that public names live in, from the ground up: whoever only catches an error does not load the client."""


def __getattr__(name: str) -> Any:
    if name in __all__:
        for home in _HOMES:
            module = importlib.import_module(f"{__name__}.{home}")
            if hasattr(module, name):
                globals()[name] = getattr(module, name)
                return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
