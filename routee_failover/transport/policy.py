"""What follows an attempt: nothing, or another try, why that is safe, when, and at what price. No I/O happens here.

A send that Routee may have taken is never made again, and nothing is that would end the same way.
"""

from enum import StrEnum

import attrs

from .._value_object import ValueObject
from ..config import Config
from ..errors import Outcome
from ..outcomes import AttemptResult, Response, RetryMode, StatusRule
from .budget import COST_NOT_SENT, COST_THROTTLED
from .retry import FIRST_THROTTLED_DELAY, delays, throttled_delays

MOST_DEAD_CONNECTIONS = 100
"""How many dead connections of the pool a call gets past for nothing. After that they count as no connection at all."""


class Reason(StrEnum):
    """Why a call may be tried again."""

    NOT_SENT = "nothing of it had left"
    CONNECTION_GONE = "the pooled connection had been closed before anything was written"
    THROTTLED = "Routee refused it for now"
    ONCE_MORE = "Routee refused it for the time it came at"
    NEW_TOKEN = "Routee refused its token"  # noqa: S105  # no token, but what became of one
    NO_ANSWER = "it had no usable answer, and only reads"


@attrs.frozen(slots=False, eq=False, repr=False)
class Retry(ValueObject):
    """Another try, `delay` seconds from now, for which the client's budget is asked for `cost`."""

    reason: Reason
    delay: float
    cost: int


class Tries:
    """The tries of one call. It is told of every attempt, and only needed once one was not accepted.

    `safe` says of the call that it only reads, so that it may be repeated whatever became of it. `spent` is what its
    retries have cost, for the budget to give back should the call succeed after all.
    """

    __slots__ = ("_delays", "_gone", "_longest", "_most", "_once", "_renewed", "_safe", "_throttled", "_used", "spent")

    def __init__(self, config: Config, *, safe: bool) -> None:
        self._safe = safe
        self._most = config.max_attempts
        self._longest = config.max_throttle_pause.total_seconds()
        self._delays = delays()
        self._throttled = throttled_delays()
        self._used = 0
        self._gone = 0
        self._once = False
        self._renewed = False
        self.spent: int = 0

    def after(self, evidence: AttemptResult, rule: StatusRule | None) -> Retry | None:
        """What follows an attempt; `rule` is what the table says of its answer, None if it had none.

        For `Reason.NEW_TOKEN` the caller needs another token than the one that was refused, or there is no retry.
        """
        retry = self._free(evidence, rule) or self._counted(evidence, rule)
        if retry is not None:
            self.spent += retry.cost
        return retry

    def _free(self, evidence: AttemptResult, rule: StatusRule | None) -> Retry | None:
        """Another try at once for what says nothing about Routee or the call: it uses up no try and costs nothing."""
        # Each takes one dead connection out of the pool, and behind the last of them a new one is made.
        if evidence.stale_connection and not evidence.may_have_been_sent and self._gone < MOST_DEAD_CONNECTIONS:
            self._gone += 1
            return Retry(Reason.CONNECTION_GONE, 0.0, 0)
        if _again(rule) is RetryMode.NEW_TOKEN and not self._renewed:
            self._renewed = True
            return Retry(Reason.NEW_TOKEN, 0.0, 0)
        return None

    def _counted(self, evidence: AttemptResult, rule: StatusRule | None) -> Retry | None:
        self._used += 1
        if self._used >= self._most or evidence.permanent:
            return None
        again, answer = _again(rule), evidence.response
        if again is RetryMode.AFTER_PAUSE and answer is not None:
            # Longer than a caller can be kept waiting: it gets the refusal, and reads there when to come back.
            if answer.retry_after is not None and answer.retry_after > self._longest:
                return None
            pause = min(pause_after(answer), self._longest)
            # Jitter inside of the pause would have some come too early; without any, all would come at its end.
            return Retry(Reason.THROTTLED, pause + next(self._throttled), COST_THROTTLED)
        if again is RetryMode.ONCE and not self._once:
            self._once = True
            return Retry(Reason.ONCE_MORE, next(self._delays), COST_NOT_SENT)
        if rule is None and not evidence.may_have_been_sent:
            return Retry(Reason.NOT_SENT, next(self._delays), COST_NOT_SENT)
        if self._safe and (rule is None or rule.outcome is Outcome.UNKNOWN):
            return Retry(Reason.NO_ANSWER, next(self._delays), COST_NOT_SENT)
        return None


def pause_after(answer: Response) -> float:
    """How many seconds an answer asks the whole client to wait, or is taken to ask for where it does not say."""
    return FIRST_THROTTLED_DELAY if answer.retry_after is None else answer.retry_after


def _again(rule: StatusRule | None) -> RetryMode:
    return RetryMode.NEVER if rule is None else rule.retry
