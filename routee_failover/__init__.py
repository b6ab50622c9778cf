"""Asyncio client for Routee's failover messaging: validated flows, proven outcomes, tracking, callbacks.

    async with RouteeClient.from_env() as routee:
        receipt = await routee.send(flow)
        record = await routee.wait(receipt, timeout=180)

Public names are imported on first use. `__version__` is the version of the installed package.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str

    from ._search import Filter, FilterField, FlowSearch, OtpSearch, Search, SearchOperator
    from ._send_all import SendResult
    from ._wire import dump_flow, load_flow
    from .client import RouteeClient
    from .config import Config
    from .errors import (
        BadRequest,
        CircuitOpen,
        ClientClosed,
        ConnectFailed,
        DeadlinePassed,
        DeliveryUnknown,
        FlowFailed,
        Forbidden,
        InsufficientBalance,
        InvalidCallback,
        InvalidConfig,
        InvalidFlow,
        InvalidSearch,
        InvalidSource,
        LedgerError,
        NoResponse,
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
        WaitTimeout,
        Withdrawn,
    )
    from .events import (
        AttemptEnded,
        AttemptStarted,
        CallbackDropped,
        CallbackRejected,
        CircuitBreakerChanged,
        Event,
        HandlerFailed,
        HandlerSlow,
        LoggingObserver,
        Observer,
        RetryBudgetExhausted,
        RetryScheduled,
        ThrottlePaused,
        TokenRenewed,
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
        OtpLanguage,
        OtpSmsMessage,
        OtpSmsStep,
        OtpTemplateId,
        OtpTemplateType,
        Play,
        RawFlow,
        Say,
        SmsMessage,
        SmsStep,
        Speech,
        StandardFlow,
        TransactionalFlow,
        UrlShortener,
        ViberAction,
        ViberFile,
        ViberFileType,
        ViberMessage,
        ViberOtpLabel,
        ViberOtpMessage,
        ViberOtpStep,
        ViberOtpType,
        ViberStep,
        ViberTemplateStep,
        ViberVideo,
        VoiceRecipient,
        VoiceStep,
    )
    from .outcomes import STATUS_RULES, AttemptResult, Response, RetryMode, StatusRule
    from .reconcile import OnUnknown, Reconciler
    from .records import (
        AnyReceipt,
        Balance,
        Channel,
        FlowKind,
        FlowPage,
        FlowReceipt,
        FlowRecord,
        FlowStatus,
        InboundMessage,
        MessageRecord,
        MessageStatus,
        OtpPage,
        OtpReceipt,
        OtpRecord,
        OtpStepEcho,
        OtpStepRecord,
        OtpTemplate,
        SmsMessageRecord,
        StepEcho,
        TokenInfo,
        ViberMessageRecord,
        ViberOtpReceipt,
        ViberOtpRecord,
        VoiceMessageRecord,
    )
    from .secret import Secret
    from .webhooks import CallbackEvent, CallbackInbox, CallbackSigner, ReceiveResult, parse_callback

__all__ = [
    "STATUS_RULES",
    "AnyFlow",
    "AnyReceipt",
    "AttemptEnded",
    "AttemptResult",
    "AttemptStarted",
    "BadRequest",
    "Balance",
    "Callback",
    "CallbackDropped",
    "CallbackEvent",
    "CallbackInbox",
    "CallbackRejected",
    "CallbackSigner",
    "CallbackStrategy",
    "Channel",
    "CircuitBreakerChanged",
    "CircuitOpen",
    "ClientClosed",
    "Config",
    "ConnectFailed",
    "DeadlinePassed",
    "DeliveryScope",
    "DeliveryUnknown",
    "DialPlan",
    "Endpoint",
    "Event",
    "Filter",
    "FilterField",
    "FlowFailed",
    "FlowKind",
    "FlowPage",
    "FlowReceipt",
    "FlowRecord",
    "FlowSearch",
    "FlowStatus",
    "Forbidden",
    "Gender",
    "HandlerFailed",
    "HandlerSlow",
    "InboundMessage",
    "InsufficientBalance",
    "InvalidCallback",
    "InvalidConfig",
    "InvalidFlow",
    "InvalidSearch",
    "InvalidSource",
    "LedgerError",
    "LoggingObserver",
    "MachineDetection",
    "MachineDetectionStrategy",
    "MessageRecord",
    "MessageStatus",
    "NoResponse",
    "NotFound",
    "NotSent",
    "Observer",
    "OnUnknown",
    "OtpFlow",
    "OtpLanguage",
    "OtpPage",
    "OtpReceipt",
    "OtpRecord",
    "OtpSearch",
    "OtpSmsMessage",
    "OtpSmsStep",
    "OtpStepEcho",
    "OtpStepRecord",
    "OtpTemplate",
    "OtpTemplateId",
    "OtpTemplateType",
    "Outcome",
    "Play",
    "PoolTimeout",
    "Problem",
    "RateLimited",
    "RawFlow",
    "ReceiveResult",
    "Reconciler",
    "Rejected",
    "Response",
    "RetryBudgetExhausted",
    "RetryMode",
    "RetryScheduled",
    "RouteeClient",
    "RouteeError",
    "Say",
    "Search",
    "SearchOperator",
    "Secret",
    "SendResult",
    "SmsMessage",
    "SmsMessageRecord",
    "SmsStep",
    "Speech",
    "StandardFlow",
    "StatusRule",
    "StepEcho",
    "ThrottlePaused",
    "TokenInfo",
    "TokenRenewed",
    "TokenUnavailable",
    "TransactionalFlow",
    "Unauthorized",
    "Unprocessable",
    "UrlShortener",
    "ViberAction",
    "ViberFile",
    "ViberFileType",
    "ViberMessage",
    "ViberMessageRecord",
    "ViberOtpLabel",
    "ViberOtpMessage",
    "ViberOtpReceipt",
    "ViberOtpRecord",
    "ViberOtpStep",
    "ViberOtpType",
    "ViberStep",
    "ViberTemplateStep",
    "ViberVideo",
    "VoiceMessageRecord",
    "VoiceRecipient",
    "VoiceStep",
    "WaitTimeout",
    "Withdrawn",
    "dump_flow",
    "load_flow",
    "parse_callback",
]

_MODULES = (
    "errors",
    "secret",
    "outcomes",
    "events",
    "config",
    "flows",
    "records",
    "_wire",
    "webhooks",
    "reconcile",
    "_search",
    "_send_all",
    "client",
)
"""Modules of the public names, lowest layer first: a program that only catches errors does not load the client."""


def _installed_version() -> str:
    from importlib.metadata import version  # noqa: PLC0415  # costs more than the rest of this module

    return version("routee-failover")


def __getattr__(name: str) -> Any:
    if name == "__version__":
        globals()[name] = _installed_version()
        return globals()[name]
    if name in __all__:
        for submodule in _MODULES:
            module = importlib.import_module(f"{__name__}.{submodule}")
            if hasattr(module, name):
                globals()[name] = getattr(module, name)
                return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), "__version__", *__all__]
