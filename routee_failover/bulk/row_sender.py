"""One claimed message on its way: sent once, and what came of it written down."""

import asyncio
import time
from collections.abc import Awaitable
from datetime import timedelta
from typing import TypeVar

from .._send_all import RateLimiter
from ..client import RouteeClient
from ..errors import (
    CircuitOpen,
    ClientClosed,
    DeadlinePassed,
    DeliveryUnknown,
    FlowFailed,
    Forbidden,
    InsufficientBalance,
    InvalidFlow,
    NotSent,
    Rejected,
    RouteeError,
    TokenUnavailable,
    Unauthorized,
    Withdrawn,
)
from ..flows import AnyFlow, ViberOtpMessage
from ..ledger import EntryState, Ledger, Transition, TransitionDetails
from ..records import AnyReceipt, Channel, OtpReceipt
from ..secret import mask_phone
from .claimer import Claimer
from .progress import RowProblem, RunCounters
from .ready_queue import ClaimedMessage, ReadyQueue
from .run_control import ErrorBudgetTracker, RunControl, StallTimer

_T = TypeVar("_T")

BALANCE = "balance"
ACCOUNT = "account"
BUDGET = "budget"
OUTAGE = "outage"
CANCELLED = "the run was cancelled before it left"
_MAX_ACCOUNT_ERRORS = 5
"""Refusals of the account, with nothing accepted between them, that hold the run: a single one may be about a row."""
_MAX_ATTEMPTS_PER_MESSAGE = 3
"""Attempts after which such a refusal is taken to be about the row."""
_OUTAGE_PAUSE = 5.0
"""Seconds that the run rests while the client's breaker is open."""


class RowSender:
    """Sends claimed messages. Whatever it is told is in the ledger before the next message of its worker begins."""

    def __init__(
        self,
        routee: RouteeClient,
        ledger: Ledger,
        claimer: Claimer,
        control: RunControl,
        counters: RunCounters,
        stall_timer: StallTimer,
        *,
        deadline: timedelta | None,
        error_budget: ErrorBudgetTracker | None,
        rate_limiter: RateLimiter | None,
    ) -> None:
        self._routee = routee
        self._ledger = ledger
        self._claimer = claimer
        self._control = control
        self._counters = counters
        self._stall_timer = stall_timer
        self._deadline = deadline
        self._error_budget = error_budget
        self._rate_limiter = rate_limiter
        self._pacing = asyncio.Lock()
        self._account_errors_in_a_row = 0

    async def next_message(self, ready: ReadyQueue) -> ClaimedMessage | None:
        """The next message, when it is its time; `None` when there will be none.

        Whoever waits for a time holds no message, or one: what is claimed for long would have to be claimed again.
        """
        if self._rate_limiter is None:
            return await ready.get()
        async with self._pacing:
            await self._control.wait_until_allowed()
            item = await ready.get()
            if item is not None and self._control.may_send:
                await self._or_release(item, self._control.sleep(self._rate_limiter.reserve()))
            return item

    async def send(self, message: ClaimedMessage) -> None:
        """Send a message, or give it back to the ledger."""
        while True:
            if not self._control.may_send and not await self._may_send(message):
                return self.release(message, "the run was stopped before it left")
            if not message.has_lease:
                self.release(message, "its lease was over before it left")
                again = await self._claimer.reclaim(message)
                if again is None:
                    return None
                message = again
            if self._claimer.is_outside_window(message):
                return self.release(message, "the hours of its recipient were over before it left")
            try:
                return await self._send_once(message)
            except Withdrawn:
                continue

    async def _may_send(self, item: ClaimedMessage) -> bool:
        """Whether it may, once the brakes are off: they let go of many at once, who then keep to the rate again."""
        may = await self._or_release(item, self._control.wait_until_allowed())
        if may and self._rate_limiter is not None:
            await self._or_release(item, self._control.sleep(self._rate_limiter.reserve()))
        return may

    async def _or_release(self, item: ClaimedMessage, wait: Awaitable[_T]) -> _T:
        try:
            return await wait
        except asyncio.CancelledError:
            self.release(item, CANCELLED)
            raise

    async def _send_once(self, item: ClaimedMessage) -> None:
        began = time.monotonic()
        self._counters.in_flight += 1
        try:
            receipt = await self._routee.send(
                item.flow, deadline=self._deadline, should_send=lambda: item.has_lease and self._control.may_send
            )
        except Withdrawn:
            raise
        except RouteeError as error:
            self._not_accepted(item, error, time.monotonic() - began)
        except BaseException:
            # Cancelled, or worse: nobody here learns what becomes of it.
            self._record(item, Transition.MARK_UNKNOWN, "its sender was ended before an answer came")
            raise
        else:
            self._accepted(item, receipt, time.monotonic() - began)
        finally:
            self._counters.in_flight -= 1

    def _accepted(self, item: ClaimedMessage, receipt: AnyReceipt, seconds: float) -> None:
        identity = receipt.flow_id if isinstance(receipt, OtpReceipt) else receipt.tracking_id
        channel = receipt.channel if isinstance(receipt, OtpReceipt) else _first_channel(item.flow)
        number, attempt = item.claim.number, item.claim.attempt
        self._ledger.record(Transition.ACCEPT, TransitionDetails(number, attempt, "", identity, channel, seconds))
        self._counters.completed += 1
        self._stall_timer.reset()
        self._account_errors_in_a_row = 0
        if self._error_budget is not None:
            self._error_budget.record(failed=False)

    def _not_accepted(self, item: ClaimedMessage, error: RouteeError, seconds: float) -> None:
        move, why = transition_for(error), _first_line(error)
        about = _pause_kind_of(error)
        if isinstance(error, ClientClosed):
            self._control.stop(why)
        few = self._account_errors_in_a_row < _MAX_ACCOUNT_ERRORS  # others are accepted, so that it is not the account
        its_own = (
            about == ACCOUNT and move is Transition.REJECT and item.claim.attempt >= _MAX_ATTEMPTS_PER_MESSAGE and few
        )
        if about is not None and not its_own:
            # Every other message would end the same way: it waits, as if it had not been tried.
            move = Transition.RELEASE
            self._pause_for(about, why)
        elif self._error_budget is not None and self._error_budget.record(failed=True):
            self._pause_for_budget(self._error_budget)
        self._record(item, move, why, seconds)
        if isinstance(error, DeadlinePassed):
            self._record(item, Transition.EXPIRE, why, seconds)

    def _pause_for(self, kind: str, why: str) -> None:
        if kind == ACCOUNT:
            self._account_errors_in_a_row += 1
            if self._account_errors_in_a_row < _MAX_ACCOUNT_ERRORS:
                return
        if kind == BALANCE:
            why = f"the account cannot pay: {why.partition(';')[0]}"
        self._control.pause(kind, why)
        if kind == OUTAGE:
            asyncio.get_running_loop().call_later(_OUTAGE_PAUSE, self._control.resume, OUTAGE)

    def _pause_for_budget(self, spending: ErrorBudgetTracker) -> None:
        rest, failed, of = spending.start_pause()
        self._control.pause(BUDGET, f"{failed} of the last {of} messages failed; going on in {rest:.0f} s")
        asyncio.get_running_loop().call_later(rest, self._control.resume, BUDGET)

    def release(self, message: ClaimedMessage, reason: str) -> None:
        """Let go of a message that has not left: a later pass sends it."""
        self._ledger.record(Transition.RELEASE, TransitionDetails(message.claim.number, message.claim.attempt, reason))

    def _record(self, item: ClaimedMessage, move: Transition, why: str, seconds: float = 0.0) -> None:
        self._ledger.record(move, TransitionDetails(item.claim.number, item.claim.attempt, why, response_time=seconds))
        if move is not Transition.EXPIRE:
            self._counters.completed += move is not Transition.RELEASE
            outcome = _OUTCOMES.get(move, "not sent")
            self._counters.problems.append(
                RowProblem(item.request.line, mask_phone(item.request.recipient), outcome, why)
            )


_OUTCOMES = {
    Transition.REJECT: EntryState.REJECTED.lower(),
    Transition.MARK_UNKNOWN: EntryState.UNKNOWN.lower(),
    Transition.INVALIDATE: EntryState.INVALID.lower(),
}


def transition_for(error: RouteeError) -> Transition:
    """What an error of `send` proves, as a move of the ledger's machine."""
    match error:
        case InvalidFlow():
            return Transition.INVALIDATE
        case NotSent():
            return Transition.RELEASE
        case Rejected():
            return Transition.REJECT
        case _:
            return Transition.MARK_UNKNOWN


def _pause_kind_of(error: RouteeError) -> str | None:
    """What an error is about that is not the message but all of them: the account, or an outage."""
    match error:
        case InsufficientBalance() | FlowFailed(status_code=1):
            return BALANCE
        case Unauthorized() | Forbidden() | TokenUnavailable():
            return ACCOUNT
        case CircuitOpen():
            return OUTAGE
        case _:
            return None


def _first_channel(flow: AnyFlow) -> str:
    """The channel that Routee tries first, where its receipt does not say so."""
    return Channel.VIBER if isinstance(flow, ViberOtpMessage) else flow.steps[0].api_type


def _first_line(error: RouteeError) -> str:
    """Why, in a line: it quotes no secret, as no error of ours does."""
    words = error.reason if isinstance(error, DeliveryUnknown) else str(error)
    return words.partition("\n")[0]
