"""What became of the messages that Routee may have accepted: by callback, by search, or by the caller's policy."""

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
from .delivery_report import delivery_report_of
from .flow_lookup import FlowLookup
from .lookup import Absent, Found, Inconclusive, Lookup, LookupResult, Unlabelled
from .lookup_schedule import LookupSchedule, PendingLookup
from .otp_lookup import OtpLookup
from .policy import ReconcileResult, UnknownPolicy
from .reconcile_after import ReconcileAfter
from .report_collector import DeliveryReportCollector
from .search_canary import FoundCanary, SearchCanary

_AnyControl = FoundCanary | Inconclusive | str
"""A control, or why there is none: nobody answered, or in words."""
_BATCH = 500
_MAX_CONCURRENT = 8
"""How many questions may be under way, as far as their rate lets them."""

_MAX_TRANSIT = 30.0
"""Seconds for which a message may be on its way after its sender was through with it."""

KEPT_BY_POLICY = "the run keeps its doubts, as it was told to"
NO_VIBER_OTP_LIST = "Routee documents no list of Viber OTPs"
NOT_FOUND_YET = "not found so far; its time to settle is not over"
TOO_MANY_UNKNOWN = "too many are in doubt at once; it is looked for once others are settled"
NO_LATER_CANARY = "no message that was begun well after it is found, so that the time to settle counts twice"


class BulkReconciler:
    """Settles the doubts of a run: messages whose intent is UNKNOWN.

        settler = Reconciler(routee, ledger, endpoint=Endpoint.STANDARD)
        settled = await settler.settle()

    **Found is accepted.** The label of an intent is its own, so that a flow with it in Routee's lists, or a callback to
    the address that was signed for it, proves that Routee took it. Where no label is shown, see `proves(endpoint)`.

    **Not found is absent only if all of this holds**, because each point alone is how a message gets sent twice:

    - Its sender is through with it: it is UNKNOWN, its lease is over, and its last gate lets no byte leave after that.
    - It has had time to settle: since this process saw it first with its lease over, `reconcile_after` has passed by this
      process's own time. Setting the clock of the machine does not shorten that; starting anew lengthens it. In this
      time what was on its way to Routee has arrived, and shows.
    - The list was read to its end. An error, a refusal, a page that makes no sense: nothing is proven.
    - Before it was read, the same kind of search found a control: a message of this run that Routee accepted by its own
      answer or by callback. So it is the right account, the role is there, the time range fits whatever the clocks
      say, labels come back. A control that was begun once nothing of the doubtful message can be on its way any more
      (half a minute after its sender was through with it, or a quarter of `reconcile_after` if that is less) shows that
      the search has come past it, however far it lags. Where there is none, the time to settle counts twice, since it
      alone has to be longer than the lag.
    - It is still the same attempt when the move is made: what was learned of one says nothing of the next.

    Whatever lacks one of them stays UNKNOWN, with the reason in `Settled.kept`. What this rests on: Routee's lists show
    flows in about the order in which it took them, and a message does not arrive later than that half minute after
    its connection is gone. `tests/ledger/state_machine` goes through every order of steps in which it could go wrong.

    `reconcile_after` follows the time to live of the ledger's messages if it is omitted: that and a minute, from 2 minutes
    to 10. With a `deadline` what may be sent again is EXPIRED instead, once that long has passed since its attempt
    began.

    `settle` may be called as often as one likes; `Settled.next_due` says when it makes sense. Questions are asked at
    most `rate` times a second, `Config.poll_rate` if it is omitted. Memory is bounded.
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
        self._reports = DeliveryReportCollector(routee, ledger, Endpoint(endpoint), self._wait_for_slot)
        self._reconcile_after = ReconcileAfter(ledger, reconcile_after)
        self._schedule = LookupSchedule(self._reconcile_after)
        self._rate_limiter = RateLimiter(1 / (routee.config.poll_rate if rate is None else rate))
        self._pacing = asyncio.Lock()
        self._canary = (
            None
            if self._lookup is None
            else SearchCanary(ledger, self._lookup, self._reconcile_after, self._wait_for_slot)
        )
        self._settling, self._asking = asyncio.Lock(), asyncio.Lock()

    async def reconcile(self) -> ReconcileResult:
        """Go through all doubts once. Raises `LedgerError` alone: what Routee does not answer is in doubt still."""
        async with self._settling:
            await self._reconcile_after.update()
            await self._ledger.expire_leases()
            self._schedule.start_round()
            round_ = _Round()
            due: list[tuple[LedgerEntry, PendingLookup]] = []
            async for intent in self._ledger.entries({EntryState.UNKNOWN}):
                watched = self._schedule_lookup(intent, round_)
                if watched is None:
                    continue
                due.append((intent, watched))
                if len(due) >= _BATCH:
                    await self._look_up(due, round_)
                    due = []
            await self._look_up(due, round_)
            return round_.result(self._schedule.finish_round())

    def _schedule_lookup(self, intent: LedgerEntry, round_: "_Round") -> PendingLookup | None:
        """The watch over a doubt that is due; the others are counted."""
        if self._policy is UnknownPolicy.KEEP:
            round_.kept[KEPT_BY_POLICY] += 1
            return None
        watched = self._schedule.schedule(intent, self._ledger.now())
        if watched is None:
            round_.kept[TOO_MANY_UNKNOWN] += 1
            return None
        if self._schedule.is_due(watched) or (self._schedule.is_exhausted(watched) and self._may_resend(intent)):
            return watched
        round_.kept[watched.reason or NOT_FOUND_YET] += 1
        return None

    async def _look_up(self, due: Sequence[tuple[LedgerEntry, PendingLookup]], round_: "_Round") -> None:
        if not due:
            return
        control = await self._probe_canary(due)
        gate = asyncio.Semaphore(_MAX_CONCURRENT)

        async def one(intent: LedgerEntry, watched: PendingLookup) -> _LookupAttempt:
            async with gate:
                age, at = self._schedule.age(watched), self._ledger.now()
                sight = None if self._schedule.is_exhausted(watched) else await self._look_up_one(intent, control)
                return _LookupAttempt(intent, watched, age, at, sight)

        looks = await asyncio.gather(*(one(intent, watched) for intent, watched in due))
        unclear = [(look.intent, look.sight) for look in looks if isinstance(look.sight, Unlabelled)]
        judged = await self._lookup.resolve_unlabelled(unclear) if unclear and self._lookup is not None else {}
        # Side by side, so that the ledger writes their moves together.
        await asyncio.gather(*(self._apply(look, judged.get(look.intent.number), control, round_) for look in looks))

    async def _probe_canary(self, due: Sequence[tuple[LedgerEntry, PendingLookup]]) -> _AnyControl:
        """The control, where absence could be proven of any of these; it comes before the looks that rest on it."""
        looked_for = [watched for _, watched in due if not self._schedule.is_exhausted(watched)]
        if self._canary is None or not any(self._schedule.age(watched) >= 1 for watched in looked_for):
            return NOT_FOUND_YET
        try:
            return await self._canary.probe()
        except (NoResponse, NotSent, Rejected) as error:
            return Inconclusive(_describe(error), answered=False)

    async def _apply(
        self, look: "_LookupAttempt", judged: LookupResult | None, control: _AnyControl, round_: "_Round"
    ) -> None:
        intent, watched, sight = look.intent, look.watched, judged or look.sight
        lease = intent.lease_expires_at - look.at
        if isinstance(sight, Found):
            await self._accept(intent, sight, round_)
            return
        if isinstance(sight, Absent) and isinstance(control, Inconclusive):
            sight = control
        if isinstance(sight, Absent) and not isinstance(control, Inconclusive):
            on_its_way = min(_MAX_TRANSIT, self._reconcile_after.seconds / 4)
            why = _why_not_absent(intent, look.age, control, on_its_way)
            if why is None and lease <= 0:
                await self._confirm_absent(intent, round_)
                return
            self._schedule.record_lookup(watched, why or NOT_FOUND_YET)
        elif isinstance(sight, Inconclusive) and not sight.answered:
            self._schedule.record_no_response(watched, sight.reason)
        elif isinstance(sight, Inconclusive):
            self._schedule.record_lookup(watched, sight.reason, retryable=sight.retryable)
        if self._schedule.is_exhausted(watched) and self._may_resend(intent):
            # A callback may be on its way, also where a search shows nothing.
            wait = max(lease, (1 - look.age) * self._reconcile_after.seconds)
            if wait <= 0:
                await self._resend(intent, round_)
                return
            round_.due.append(wait)
        round_.kept[watched.reason] += 1

    async def _look_up_one(self, intent: LedgerEntry, control: _AnyControl) -> LookupResult | Unlabelled:
        if self._lookup is None:
            return Inconclusive(NO_VIBER_OTP_LIST, retryable=False)
        since = min(intent.claimed_at, control.claimed_at) if isinstance(control, FoundCanary) else intent.claimed_at
        await self._wait_for_slot()
        try:
            return await self._lookup.find(intent, since)
        except (NoResponse, NotSent, Rejected) as error:
            return Inconclusive(_describe(error), answered=False)

    async def _wait_for_slot(self) -> None:
        async with self._pacing:
            await self._rate_limiter.acquire()

    def _may_resend(self, intent: LedgerEntry) -> bool:
        """At most once: not what was claimed twice, nor what the sender gave back because its content has changed."""
        return (
            self._policy is UnknownPolicy.RESEND
            and intent.attempt <= 1
            and intent.resolved_by != RESOLVED_BY_POLICY
            and not self._is_late(intent)
        )

    # --- the moves

    async def _accept(self, intent: LedgerEntry, seen: Found, round_: "_Round") -> None:
        ending = TransitionDetails(
            intent.number, intent.attempt, tracking_id=seen.tracking_id, channel=seen.channel, resolved_by="search"
        )
        round_.accepted += await self._ledger.apply(Transition.ACCEPT, ending)
        self._record_delivery_report(intent.number, seen.record)

    async def _confirm_absent(self, intent: LedgerEntry, round_: "_Round") -> None:
        reason, move = "a complete search did not find it, and found others of this run", Transition.CONFIRM_ABSENT
        if self._is_late(intent):
            reason, move = "it was not taken, and its deadline passed before that was known", Transition.EXPIRE
        ending = TransitionDetails(intent.number, intent.attempt, reason, resolved_by="search")
        round_.absent += await self._ledger.apply(move, ending) and move is Transition.CONFIRM_ABSENT

    def _is_late(self, intent: LedgerEntry) -> bool:
        """Whether it is worth nothing any more."""
        late = self._ledger.now() - intent.claimed_at
        return self._deadline is not None and late > self._deadline.total_seconds()

    async def _resend(self, intent: LedgerEntry, round_: "_Round") -> None:
        reason = "nobody can know whether it was accepted; it is sent once more, as the run was told to"
        round_.again += await self._ledger.apply(
            Transition.RESEND, TransitionDetails(intent.number, intent.attempt, reason, resolved_by=RESOLVED_BY_POLICY)
        )

    def _record_delivery_report(self, number: int, record: FlowRecord | OtpRecord | None) -> None:
        fate = None if record is None else delivery_report_of(number, record)
        if fate is not None:
            self._ledger.record_delivery_report(fate)

    async def collect_delivery_reports(self) -> int:
        """Ask how the accepted messages ended of which that is not known, and have the ledger keep it.

        Gives how many are under way still, or were not told of. Raises `LedgerError` alone.
        """
        async with self._asking:
            return await self._reports.collect()

    # --- callbacks

    async def handle_callback(self, event: CallbackEvent[Any]) -> None:
        """Take a callback: `inbox.on_flow(reconciler.handle_callback)`, `inbox.on_otp(reconciler.handle_callback)`.

        One that came to an address which was signed for a message of this run proves that Routee took that message, and
        a final one tells how it ended. Any other is ignored.
        """
        record = event.record
        tag = None if event.reference is None else parse_label(event.reference, self._ledger.run_id)
        if tag is None or not isinstance(record, FlowRecord | OtpRecord):
            return
        intent = await self._ledger.entry(tag)
        if intent is None:
            return
        if intent.state is not EntryState.ACCEPTED:
            ending = TransitionDetails(
                intent.number,
                intent.attempt,
                tracking_id=event.tracking_id,
                channel=_first_channel(record),
                resolved_by="callback",
            )
            await self._ledger.apply(Transition.ACCEPT, ending)
        self._record_delivery_report(intent.number, record)


@attrs.frozen
class _LookupAttempt:
    """A look at a doubt, and how the doubt stood when it began."""

    intent: LedgerEntry
    watched: PendingLookup
    age: float
    """In settling times."""
    at: float
    """By the ledger's clock."""
    sight: LookupResult | Unlabelled | None


class _Round:
    """What going through the doubts once has come to so far."""

    def __init__(self) -> None:
        self.accepted = self.absent = self.again = 0
        self.kept: Counter[str] = Counter()
        self.due: list[float] = []
        """Seconds until something beside a look is due."""

    def result(self, next_look: float | None) -> ReconcileResult:
        due = self.due if next_look is None else [*self.due, next_look]
        next_due = min(due) if due else None
        return ReconcileResult(
            accepted=self.accepted,
            absent=self.absent,
            to_resend=self.again,
            unknown_by_reason=dict(self.kept),
            next_due_in=next_due,
        )


def _lookup(routee: RouteeClient, ledger: Ledger, endpoint: Endpoint) -> Lookup | None:
    match endpoint:
        case Endpoint.STANDARD | Endpoint.TRANSACTIONAL:
            return FlowLookup(routee, ledger, endpoint)
        case Endpoint.OTP:
            return OtpLookup(routee, ledger)
        case _:
            return None


def _why_not_absent(intent: LedgerEntry, age: float, control: FoundCanary | str, on_its_way: float) -> str | None:
    """Why a message that a complete list does not have may be there all the same."""
    if age < 1:
        return NOT_FOUND_YET
    if isinstance(control, str):
        return control
    through = intent.lease_expires_at if intent.ended_at is None else intent.ended_at
    return NO_LATER_CANARY if control.claimed_at < through + on_its_way and age < 2 else None


def _first_channel(record: FlowRecord | OtpRecord) -> str | None:
    if isinstance(record, OtpRecord):
        return None if record.primary is None else record.primary.channel
    return next((message.channel for message in record.messages if message.channel is not None), None)


def _describe(error: NoResponse | NotSent | Rejected) -> str:
    if isinstance(error, Rejected):
        return f"Routee refused the search with {error.status}"
    return f"the search got no answer ({type(error).__name__})"
