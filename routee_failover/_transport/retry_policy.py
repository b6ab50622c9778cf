"""What follows an attempt: nothing, or another try, why that is safe, when, and at what price. No I/O happens here.

A send that Routee may have taken is never made again, and nothing is that would end the same way.
"""

from enum import StrEnum

import attrs

from .._value_object import ValueObject
from ..config import Config
from ..errors import Outcome
from ..outcomes import AttemptResult, Response, RetryMode, StatusRule
from .retry_budget import COST_NOT_SENT, COST_THROTTLED
from .retry_delays import INITIAL_THROTTLE_DELAY, backoff_delays, throttle_delays

MAX_STALE_CONNECTIONS = 100
"""How many dead connections of the pool a call gets past for nothing. After that they count as no connection at all."""


class RetryReason(StrEnum):
    """Why a call may be tried again."""

    NOT_SENT = "nothing of it had left"
    STALE_CONNECTION = "the pooled connection had been closed before anything was written"
    THROTTLED = "Routee refused it for now"
    TRANSIENT_REJECTION = "Routee refused it for the time it came at"
    NEW_TOKEN = "Routee refused its token"  # noqa: S105  # no token, but what became of one
    NO_RESPONSE = "it had no usable answer, and only reads"


@attrs.frozen(slots=False, eq=False, repr=False)
class RetryDecision(ValueObject):
    """Another try, `delay` seconds from now, for which the client's budget is asked for `cost`."""

    reason: RetryReason
    delay: float
    cost: int


class RetryState:
    """The tries of one call. It is told of every attempt, and only needed once one was not accepted.

    `safe` says of the call that it only reads, so that it may be repeated whatever became of it. `spent` is what its
    retries have cost, for the budget to give back should the call succeed after all.
    """

    __slots__ = ("_delays", "_gone", "_longest", "_most", "_once", "_renewed", "_safe", "_throttled", "_used", "spent")

    def __init__(self, config: Config, *, safe: bool) -> None:
        self._safe = safe
        self._most = config.max_attempts
        self._longest = config.max_throttle_pause.total_seconds()
        self._delays = backoff_delays()
        self._throttled = throttle_delays()
        self._used = 0
        self._gone = 0
        self._once = False
        self._renewed = False
        self.spent: int = 0

    def decide(self, result: AttemptResult, status_rule: StatusRule | None) -> RetryDecision | None:
        """What follows an attempt; `rule` is what the table says of its answer, None if it had none.

        For `Reason.NEW_TOKEN` the caller needs another token than the one that was refused, or there is no retry.
        """
        retry = self._uncounted(result, status_rule) or self._counted(result, status_rule)
        if retry is not None:
            self.spent += retry.cost
        return retry

    def _uncounted(self, result: AttemptResult, status_rule: StatusRule | None) -> RetryDecision | None:
        """Another try at once for what says nothing about Routee or the call: it uses up no try and costs nothing."""
        # Each takes one dead connection out of the pool, and behind the last of them a new one is made.
        if result.stale_connection and not result.may_have_been_sent and self._gone < MAX_STALE_CONNECTIONS:
            self._gone += 1
            return RetryDecision(RetryReason.STALE_CONNECTION, 0.0, 0)
        if _retry_mode(status_rule) is RetryMode.NEW_TOKEN and not self._renewed:
            self._renewed = True
            return RetryDecision(RetryReason.NEW_TOKEN, 0.0, 0)
        return None

    def _counted(self, result: AttemptResult, status_rule: StatusRule | None) -> RetryDecision | None:
        self._used += 1
        if self._used >= self._most or result.permanent:
            return None
        again, answer = _retry_mode(status_rule), result.response
        if again is RetryMode.AFTER_PAUSE and answer is not None:
            # Longer than a caller can be kept waiting: it gets the refusal, and reads there when to come back.
            if answer.retry_after is not None and answer.retry_after > self._longest:
                return None
            pause = min(throttle_pause(answer), self._longest)
            # Jitter inside of the pause would have some come too early; without any, all would come at its end.
            return RetryDecision(RetryReason.THROTTLED, pause + next(self._throttled), COST_THROTTLED)
        if again is RetryMode.ONCE and not self._once:
            self._once = True
            return RetryDecision(RetryReason.TRANSIENT_REJECTION, next(self._delays), COST_NOT_SENT)
        if status_rule is None and not result.may_have_been_sent:
            return RetryDecision(RetryReason.NOT_SENT, next(self._delays), COST_NOT_SENT)
        if self._safe and (status_rule is None or status_rule.outcome is Outcome.UNKNOWN):
            return RetryDecision(RetryReason.NO_RESPONSE, next(self._delays), COST_NOT_SENT)
        return None


def throttle_pause(response: Response) -> float:
    """How many seconds an answer asks the whole client to wait, or is taken to ask for where it does not say."""
    return INITIAL_THROTTLE_DELAY if response.retry_after is None else response.retry_after


def _retry_mode(status_rule: StatusRule | None) -> RetryMode:
    return RetryMode.NEVER if status_rule is None else status_rule.retry
