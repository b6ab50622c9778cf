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
from .brakes import Brakes, Patience, Spending
from .feed import Feed
from .progress import Tally, Trouble
from .window import Item, ReadyWindow

_T = TypeVar("_T")

BALANCE = "balance"
ACCOUNT = "account"
BUDGET = "budget"
OUTAGE = "outage"
CANCELLED = "the run was cancelled before it left"
_IN_A_ROW = 5
"""Refusals of the account, with nothing accepted between them, that hold the run: a single one may be about a row."""
_TRIES_OF_ONE = 3
"""Attempts after which such a refusal is taken to be about the row."""
_OUTAGE = 5.0
"""Seconds that the run rests while the client's breaker is open."""


class Delivery:
    """Sends claimed messages. Whatever it is told is in the ledger before the next message of its worker begins."""

    def __init__(
        self,
        routee: RouteeClient,
        ledger: Ledger,
        feed: Feed,
        brakes: Brakes,
        tally: Tally,
        patience: Patience,
        *,
        deadline: timedelta | None,
        spending: Spending | None,
        begins: RateLimiter | None,
    ) -> None:
        self._routee = routee
        self._ledger = ledger
        self._feed = feed
        self._brakes = brakes
        self._tally = tally
        self._patience = patience
        self._deadline = deadline
        self._spending = spending
        self._begins = begins
        self._pacing = asyncio.Lock()
        self._refused_in_a_row = 0

    async def next(self, ready: ReadyWindow) -> Item | None:
        """The next message, when it is its time; `None` when there will be none.

        Whoever waits for a time holds no message, or one: what is claimed for long would have to be claimed again.
        """
        if self._begins is None:
            return await ready.take()
        async with self._pacing:
            await self._brakes.passed()
            item = await ready.take()
            if item is not None and self._brakes.free:
                await self._or_give_back(item, self._brakes.rest(self._begins.reserve()))
            return item

    async def deliver(self, item: Item) -> None:
        """Send a message, or give it back to the ledger."""
        while True:
            if not self._brakes.free and not await self._may_go_on(item):
                return self.give_back(item, "the run was stopped before it left")
            if not item.leased:
                self.give_back(item, "its lease was over before it left")
                again = await self._feed.claim_again(item)
                if again is None:
                    return None
                item = again
            if self._feed.is_shut(item):
                return self.give_back(item, "the hours of its recipient were over before it left")
            try:
                return await self._send(item)
            except Withdrawn:
                continue

    async def _may_go_on(self, item: Item) -> bool:
        """Whether it may, once the brakes are off: they let go of many at once, who then keep to the rate again."""
        may = await self._or_give_back(item, self._brakes.passed())
        if may and self._begins is not None:
            await self._or_give_back(item, self._brakes.rest(self._begins.reserve()))
        return may

    async def _or_give_back(self, item: Item, wait: Awaitable[_T]) -> _T:
        try:
            return await wait
        except asyncio.CancelledError:
            self.give_back(item, CANCELLED)
            raise

    async def _send(self, item: Item) -> None:
        began = time.monotonic()
        self._tally.in_flight += 1
        try:
            receipt = await self._routee.send(
                item.flow, deadline=self._deadline, should_send=lambda: item.leased and self._brakes.free
            )
        except Withdrawn:
            raise
        except RouteeError as error:
            self._not_accepted(item, error, time.monotonic() - began)
        except BaseException:
            # Cancelled, or worse: nobody here learns what becomes of it.
            self._end(item, Transition.MARK_UNKNOWN, "its sender was ended before an answer came")
            raise
        else:
            self._accepted(item, receipt, time.monotonic() - began)
        finally:
            self._tally.in_flight -= 1

    def _accepted(self, item: Item, receipt: AnyReceipt, seconds: float) -> None:
        identity = receipt.flow_id if isinstance(receipt, OtpReceipt) else receipt.tracking_id
        channel = receipt.channel if isinstance(receipt, OtpReceipt) else _first_channel(item.flow)
        number, attempt = item.found.number, item.found.attempt
        self._ledger.record(Transition.ACCEPT, TransitionDetails(number, attempt, "", identity, channel, seconds))
        self._tally.ended += 1
        self._patience.rewarded()
        self._refused_in_a_row = 0
        if self._spending is not None:
            self._spending.note(failed=False)

    def _not_accepted(self, item: Item, error: RouteeError, seconds: float) -> None:
        move, why = move_after(error), _first_line(error)
        about = _says_nothing_of_it(error)
        if isinstance(error, ClientClosed):
            self._brakes.stop(why)
        few = self._refused_in_a_row < _IN_A_ROW  # others are accepted, so that it is not the account
        its_own = about == ACCOUNT and move is Transition.REJECT and item.found.attempt >= _TRIES_OF_ONE and few
        if about is not None and not its_own:
            # Every other message would end the same way: it waits, as if it had not been tried.
            move = Transition.RELEASE
            self._hold(about, why)
        elif self._spending is not None and self._spending.note(failed=True):
            self._pause(self._spending)
        self._end(item, move, why, seconds)
        if isinstance(error, DeadlinePassed):
            self._end(item, Transition.EXPIRE, why, seconds)

    def _hold(self, kind: str, why: str) -> None:
        if kind == ACCOUNT:
            self._refused_in_a_row += 1
            if self._refused_in_a_row < _IN_A_ROW:
                return
        if kind == BALANCE:
            why = f"the account cannot pay: {why.partition(';')[0]}"
        self._brakes.hold(kind, why)
        if kind == OUTAGE:
            asyncio.get_running_loop().call_later(_OUTAGE, self._brakes.let_go, OUTAGE)

    def _pause(self, spending: Spending) -> None:
        rest, failed, of = spending.rest()
        self._brakes.hold(BUDGET, f"{failed} of the last {of} messages failed; going on in {rest:.0f} s")
        asyncio.get_running_loop().call_later(rest, self._brakes.let_go, BUDGET)

    def give_back(self, item: Item, why: str) -> None:
        """Let go of a message that has not left: a later pass sends it."""
        self._ledger.record(Transition.RELEASE, TransitionDetails(item.found.number, item.found.attempt, why))

    def _end(self, item: Item, move: Transition, why: str, seconds: float = 0.0) -> None:
        self._ledger.record(move, TransitionDetails(item.found.number, item.found.attempt, why, response_time=seconds))
        if move is not Transition.EXPIRE:
            self._tally.ended += move is not Transition.RELEASE
            outcome = _STATES.get(move, "not sent")
            self._tally.problems.append(Trouble(item.wanted.line, mask_phone(item.wanted.recipient), outcome, why))


_STATES = {
    Transition.REJECT: EntryState.REJECTED.lower(),
    Transition.MARK_UNKNOWN: EntryState.UNKNOWN.lower(),
    Transition.INVALIDATE: EntryState.INVALID.lower(),
}


def move_after(error: RouteeError) -> Transition:
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


def _says_nothing_of_it(error: RouteeError) -> str | None:
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
