"""Retries: whether an attempt is followed by one, why that is safe, after which delay, and at what cost.

Sans-I/O. A send that Routee may have accepted is never retried, and neither is an attempt that would fail the same way.
"""

import functools
from collections.abc import Iterator
from enum import StrEnum

import attrs
from backoff import expo, full_jitter

from .._value_object import ValueObject
from ..config import Config
from ..errors import Outcome
from ..outcomes import AttemptResult, Response, RetryMode, StatusRule

INITIAL_BACKOFF = 0.05
"""Upper bound of the first delay in seconds."""
MAX_BACKOFF = 2.0
"""Upper bound of every delay in seconds."""
INITIAL_THROTTLE_DELAY = 1.0
"""Upper bound, in seconds, of the first delay after Routee throttled a request; also the throttle pause without a
`Retry-After`."""
MAX_THROTTLE_DELAY = 30.0
"""Upper bound, in seconds, of every delay after Routee throttled a request."""
CAPACITY = 500
"""Tokens that a client starts with, and its maximum. The figures are those that AWS gives its SDKs in 2026."""
COST_NOT_SENT = 14
"""Tokens for a retry after no connection could be made, or no response came."""
COST_THROTTLED = 5
"""Tokens for a retry after Routee throttled the request: fewer, because Routee is reachable."""
SUCCESS_CREDIT = 1
"""Tokens earned by a request that succeeds at its first attempt."""
MAX_STALE_CONNECTIONS = 100
"""How many stale pooled connections a request may meet for free. After that, each counts as a failed connection."""


def jittered_delays(initial: float, maximum: float) -> Iterator[float]:
    """Yield delays up to a bound that doubles: with full jitter, clients that fail together retry at other times."""
    bounds = expo(base=2, factor=initial, max_value=maximum)
    next(bounds)  # the generators of `backoff` yield None first, as a place for `send`
    while True:
        yield full_jitter(next(bounds))


_backoff_delays = functools.partial(jittered_delays, INITIAL_BACKOFF, MAX_BACKOFF)
_throttle_delays = functools.partial(jittered_delays, INITIAL_THROTTLE_DELAY, MAX_THROTTLE_DELAY)


class RetryReason(StrEnum):
    """Why a request may be retried."""

    NOT_SENT = "nothing was sent"
    STALE_CONNECTION = "the pooled connection had been closed before anything was written"
    THROTTLED = "Routee throttled the request"
    TRANSIENT_REJECTION = "Routee rejected the request for a transient reason"
    NEW_TOKEN = "Routee rejected the access token"  # noqa: S105  # a reason, not a token
    NO_RESPONSE = "no usable response came, and the request is safe to repeat"


@attrs.frozen(slots=False, eq=False, repr=False)
class RetryDecision(ValueObject):
    """A retry, `delay` seconds from now, that withdraws `cost` tokens from the retry budget."""

    reason: RetryReason
    delay: float
    cost: int


@attrs.define(eq=False, repr=False)
class RetryState:
    """Retry state of one request. It is created when the first attempt was not accepted, and decides after each one.

    `safe` means that the request changes nothing at Routee, so that it may be repeated whatever its outcome. `spent` is
    the number of tokens that its retries have cost; the retry budget gets them back if the request succeeds after all.
    """

    _config: Config
    _safe: bool = attrs.field(kw_only=True, alias="safe")
    spent: int = attrs.field(default=0, init=False)
    _attempts: int = attrs.field(default=0, init=False)
    _stale_count: int = attrs.field(default=0, init=False)
    _retried_once: bool = attrs.field(default=False, init=False)
    _renewed_token: bool = attrs.field(default=False, init=False)
    _backoff: Iterator[float] = attrs.field(factory=_backoff_delays, init=False)
    _throttle_backoff: Iterator[float] = attrs.field(factory=_throttle_delays, init=False)

    def decide(self, result: AttemptResult, status_rule: StatusRule | None) -> RetryDecision | None:
        """Return the retry that follows an attempt, or None if there is none.

        `status_rule` is the rule of the status table for its response, None if there was no response. A retry with
        `RetryReason.NEW_TOKEN` needs another token than the one that was rejected; without one there is no retry.
        """
        mode = RetryMode.NEVER if status_rule is None else status_rule.retry
        retry = self._uncounted(result, mode) or self._counted(result, status_rule, mode)
        if retry is not None:
            self.spent += retry.cost
        return retry

    def _uncounted(self, result: AttemptResult, mode: RetryMode) -> RetryDecision | None:
        """Return an immediate retry after a failure that says nothing about Routee or the request.

        It does not count against `max_attempts` and costs nothing.
        """
        # Each of these removes one stale connection from the pool; after the last of them a new connection is made.
        if result.stale_connection and not result.may_have_been_sent and self._stale_count < MAX_STALE_CONNECTIONS:
            self._stale_count += 1
            return RetryDecision(RetryReason.STALE_CONNECTION, 0.0, 0)
        if mode is RetryMode.NEW_TOKEN and not self._renewed_token:
            self._renewed_token = True
            return RetryDecision(RetryReason.NEW_TOKEN, 0.0, 0)
        return None

    def _counted(self, result: AttemptResult, status_rule: StatusRule | None, mode: RetryMode) -> RetryDecision | None:
        """Return a retry that counts against `max_attempts` and withdraws from the retry budget."""
        self._attempts += 1
        if self._attempts >= self._config.max_attempts or result.permanent:
            return None
        response = result.response
        if mode is RetryMode.AFTER_PAUSE and response is not None:
            # Too long to keep the caller waiting: it gets the rejection, whose `retry_after` says when to resend.
            max_pause = self._config.max_throttle_pause.total_seconds()
            if response.retry_after is not None and response.retry_after > max_pause:
                return None
            pause = min(throttle_pause(response), max_pause)
            # Jitter within the pause would start some requests too early; without jitter all would start at its end.
            return RetryDecision(RetryReason.THROTTLED, pause + next(self._throttle_backoff), COST_THROTTLED)
        if mode is RetryMode.ONCE and not self._retried_once:
            self._retried_once = True
            return RetryDecision(RetryReason.TRANSIENT_REJECTION, next(self._backoff), COST_NOT_SENT)
        if status_rule is None and not result.may_have_been_sent:
            return RetryDecision(RetryReason.NOT_SENT, next(self._backoff), COST_NOT_SENT)
        if self._safe and (status_rule is None or status_rule.outcome is Outcome.UNKNOWN):
            return RetryDecision(RetryReason.NO_RESPONSE, next(self._backoff), COST_NOT_SENT)
        return None


def throttle_pause(response: Response) -> float:
    """Return the throttle pause in seconds: the `Retry-After` of the response, or a default when it has none."""
    return INITIAL_THROTTLE_DELAY if response.retry_after is None else response.retry_after


@attrs.define(eq=False, repr=False)
class RetryBudget:
    """Token bucket for all the retries of a client in one event loop; `available` is the number of tokens left.

    With a maximum number of attempts alone, three for example, an outage would be met with three times the traffic.
    While nothing succeeds, N requests make at most N + 500 / 14 attempts: from 180 requests on, less than 1.2 times the
    traffic, however many attempts each request may make.
    """

    available: int = attrs.field(factory=lambda: CAPACITY, init=False)

    def try_withdraw(self, cost: int) -> bool:
        """Withdraw the cost of a retry. Return False, and withdraw nothing, if too few tokens are left."""
        if cost > self.available:
            return False
        self.available -= cost
        return True

    def deposit(self, spent: int = 0) -> None:
        """Credit a request that succeeded: the tokens its retries cost are returned; without retries it earns one."""
        self.available = min(CAPACITY, self.available + (spent or SUCCESS_CREDIT))
