"""Reconciler of messages that Routee may have accepted: by callback, by search, or by the caller's policy."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import attrs

from ..._send_all import RateLimiter
from ...client import RouteeClient
from ...errors import InvalidConfig, NoResponse, NotSent, Rejected
from ...flows import Endpoint
from ...ledger import EntryState, Ledger, LedgerEntry, Transition, TransitionDetails
from ...ledger.entry import RESOLVED_BY_POLICY, parse_label
from ...records import FlowRecord, OtpRecord
from ...webhooks import CallbackEvent
from .flow_lookup import FlowLookup
from .lookup import Absent, Found, Inconclusive, Lookup, LookupResult, Unlabelled
from .lookup_schedule import LookupSchedule, PendingLookup
from .otp_lookup import OtpLookup
from .policy import ReconcileResult, UnknownPolicy
from .reconcile_after import ReconcileAfter
from .report_fetcher import DeliveryReportFetcher
from .report_mapping import delivery_report_of
from .run_endpoint import ENDPOINT_DOCUMENT_NAME, is_raw
from .search_canary import FoundCanary, SearchCanary

_CanaryResult = FoundCanary | Inconclusive | str
"""The canary that was found, or why there is none: no response (`Inconclusive`), or a reason."""
_BATCH_SIZE = 500
_MAX_CONCURRENT = 8
"""Maximum number of lookups in flight, within their rate limit."""

_MAX_TRANSIT = 30.0
"""Seconds for which a message may still be in transit after its sender has finished with it."""

KEPT_BY_POLICY = "the policy is to keep unknown messages"
NO_VIBER_OTP_LIST = "Routee documents no list of Viber OTPs"
RAW_FLOWS_ARE_NOT_FOUND = "a raw flow carries no label, so that Routee's lists cannot tell it from others"
NOT_FOUND_YET = "not found so far; reconcile_after has not passed"
TOO_MANY_UNKNOWN = "too many are unknown at once; it is looked up once others are resolved"
NO_LATER_CANARY = "the search has found no message that was sent well after it, so twice reconcile_after has to pass"


class BulkReconciler:
    """Reconciler of the messages of a run whose state is UNKNOWN.

        reconciler = BulkReconciler(routee, ledger, endpoint=Endpoint.STANDARD)
        result = await reconciler.reconcile()

    **Found is accepted.** The label of an entry is unique, so that a flow with it in Routee's lists, or a callback to
    the URL that was signed for it, proves that Routee accepted it. For flows that show no label, see
    `explain_reconciliation(endpoint)`. Raw flows are not searched for, because nothing in them is known.

    **Not found is absent only if all of this holds**, because a message may be sent twice where a single point fails:

    - Its sender has finished with it: it is UNKNOWN, its lease has expired, and the sender's last check before the
      first byte lets none be sent after that.
    - `reconcile_after` has passed by this process's monotonic clock since this process first saw it with its lease
      expired. Setting the machine's clock does not shorten that; a restart begins it again. By then, what was in
      transit has reached Routee and is visible.
    - The list was read to its end. An error, a rejection or an inconsistent page proves nothing.
    - Before the list was read, the same kind of search found a canary: a message of this run whose acceptance a
      response or a callback has proven. So the account is right, the role is there, the time range fits whatever the
      clocks say, and labels are returned. A canary that was claimed once nothing of the unknown message can be in
      transit any more (half a minute after its sender finished with it, or a quarter of `reconcile_after` if that is
      less) proves that the search has progressed past it, however far it lags. Without such a canary, twice
      `reconcile_after` has to pass, since it alone must then exceed the lag.
    - It is still the same attempt when the transition is applied: the result of one attempt proves nothing about the
      next.

    A message that lacks one of them stays UNKNOWN, with the reason in `ReconcileResult.unknown_by_reason`. This relies
    on two facts: Routee's lists show flows in about the order in which it accepted them, and a message does not arrive
    later than half a minute after its connection is gone. `tests/ledger/state_machine` explores every order of steps in
    which it could go wrong.

    By default `reconcile_after` follows the time to live of the ledger's messages: that and a minute, from 2 minutes to
    10. With a `deadline`, a message that may be sent again becomes EXPIRED instead, once that time has passed since its
    attempt began.

    `reconcile` may be called at any time; `ReconcileResult.next_due_in` says when it is useful. Lookups are limited to
    `rate` per second, by default `Config.poll_rate`. Memory is bounded.
    """

    def __init__(
        self,
        routee: RouteeClient,
        ledger: Ledger,
        *,
        endpoint: Endpoint | str,
        on_unknown: UnknownPolicy | str = UnknownPolicy.RECONCILE,
        reconcile_after: timedelta | None = None,
        deadline: timedelta | None = None,
        rate: float | None = None,
    ) -> None:
        if reconcile_after is not None and (
            not isinstance(reconcile_after, timedelta) or reconcile_after <= timedelta(0)
        ):
            raise InvalidConfig("reconcile_after must be a timedelta above zero, such as timedelta(minutes=10)")
        self._ledger = ledger
        self._policy = UnknownPolicy(on_unknown)
        self._deadline = deadline
        self._lookup = _lookup(routee, ledger, Endpoint(endpoint))
        self._no_search_reason = NO_VIBER_OTP_LIST
        self._reports = DeliveryReportFetcher(routee, ledger, Endpoint(endpoint), self._wait_for_slot)
        self._reconcile_after = ReconcileAfter(ledger, reconcile_after)
        self._schedule = LookupSchedule(self._reconcile_after)
        self._rate_limiter = RateLimiter(1 / (routee.config.poll_rate if rate is None else rate))
        self._rate_lock = asyncio.Lock()
        self._canary = (
            None
            if self._lookup is None
            else SearchCanary(ledger, self._lookup, self._reconcile_after, self._wait_for_slot)
        )
        self._reconcile_lock, self._collect_lock = asyncio.Lock(), asyncio.Lock()

    async def reconcile(self) -> ReconcileResult:
        """Reconcile all unknown messages once.

        Raises only `LedgerError`: without a response a message stays unknown.
        """
        async with self._reconcile_lock:
            await self._reconcile_after.update()
            if is_raw(await self._ledger.get_document(ENDPOINT_DOCUMENT_NAME)):
                self._disable_search(RAW_FLOWS_ARE_NOT_FOUND)
            await self._ledger.expire_leases()
            self._schedule.start_round()
            round_ = _Round()
            due: list[tuple[LedgerEntry, PendingLookup]] = []
            async for entry in self._ledger.entries({EntryState.UNKNOWN}):
                pending = self._schedule_lookup(entry, round_)
                if pending is None:
                    continue
                due.append((entry, pending))
                if len(due) >= _BATCH_SIZE:
                    await self._look_up(due, round_)
                    due = []
            await self._look_up(due, round_)
            return round_.result(self._schedule.finish_round())

    def _disable_search(self, reason: str) -> None:
        self._lookup = self._canary = None
        self._no_search_reason = reason

    def _schedule_lookup(self, entry: LedgerEntry, round_: "_Round") -> PendingLookup | None:
        """Return the pending lookup of a message that is due; count the others."""
        if self._policy is UnknownPolicy.KEEP:
            round_.unknown_by_reason[KEPT_BY_POLICY] += 1
            return None
        pending = self._schedule.schedule(entry, self._ledger.now())
        if pending is None:
            round_.unknown_by_reason[TOO_MANY_UNKNOWN] += 1
            return None
        if self._schedule.is_due(pending) or (self._schedule.is_exhausted(pending) and self._may_resend(entry)):
            return pending
        round_.unknown_by_reason[pending.reason or NOT_FOUND_YET] += 1
        return None

    async def _look_up(self, due: Sequence[tuple[LedgerEntry, PendingLookup]], round_: "_Round") -> None:
        if not due:
            return
        # 1. Probe the canary, before the lookups that rely on it.
        canary = await self._probe_canary(due)
        # 2. Look up the messages.
        semaphore = asyncio.Semaphore(_MAX_CONCURRENT)

        async def attempt_lookup(entry: LedgerEntry, pending: PendingLookup) -> _LookupAttempt:
            async with semaphore:
                age, looked_up_at = self._schedule.age(pending), self._ledger.now()
                result = None if self._schedule.is_exhausted(pending) else await self._look_up_one(entry, canary)
                return _LookupAttempt(entry, pending, age, looked_up_at, result)

        lookups = await asyncio.gather(*(attempt_lookup(entry, pending) for entry, pending in due))
        # 3. Resolve the flows without a label, and apply the results.
        unlabelled = [(lookup.entry, lookup.result) for lookup in lookups if isinstance(lookup.result, Unlabelled)]
        resolved = await self._lookup.resolve_unlabelled(unlabelled) if unlabelled and self._lookup is not None else {}
        # Concurrently, so that the ledger writes their transitions in one batch.
        await asyncio.gather(
            *(self._apply(lookup, resolved.get(lookup.entry.number), canary, round_) for lookup in lookups)
        )

    async def _probe_canary(self, due: Sequence[tuple[LedgerEntry, PendingLookup]]) -> _CanaryResult:
        """Probe the canary if the absence of any of these could be proven; it precedes the lookups that rely on it."""
        scheduled = [pending for _, pending in due if not self._schedule.is_exhausted(pending)]
        if self._canary is None or not any(self._schedule.age(pending) >= 1 for pending in scheduled):
            return NOT_FOUND_YET
        try:
            return await self._canary.probe()
        except (NoResponse, NotSent, Rejected) as error:
            return Inconclusive(_describe(error), has_response=False)

    async def _apply(
        self, lookup: "_LookupAttempt", resolved: LookupResult | None, canary: _CanaryResult, round_: "_Round"
    ) -> None:
        entry, pending, result = lookup.entry, lookup.pending, resolved or lookup.result
        lease_left = entry.lease_expires_at - lookup.looked_up_at
        if isinstance(result, Found):
            await self._accept(entry, result, round_)
            return
        if isinstance(result, Absent) and isinstance(canary, Inconclusive):
            result = canary
        if isinstance(result, Absent) and not isinstance(canary, Inconclusive):
            max_transit = min(_MAX_TRANSIT, self._reconcile_after.seconds / 4)
            reason = _reason_not_absent(entry, lookup.age, canary, max_transit)
            if reason is None and lease_left <= 0:
                await self._confirm_absent(entry, round_)
                return
            self._schedule.record_lookup(pending, reason or NOT_FOUND_YET)
        elif isinstance(result, Inconclusive) and not result.has_response:
            self._schedule.record_no_response(pending, result.reason)
        elif isinstance(result, Inconclusive):
            self._schedule.record_lookup(pending, result.reason, retryable=result.retryable)
        if self._schedule.is_exhausted(pending) and self._may_resend(entry):
            # Even if the search finds nothing, a callback may still arrive.
            wait = max(lease_left, (1 - lookup.age) * self._reconcile_after.seconds)
            if wait <= 0:
                await self._resend(entry, round_)
                return
            round_.due.append(wait)
        round_.unknown_by_reason[pending.reason] += 1

    async def _look_up_one(self, entry: LedgerEntry, canary: _CanaryResult) -> LookupResult | Unlabelled:
        if self._lookup is None:
            return Inconclusive(self._no_search_reason, retryable=False)
        since = min(entry.claimed_at, canary.claimed_at) if isinstance(canary, FoundCanary) else entry.claimed_at
        await self._wait_for_slot()
        try:
            return await self._lookup.find(entry, since)
        except (NoResponse, NotSent, Rejected) as error:
            return Inconclusive(_describe(error), has_response=False)

    async def _wait_for_slot(self) -> None:
        async with self._rate_lock:
            await self._rate_limiter.acquire()

    def _may_resend(self, entry: LedgerEntry) -> bool:
        """Return whether a message may be resent: at most once, and only with unchanged content."""
        return (
            self._policy is UnknownPolicy.RESEND
            and entry.attempt <= 1
            and entry.resolved_by != RESOLVED_BY_POLICY
            and not self._is_late(entry)
        )

    # --- transitions

    async def _accept(self, entry: LedgerEntry, found: Found, round_: "_Round") -> None:
        details = TransitionDetails(
            entry.number, entry.attempt, tracking_id=found.tracking_id, channel=found.channel, resolved_by="search"
        )
        round_.accepted += await self._ledger.apply(Transition.ACCEPT, details)
        self._record_delivery_report(entry.number, found.record)

    async def _confirm_absent(self, entry: LedgerEntry, round_: "_Round") -> None:
        reason, transition = (
            "a complete search did not find it, and found others of this run",
            Transition.CONFIRM_ABSENT,
        )
        if self._is_late(entry):
            reason, transition = "it was not accepted, and its deadline passed before that was known", Transition.EXPIRE
        details = TransitionDetails(entry.number, entry.attempt, reason, resolved_by="search")
        round_.absent += await self._ledger.apply(transition, details) and transition is Transition.CONFIRM_ABSENT

    def _is_late(self, entry: LedgerEntry) -> bool:
        """Return whether the deadline of a message has passed."""
        elapsed = self._ledger.now() - entry.claimed_at
        return self._deadline is not None and elapsed > self._deadline.total_seconds()

    async def _resend(self, entry: LedgerEntry, round_: "_Round") -> None:
        reason = "it cannot be known whether it was accepted; it is resent once, by policy"
        round_.to_resend += await self._ledger.apply(
            Transition.RESEND, TransitionDetails(entry.number, entry.attempt, reason, resolved_by=RESOLVED_BY_POLICY)
        )

    def _record_delivery_report(self, number: int, record: FlowRecord | OtpRecord | None) -> None:
        report = None if record is None else delivery_report_of(number, record)
        if report is not None:
            self._ledger.record_delivery_report(report)

    async def collect_delivery_reports(self) -> int:
        """Fetch the missing delivery reports of accepted messages, and record them in the ledger.

        Returns how many are still in progress, or unreported. Raises only `LedgerError`.
        """
        async with self._collect_lock:
            return await self._reports.collect()

    # --- callbacks

    async def handle_callback(self, event: CallbackEvent[Any]) -> None:
        """Handle a callback: `inbox.on_flow(reconciler.handle_callback)`, `inbox.on_otp(reconciler.handle_callback)`.

        A callback to a URL that was signed for a message of this run proves that Routee accepted that message, and a
        final one is its delivery report. Any other is ignored.
        """
        record = event.record
        key_hash = None if event.reference is None else parse_label(event.reference, self._ledger.run_id)
        if key_hash is None or not isinstance(record, FlowRecord | OtpRecord):
            return
        entry = await self._ledger.entry(key_hash)
        if entry is None:
            return
        if entry.state is not EntryState.ACCEPTED:
            details = TransitionDetails(
                entry.number,
                entry.attempt,
                tracking_id=event.tracking_id,
                channel=_first_channel(record),
                resolved_by="callback",
            )
            await self._ledger.apply(Transition.ACCEPT, details)
        self._record_delivery_report(entry.number, record)


@attrs.frozen
class _LookupAttempt:
    """One lookup, and the state of its message when it began."""

    entry: LedgerEntry
    pending: PendingLookup
    age: float
    """How long the message had been tracked, in multiples of `reconcile_after`."""
    looked_up_at: float
    """By the ledger's clock."""
    result: LookupResult | Unlabelled | None


class _Round:
    """Round of a reconciliation: its results so far."""

    def __init__(self) -> None:
        self.accepted = self.absent = self.to_resend = 0
        self.unknown_by_reason: Counter[str] = Counter()
        self.due: list[float] = []
        """Seconds until something other than a lookup is due."""

    def result(self, next_lookup_in: float | None) -> ReconcileResult:
        due = self.due if next_lookup_in is None else [*self.due, next_lookup_in]
        next_due_in = min(due) if due else None
        return ReconcileResult(
            accepted=self.accepted,
            absent=self.absent,
            to_resend=self.to_resend,
            unknown_by_reason=dict(self.unknown_by_reason),
            next_due_in=next_due_in,
        )


def _lookup(routee: RouteeClient, ledger: Ledger, endpoint: Endpoint) -> Lookup | None:
    match endpoint:
        case Endpoint.STANDARD | Endpoint.TRANSACTIONAL:
            return FlowLookup(routee, ledger, endpoint)
        case Endpoint.OTP:
            return OtpLookup(routee, ledger)
        case _:
            return None


def _reason_not_absent(entry: LedgerEntry, age: float, canary: FoundCanary | str, max_transit: float) -> str | None:
    """Return why a message that a complete list lacks may still have been accepted."""
    if age < 1:
        return NOT_FOUND_YET
    if isinstance(canary, str):
        return canary
    sender_finished_at = entry.lease_expires_at if entry.ended_at is None else entry.ended_at
    return NO_LATER_CANARY if canary.claimed_at < sender_finished_at + max_transit and age < 2 else None


def _first_channel(record: FlowRecord | OtpRecord) -> str | None:
    if isinstance(record, OtpRecord):
        return None if record.primary is None else record.primary.channel
    return next((message.channel for message in record.messages if message.channel is not None), None)


def _describe(error: NoResponse | NotSent | Rejected) -> str:
    if isinstance(error, Rejected):
        return f"Routee rejected the search with {error.status}"
    return f"the search got no response ({type(error).__name__})"
