"""Message sender: sends claimed messages, and records their outcomes in the ledger."""

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
from ..flows import AnyFlow, RawFlow, ViberOtpMessage
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
CANCELLED = "the run was cancelled before it was sent"
_MAX_ACCOUNT_ERRORS = 5
"""Account errors in a row, with nothing accepted between them, that pause the run: a single one may be about a row."""
_ATTEMPTS_UNTIL_ROW_ERROR = 3
"""Attempts of one message after which an account error counts as being about its row."""
_OUTAGE_PAUSE = 5.0
"""Seconds for which the run pauses while the client's circuit breaker is open."""


class MessageSender:
    """Sender of claimed messages. Each outcome is recorded in the ledger before its worker takes the next message."""

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
        self._rate_lock = asyncio.Lock()
        self._account_errors_in_a_row = 0

    async def next_message(self, ready: ReadyQueue) -> ClaimedMessage | None:
        """Return the next message when it may be sent; `None` when there are no more.

        Of the workers that wait for the rate limit, at most one holds a message: a message that is held for long loses
        its lease, and has to be claimed again.
        """
        if self._rate_limiter is None:
            return await ready.get()
        async with self._rate_lock:
            await self._control.wait_until_allowed()
            message = await ready.get()
            if message is not None and self._control.may_send:
                await self._await_or_release(message, self._control.sleep(self._rate_limiter.reserve()))
            return message

    async def send(self, message: ClaimedMessage) -> None:
        """Send a message, or release it to the ledger."""
        while True:
            if not self._control.may_send and not await self._may_send(message):
                return self.release(message, "the run was stopped before it was sent")
            if not message.has_lease:
                self.release(message, "its lease expired before it was sent")
                reclaimed = await self._claimer.reclaim(message)
                if reclaimed is None:
                    return None
                message = reclaimed
            if self._claimer.is_outside_window(message):
                return self.release(message, "the send window of its recipient closed before it was sent")
            try:
                return await self._send_once(message)
            except Withdrawn:
                continue

    async def _may_send(self, message: ClaimedMessage) -> bool:
        """Wait until the run may send.

        Many workers resume at once after a pause, so that each waits for the rate limit again.
        """
        allowed = await self._await_or_release(message, self._control.wait_until_allowed())
        if allowed and self._rate_limiter is not None:
            await self._await_or_release(message, self._control.sleep(self._rate_limiter.reserve()))
        return allowed

    async def _await_or_release(self, message: ClaimedMessage, wait: Awaitable[_T]) -> _T:
        try:
            return await wait
        except asyncio.CancelledError:
            self.release(message, CANCELLED)
            raise

    async def _send_once(self, message: ClaimedMessage) -> None:
        started_at = time.monotonic()
        self._counters.in_flight += 1
        try:
            receipt = await self._routee.send(
                message.flow, deadline=self._deadline, should_send=lambda: message.has_lease and self._control.may_send
            )
        except Withdrawn:
            raise
        except RouteeError as error:
            self._handle_error(message, error, time.monotonic() - started_at)
        except BaseException:
            # Cancelled, or an unexpected error: the outcome cannot be learned here.
            self._record(message, Transition.MARK_UNKNOWN, "its sender was cancelled before a response came")
            raise
        else:
            self._handle_receipt(message, receipt, time.monotonic() - started_at)
        finally:
            self._counters.in_flight -= 1

    def _handle_receipt(self, message: ClaimedMessage, receipt: AnyReceipt, response_time: float) -> None:
        tracking_id = receipt.flow_id if isinstance(receipt, OtpReceipt) else receipt.tracking_id
        channel = receipt.channel if isinstance(receipt, OtpReceipt) else _first_channel(message.flow)
        number, attempt = message.claim.number, message.claim.attempt
        self._ledger.record(
            Transition.ACCEPT, TransitionDetails(number, attempt, "", tracking_id, channel, response_time)
        )
        self._counters.completed += 1
        self._stall_timer.reset()
        self._account_errors_in_a_row = 0
        if self._error_budget is not None:
            self._error_budget.record(failed=False)

    def _handle_error(self, message: ClaimedMessage, error: RouteeError, response_time: float) -> None:
        transition, reason = transition_for(error), _first_line(error)
        pause_kind = _pause_kind_of(error)
        if isinstance(error, ClientClosed):
            self._control.stop(reason)
        # Other messages are accepted, so that it is not the account.
        is_account_ok = self._account_errors_in_a_row < _MAX_ACCOUNT_ERRORS
        is_about_row = (
            pause_kind == ACCOUNT
            and transition is Transition.REJECT
            and message.claim.attempt >= _ATTEMPTS_UNTIL_ROW_ERROR
            and is_account_ok
        )
        if pause_kind is not None and not is_about_row:
            # Every other message would fail the same way: this one is released, as if it had not been attempted.
            transition = Transition.RELEASE
            self._pause_for(pause_kind, reason)
        elif self._error_budget is not None and self._error_budget.record(failed=True):
            self._pause_for_budget(self._error_budget)
        self._record(message, transition, reason, response_time)
        if isinstance(error, DeadlinePassed):
            self._record(message, Transition.EXPIRE, reason, response_time)

    def _pause_for(self, kind: str, reason: str) -> None:
        if kind == ACCOUNT:
            self._account_errors_in_a_row += 1
            if self._account_errors_in_a_row < _MAX_ACCOUNT_ERRORS:
                return
        if kind == BALANCE:
            reason = f"the account cannot pay: {reason.partition(';')[0]}"
        self._control.pause(kind, reason)
        if kind == OUTAGE:
            asyncio.get_running_loop().call_later(_OUTAGE_PAUSE, self._control.resume, OUTAGE)

    def _pause_for_budget(self, error_budget: ErrorBudgetTracker) -> None:
        pause, failed, total = error_budget.start_pause()
        self._control.pause(BUDGET, f"{failed} of the last {total} messages failed; resuming in {pause:.0f} s")
        asyncio.get_running_loop().call_later(pause, self._control.resume, BUDGET)

    def release(self, message: ClaimedMessage, reason: str) -> None:
        """Release a message that was not sent: a later pass sends it."""
        self._ledger.record(Transition.RELEASE, TransitionDetails(message.claim.number, message.claim.attempt, reason))

    def _record(self, message: ClaimedMessage, transition: Transition, reason: str, response_time: float = 0.0) -> None:
        self._ledger.record(
            transition,
            TransitionDetails(message.claim.number, message.claim.attempt, reason, response_time=response_time),
        )
        if transition is not Transition.EXPIRE:
            self._counters.completed += transition is not Transition.RELEASE
            outcome = _OUTCOMES.get(transition, "not sent")
            self._counters.problems.append(
                RowProblem(message.request.line, mask_phone(message.request.recipient), outcome, reason)
            )


_OUTCOMES = {
    Transition.REJECT: EntryState.REJECTED.lower(),
    Transition.MARK_UNKNOWN: EntryState.UNKNOWN.lower(),
    Transition.INVALIDATE: EntryState.INVALID.lower(),
}


def transition_for(error: RouteeError) -> Transition:
    """Return the ledger transition that an error of `send` proves."""
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
    """Return the kind of pause for an error that affects all messages: the account, or an outage."""
    match error:
        case InsufficientBalance() | FlowFailed(status_code=1):
            return BALANCE
        case Unauthorized() | Forbidden() | TokenUnavailable():
            return ACCOUNT
        case CircuitOpen():
            return OUTAGE
        case _:
            return None


def _first_channel(flow: AnyFlow) -> str | None:
    """Return the channel that Routee tries first, for receipts that do not name it; `None` for a raw flow."""
    if isinstance(flow, RawFlow):
        return None
    return Channel.VIBER if isinstance(flow, ViberOtpMessage) else flow.steps[0].api_type


def _first_line(error: RouteeError) -> str:
    """Return the reason of an error in one line: like all errors of this package it quotes no secret."""
    reason = error.reason if isinstance(error, DeliveryUnknown) else str(error)
    return reason.partition("\n")[0]
