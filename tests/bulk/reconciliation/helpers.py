"""Runs against the sandbox, step by step: a message is claimed, sent, and its outcome recorded.

Faults are the sandbox's.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import attrs

from routee_failover import (
    AnyFlow,
    Callback,
    DeliveryUnknown,
    DialPlan,
    FlowReceipt,
    OtpFlow,
    OtpReceipt,
    OtpSmsStep,
    RouteeClient,
    Say,
    SmsMessage,
    SmsStep,
    Speech,
    StandardFlow,
    TransactionalFlow,
    ViberOtpMessage,
    ViberOtpStep,
    ViberStep,
    ViberTemplateStep,
    VoiceStep,
)
from routee_failover.bulk.reconciliation import BulkReconciler
from routee_failover.ledger import (
    ClaimRequest,
    ClaimResult,
    EntryState,
    Ledger,
    LedgerEntry,
    MemoryLedger,
    Transition,
    TransitionDetails,
)
from routee_failover.ledger.entry import build_label, hash_key
from routee_failover.sandbox import Sandbox

SENDER = "aaaaaaaa-0000-4000-8000-000000000001"
BASIC = "0aac888f-2ee2-4112-9659-1755a951966a"
MINUTE = timedelta(minutes=1)
RECONCILE_AFTER = timedelta(seconds=0.04)
ADA, BEN, CAT, DAN = (f"+30690000100{number}" for number in range(4))


def viber_first(to: str, label: str | None, url: str | None = None) -> StandardFlow:
    """Return a standard flow: Viber, then SMS."""
    return StandardFlow(
        steps=[
            ViberStep(sender_info_tracking_id=SENDER, to=to, message="Hello", label=label),
            SmsStep(from_="Demo", to=to, message=SmsMessage(body="Hello", label=label)),
        ],
        callback=None if url is None else Callback(url=url, strategy="OnStep"),
    )


def call_first(to: str, label: str | None, _url: str | None = None) -> StandardFlow:
    """Return a standard flow that begins with a call, which has no label."""
    plan = DialPlan(verbs=[Say(message=Speech(text="Hello", language="en-US"))])
    return StandardFlow(steps=[VoiceStep(from_="Demo", to=to, dial_plan=plan), *viber_first(to, label).steps])


def transactional(to: str, label: str | None, _url: str | None = None) -> TransactionalFlow:
    """Return a transactional flow: Viber, which takes no label, then SMS."""
    return TransactionalFlow(
        steps=[
            ViberTemplateStep(
                sender_info_tracking_id=SENDER,
                to=to,
                template_id="bbbbbbbb-0000-4000-8000-000000000002",
                template_lang="en",
                ttl=MINUTE,
            ),
            SmsStep(from_="Demo", to=to, message=SmsMessage(body="Hello", label=label)),
        ]
    )


def otp(to: str, label: str | None, url: str | None = None) -> OtpFlow:
    """Return a failover OTP flow: Viber, then SMS."""
    return OtpFlow(
        steps=[
            ViberOtpStep(to=to, sender_info_tracking_id=SENDER, template_id=BASIC, pin="4711", ttl=MINUTE, label=label),
            OtpSmsStep(to=to, message="Your code is 4711", ttl=MINUTE, label=label),
        ],
        callback=None if url is None else Callback(url=url),
    )


def viber_otp(to: str, _label: str | None, _url: str | None = None) -> ViberOtpMessage:
    """Return a Viber OTP."""
    return ViberOtpMessage(sender_info_tracking_id=SENDER, to=to, template_id=BASIC, template_params={"pin": "4711"})


@attrs.define
class ManualClock:
    """A monotonic clock that is advanced manually."""

    now: float = 1000.0

    def monotonic(self) -> float:
        """Return the time."""
        return self.now

    def advance(self, periods: float) -> None:
        """Advance the clock by multiples of `RECONCILE_AFTER`."""
        self.now += periods * RECONCILE_AFTER.total_seconds()


@attrs.define
class Run:
    """A run: a sandbox, a client of it, and a ledger."""

    sandbox: Sandbox
    routee: RouteeClient
    ledger: Ledger
    make_flow: Any

    def reconciler(self, **settings: Any) -> BulkReconciler:
        """Return a reconciler with a short `reconcile_after`."""
        endpoint = self.make_flow(ADA, "label").endpoint
        return BulkReconciler(
            self.routee, self.ledger, **{"endpoint": endpoint, "reconcile_after": RECONCILE_AFTER, **settings}
        )

    async def claim(self, to: str, key: str | None = None, *, lease: float = 0.0) -> ClaimResult:
        """Claim a message."""
        key = to if key is None else key
        (found,) = await self.ledger.claim([ClaimRequest(hash_key(key), key, to, 1)], lease=lease)
        return found

    async def send(
        self,
        to: str,
        key: str | None = None,
        *,
        fault: Any = None,
        make_flow: Any = None,
        label: Any = build_label,
        url: str | None = None,
        lease: float = 0.0,
    ) -> LedgerEntry:
        """Claim a message and send it.

        With a fault it becomes UNKNOWN, and with a lease it stays SENDING, as after a kill.
        """
        found = await self.claim(to, key, lease=lease)
        key_hash = hash_key(to if key is None else key)
        flow: AnyFlow = (make_flow or self.make_flow)(to, label(self.ledger.run_id, key_hash), url)
        if fault is not None:
            self.sandbox.script(fault=fault, times=1)
        try:
            receipt = await self.routee.send(flow)
        except DeliveryUnknown as error:
            if not lease:
                self.ledger.record(
                    Transition.MARK_UNKNOWN, TransitionDetails(found.number, found.attempt, error.reason)
                )
        else:
            match receipt:
                case FlowReceipt(tracking_id=tracking_id) | OtpReceipt(flow_id=tracking_id):
                    pass
                case _:
                    tracking_id = receipt.tracking_id
            self.ledger.record(
                Transition.ACCEPT, TransitionDetails(found.number, found.attempt, tracking_id=tracking_id)
            )
        return await self.entry(to, key)

    async def entry(self, to: str, key: str | None = None) -> LedgerEntry:
        """Return the ledger entry of a message."""
        entry = await self.ledger.entry(hash_key(to if key is None else key))
        assert entry is not None
        return entry

    def set_clock_forward(self, seconds: float) -> None:
        """Set the ledger's clock forward."""
        original_now = self.ledger.now
        setattr(self.ledger, "now", lambda: original_now() + seconds)  # noqa: B010  # a method is not assigned to

    async def state(self, to: str, key: str | None = None) -> EntryState:
        """Return the state of a message."""
        return (await self.entry(to, key)).state


@asynccontextmanager
async def sandbox_run(make_flow: Any = viber_first, **settings: Any) -> AsyncIterator[Run]:
    """Yield a run with an empty ledger. Time passes fast: a flow shows its first message soon after it was accepted."""
    async with (
        Sandbox(**{"speed": 5000, **settings}) as sandbox,
        RouteeClient(sandbox.config(circuit_breaker=False, poll_rate=1000)) as routee,
        MemoryLedger() as ledger,
    ):
        yield Run(sandbox, routee, ledger, make_flow)


async def reconcile_until_done(reconciler: BulkReconciler) -> Any:
    """Reconcile until no lookup is left, and return the total result."""
    accepted = absent = to_resend = 0
    while True:
        result = await reconciler.reconcile()
        accepted, absent, to_resend = accepted + result.accepted, absent + result.absent, to_resend + result.to_resend
        if result.next_due_in is None:
            return attrs.evolve(result, accepted=accepted, absent=absent, to_resend=to_resend)
        await asyncio.sleep(result.next_due_in)
