"""A run against the sandbox as a sender would make it: claimed, sent, its outcome kept. Faults are the sandbox's."""

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
SETTLE = timedelta(seconds=0.04)
ADA, BEN, CAT, DAN = (f"+30690000100{number}" for number in range(4))


def viber_first(to: str, label: str | None, url: str | None = None) -> StandardFlow:
    """A standard flow: Viber, then SMS."""
    return StandardFlow(
        steps=[
            ViberStep(sender_info_tracking_id=SENDER, to=to, message="Hello", label=label),
            SmsStep(from_="Demo", to=to, message=SmsMessage(body="Hello", label=label)),
        ],
        callback=None if url is None else Callback(url=url, strategy="OnStep"),
    )


def call_first(to: str, label: str | None, _url: str | None = None) -> StandardFlow:
    """A standard flow that begins with a call, which has no label."""
    plan = DialPlan(verbs=[Say(message=Speech(text="Hello", language="en-US"))])
    return StandardFlow(steps=[VoiceStep(from_="Demo", to=to, dial_plan=plan), *viber_first(to, label).steps])


def template(to: str, label: str | None, _url: str | None = None) -> TransactionalFlow:
    """A transactional flow: Viber, which takes no label, then SMS."""
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
    """A failover OTP flow: Viber, then SMS."""
    return OtpFlow(
        steps=[
            ViberOtpStep(to=to, sender_info_tracking_id=SENDER, template_id=BASIC, pin="4711", ttl=MINUTE, label=label),
            OtpSmsStep(to=to, message="Your code is 4711", ttl=MINUTE, label=label),
        ],
        callback=None if url is None else Callback(url=url),
    )


def viber_otp(to: str, _label: str | None, _url: str | None = None) -> ViberOtpMessage:
    """A Viber OTP."""
    return ViberOtpMessage(sender_info_tracking_id=SENDER, to=to, template_id=BASIC, template_params={"pin": "4711"})


@attrs.define
class ManualClock:
    """A clock of this process that goes by hand."""

    now: float = 1000.0

    def monotonic(self) -> float:
        """The time."""
        return self.now

    def advance(self, how_many: float) -> None:
        """Let so much time pass."""
        self.now += how_many * SETTLE.total_seconds()


@attrs.define
class Run:
    """A run: a sandbox, a client that asks it, and a ledger."""

    sandbox: Sandbox
    routee: RouteeClient
    ledger: Ledger
    make: Any

    def reconciler(self, **settings: Any) -> BulkReconciler:
        """A settler that need not wait long."""
        endpoint = self.make(ADA, "label").endpoint
        return BulkReconciler(self.routee, self.ledger, **{"endpoint": endpoint, "reconcile_after": SETTLE, **settings})

    async def claim(self, to: str, key: str | None = None, *, lease: float = 0.0) -> ClaimResult:
        """Write down that a message is to be sent."""
        key = to if key is None else key
        (found,) = await self.ledger.claim([ClaimRequest(hash_key(key), key, to, 1)], lease=lease)
        return found

    async def send(
        self,
        to: str,
        key: str | None = None,
        *,
        fault: Any = None,
        make: Any = None,
        label: Any = build_label,
        url: str | None = None,
        lease: float = 0.0,
    ) -> LedgerEntry:
        """Claim a message and send it; with a fault it ends in doubt, and with a lease its sender is gone then."""
        found = await self.claim(to, key, lease=lease)
        tag = hash_key(to if key is None else key)
        flow: AnyFlow = (make or self.make)(to, label(self.ledger.run_id, tag), url)
        if fault is not None:
            self.sandbox.script(fault=fault, times=1)
        try:
            receipt = await self.routee.send(flow)
        except DeliveryUnknown as doubt:
            if not lease:
                self.ledger.record(
                    Transition.MARK_UNKNOWN, TransitionDetails(found.number, found.attempt, doubt.reason)
                )
        else:
            match receipt:
                case FlowReceipt(tracking_id=identity) | OtpReceipt(flow_id=identity):
                    pass
                case _:
                    identity = receipt.tracking_id
            self.ledger.record(Transition.ACCEPT, TransitionDetails(found.number, found.attempt, tracking_id=identity))
        return await self.intent(to, key)

    async def intent(self, to: str, key: str | None = None) -> LedgerEntry:
        """How a message stands in the ledger."""
        intent = await self.ledger.entry(hash_key(to if key is None else key))
        assert intent is not None
        return intent

    def set_clock_forward(self, seconds: float) -> None:
        """Have the ledger's clock jump."""
        steady = self.ledger.now
        setattr(self.ledger, "now", lambda: steady() + seconds)  # noqa: B010  # a method is not assigned to

    async def state(self, to: str, key: str | None = None) -> EntryState:
        """The state of a message."""
        return (await self.intent(to, key)).state


@asynccontextmanager
async def sandbox_run(make: Any = viber_first, **settings: Any) -> AsyncIterator[Run]:
    """A run with an empty ledger. Time passes fast: a flow shows its first message a moment after it was accepted."""
    async with (
        Sandbox(**{"speed": 5000, **settings}) as sandbox,
        RouteeClient(sandbox.config(circuit_breaker=False, poll_rate=1000)) as routee,
        MemoryLedger() as ledger,
    ):
        yield Run(sandbox, routee, ledger, make)


async def reconcile_until_done(settler: BulkReconciler) -> Any:
    """Settle until asking settles no more, and give what it came to in all."""
    accepted = absent = again = 0
    while True:
        settled = await settler.reconcile()
        accepted, absent, again = accepted + settled.accepted, absent + settled.absent, again + settled.to_resend
        if settled.next_due_in is None:
            return attrs.evolve(settled, accepted=accepted, absent=absent, to_resend=again)
        await asyncio.sleep(settled.next_due_in)
