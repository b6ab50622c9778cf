"""The public names: whatever is not listed here may change in any release (docs/CONTRIBUTING.md, Compatibility)."""

import importlib

import pytest

from routee_failover import pytest_plugin

PUBLIC_NAMES = {
    "routee_failover": """
        AnyFlow AnyReceipt AttemptEnded AttemptResult AttemptStarted BadRequest Balance Callback
        CallbackDropped CallbackEvent CallbackInbox CallbackRejected CallbackSigner CallbackStrategy Channel
        CircuitBreakerChanged CircuitOpen ClientClosed Config ConnectFailed DeadlinePassed DeliveryScope
        DeliveryUnknown DialPlan Endpoint Event Filter FilterField FlowFailed FlowKind FlowPage FlowReceipt
        FlowRecord FlowSearch FlowStatus Forbidden Gender HandlerFailed HandlerSlow InboundMessage InsufficientBalance
        InvalidCallback InvalidConfig InvalidFlow InvalidSearch InvalidSource LedgerError LoggingObserver
        MachineDetection MachineDetectionStrategy MessageRecord MessageStatus NoResponse NotFound NotSent
        Observer OnUnknown OtpFlow OtpLanguage OtpPage OtpReceipt OtpRecord OtpSearch OtpSmsMessage OtpSmsStep
        OtpStepEcho OtpStepRecord OtpTemplate OtpTemplateId OtpTemplateType Outcome Play PoolTimeout Problem
        RateLimited RawFlow ReceiveResult Reconciler Rejected Response RetryBudgetExhausted RetryMode RetryScheduled
        RouteeClient RouteeError STATUS_RULES Say Search SearchOperator Secret SendResult SmsMessage
        SmsMessageRecord SmsStep Speech StandardFlow StatusRule StepEcho ThrottlePaused TokenInfo TokenRenewed
        TokenUnavailable TransactionalFlow Unauthorized Unprocessable UrlShortener ViberAction ViberFile
        ViberFileType ViberMessage ViberMessageRecord ViberOtpLabel ViberOtpMessage
        ViberOtpReceipt ViberOtpRecord ViberOtpStep ViberOtpType ViberStep ViberTemplateStep ViberVideo
        VoiceMessageRecord VoiceRecipient VoiceStep WaitTimeout Withdrawn dump_flow load_flow parse_callback
    """,
    "routee_failover.bulk": """
        BulkReconciler BulkSender BulkSettings Correlation DryRunResult ErrorBudget Finding FindingKind
        FlowTemplate InvalidRowsFile Phase Progress ReconcileResult Row RowProblem Rows SendWindow Source
        SuppressionList UnknownPolicy check_rows explain_reconciliation export read_source rows_of
        write_report
    """,
    "routee_failover.ledger": """
        ClaimRequest ClaimResult DeliveryCount DeliveryReport EntryState Ledger LedgerEntry MemoryLedger
        ReadOnlyLedger SqliteLedger StateCounts Transition TransitionDetails
    """,
    "routee_failover.sandbox": """
        AcceptedFlow CallbackAttempt CallbackRecord CallbackScript Inbox InboxTimeout MessageScript
        ResponseScript Sandbox SandboxCounters SandboxError
    """,
    "routee_failover.testing": """
        RouteeMock RouteeMockError SentRequest
    """,
    "routee_failover.webhooks": """
        AnyCallback AsgiReceiver CallbackEvent CallbackInbox CallbackSigner ReceiveResult aiohttp_receiver
        parse_callback
    """,
}


@pytest.mark.parametrize("name", PUBLIC_NAMES)
def test_all_of_a_public_package_lists_exactly_the_public_names(name: str) -> None:
    """A public name is added, renamed or removed only together with this list, and each of them can be imported."""
    package = importlib.import_module(name)
    assert sorted(package.__all__) == PUBLIC_NAMES[name].split()
    assert all(hasattr(package, public) for public in package.__all__)
    assert set(package.__all__) <= set(dir(package))


@pytest.mark.parametrize(
    "name", ["routee_client", "routee_inbox", "routee_mock", "routee_sandbox", "routee_sandbox_settings"]
)
def test_pytest_fixture_keeps_its_public_name(name: str) -> None:
    """Test suites of users name these fixtures."""
    assert hasattr(pytest_plugin, name)
