"""Retry policy: whether an attempt is followed by a retry, why that is safe, after which delay, and at what cost.

Sans-I/O. A send that Routee may have accepted is never retried, and neither is an attempt that would fail the same way.
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
"""How many stale pooled connections a request may meet for free. After that, each counts as a failed connection."""


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


class RetryState:
    """Retry state of one request. It is created when the first attempt was not accepted, and decides after each one.

    `safe` means that the request changes nothing at Routee, so that it may be repeated whatever its outcome. `spent` is
    the number of tokens that its retries have cost; the retry budget gets them back if the request succeeds after all.
    """

    __slots__ = (
        "_attempts",
        "_backoff",
        "_max_attempts",
        "_max_pause",
        "_renewed_token",
        "_retried_once",
        "_safe",
        "_stale_count",
        "_throttle_backoff",
        "spent",
    )

    def __init__(self, config: Config, *, safe: bool) -> None:
        self._safe = safe
        self._max_attempts = config.max_attempts
        self._max_pause = config.max_throttle_pause.total_seconds()
        self._backoff = backoff_delays()
        self._throttle_backoff = throttle_delays()
        self._attempts = 0
        self._stale_count = 0
        self._retried_once = False
        self._renewed_token = False
        self.spent: int = 0

    def decide(self, result: AttemptResult, status_rule: StatusRule | None) -> RetryDecision | None:
        """Return the retry that follows an attempt, or None if there is none.

        `status_rule` is the rule of the status table for its response, None if there was no response. A retry with
        `RetryReason.NEW_TOKEN` needs another token than the one that was rejected; without one there is no retry.
        """
        retry = self._uncounted(result, status_rule) or self._counted(result, status_rule)
        if retry is not None:
            self.spent += retry.cost
        return retry

    def _uncounted(self, result: AttemptResult, status_rule: StatusRule | None) -> RetryDecision | None:
        """Return an immediate retry after a failure that says nothing about Routee or the request.

        It does not count against `max_attempts` and costs nothing.
        """
        # Each of these removes one stale connection from the pool; after the last of them a new connection is made.
        if result.stale_connection and not result.may_have_been_sent and self._stale_count < MAX_STALE_CONNECTIONS:
            self._stale_count += 1
            return RetryDecision(RetryReason.STALE_CONNECTION, 0.0, 0)
        if _retry_mode(status_rule) is RetryMode.NEW_TOKEN and not self._renewed_token:
            self._renewed_token = True
            return RetryDecision(RetryReason.NEW_TOKEN, 0.0, 0)
        return None

    def _counted(self, result: AttemptResult, status_rule: StatusRule | None) -> RetryDecision | None:
        """Return a retry that counts against `max_attempts` and withdraws from the retry budget."""
        self._attempts += 1
        if self._attempts >= self._max_attempts or result.permanent:
            return None
        retry_mode, response = _retry_mode(status_rule), result.response
        if retry_mode is RetryMode.AFTER_PAUSE and response is not None:
            # Too long to keep the caller waiting: it gets the rejection, whose `retry_after` says when to resend.
            if response.retry_after is not None and response.retry_after > self._max_pause:
                return None
            pause = min(throttle_pause(response), self._max_pause)
            # Jitter within the pause would start some requests too early; without jitter all would start at its end.
            return RetryDecision(RetryReason.THROTTLED, pause + next(self._throttle_backoff), COST_THROTTLED)
        if retry_mode is RetryMode.ONCE and not self._retried_once:
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


def _retry_mode(status_rule: StatusRule | None) -> RetryMode:
    return RetryMode.NEVER if status_rule is None else status_rule.retry
