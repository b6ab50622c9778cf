"""Attempt results and the single place that decides what they prove (sans-I/O).

`STATUS_RULES` is the complete table of HTTP statuses; `Config(status_rules=...)` overrides lines of it.
"""

import functools
import itertools
import re
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

import attrs

from ._value_object import ValueObject
from .errors import InvalidConfig, Outcome


@attrs.frozen(slots=False, eq=False, repr=False)
class Response(ValueObject):
    """An HTTP response, read completely and within `Config.max_response_size`."""

    status: int
    body: bytes = attrs.field(repr=lambda body: f"<{len(body)} bytes>")
    retry_after: float | None = None
    """Pause in seconds that the response asks for, in whatever form it says so."""
    may_be_unsolicited: bool = False
    """Whether it may have crossed the request: it came on a connection that was used before and stays open."""


@attrs.frozen(slots=False, eq=False, repr=False)
class AttemptResult(ValueObject):
    """Result of one attempt: whether a byte of the request can have left, and the response.

    - `may_have_been_sent`: whether a byte of the request can have left this machine.
    - `response`: the HTTP response, `None` if there was none.
    - `reason`: why there is no response, in one line; it holds nothing that was sent or received.
    - `permanent`: another attempt would end the same way.
    - `bytes_written`: bytes, head and body, that were passed to the connection; 0 with a `Config.session_factory`,
      where they are not counted.
    - `cause`: the failure was one of this process and not of the connection: a copy of the exception without frames, in
      which digits and secrets are masked. Events do not hold it.
    - `stale_connection`: the pooled connection could not be used any more, because the server had closed it or
      unsolicited data had come on it; nothing was written.
    """

    may_have_been_sent: bool
    response: Response | None = None
    reason: str = ""
    permanent: bool = False
    bytes_written: int = 0
    stale_connection: bool = False
    cause: Exception | None = attrs.field(default=None, repr=False, hash=False)

    @property
    def summary(self) -> str:
        """Description of the result in one line."""
        return self.reason or f"Routee answered {self.response.status if self.response else 'nothing'}"


class RetryMode(StrEnum):
    """When a rejected request is retried. The values complete "a rejected message is sent again ..."."""

    NEVER = "never"
    ONCE = "once"
    """One more time, after a short backoff: the server says that the request came at the wrong time (408, 425)."""
    AFTER_PAUSE = "after a pause"
    """After the pause that the response asks for; until then the client sends nothing in this event loop."""
    NEW_TOKEN = "with a new token"  # noqa: S105  # not a token, but what to do about one
    """One more time, after the token was renewed; for a 403 only if that gave another token."""


def _check_outcome(_rule: object, _attribute: "attrs.Attribute[Outcome]", value: object) -> None:
    if not isinstance(value, Outcome) or value is Outcome.NOT_SENT:
        raise InvalidConfig(
            "the outcome of a status must be ACCEPTED, REJECTED or UNKNOWN: a response proves that it was sent"
        )


def _check_retry(rule: "StatusRule", _attribute: "attrs.Attribute[RetryMode]", value: object) -> None:
    if not isinstance(value, RetryMode):
        raise InvalidConfig("the retry of a status must be a RetryMode, such as RetryMode.AFTER_PAUSE")
    if value is not RetryMode.NEVER and rule.outcome is not Outcome.REJECTED:
        raise InvalidConfig("only a REJECTED message may be sent again: any other could arrive twice")


@attrs.frozen(slots=False, eq=False, repr=False)
class StatusRule(ValueObject):
    """What an HTTP status proves about a message, and whether the message is retried.

    - `outcome`: ACCEPTED, REJECTED or UNKNOWN. NOT_SENT is impossible: a response proves that the request was sent.
    - `retry`: when a rejected message is sent again.

    Raises `InvalidConfig` for any other value, and for a retry of a message that is not REJECTED.
    """

    outcome: Outcome = attrs.field(validator=_check_outcome)
    retry: RetryMode = attrs.field(default=RetryMode.NEVER, validator=_check_retry)


_REJECTED = StatusRule(Outcome.REJECTED)
_UNKNOWN = StatusRule(Outcome.UNKNOWN)

STATUS_RULES: Mapping[str, StatusRule] = MappingProxyType(
    {
        "2xx": StatusRule(Outcome.ACCEPTED),
        "3xx": _REJECTED,
        "4xx": _REJECTED,
        # 403 as well as 401: Routee responds with it to an expired token and to a missing role alike
        # (https://docs.routee.net/reference/authentication).
        "401": StatusRule(Outcome.REJECTED, RetryMode.NEW_TOKEN),
        "403": StatusRule(Outcome.REJECTED, RetryMode.NEW_TOKEN),
        "408": StatusRule(Outcome.REJECTED, RetryMode.ONCE),
        "425": StatusRule(Outcome.REJECTED, RetryMode.ONCE),
        "429": StatusRule(Outcome.REJECTED, RetryMode.AFTER_PAUSE),
        # A server says 408 when it has waited for a request in vain, and 425 may be about an earlier one. If it leaves
        # the connection open, it reads on, and accepts the request that was on its way.
        "408 on an open connection": _UNKNOWN,
        "425 on an open connection": _UNKNOWN,
        "5xx": _UNKNOWN,
        # Inferred: a server that says when to retry has not accepted the message.
        "503 with Retry-After": StatusRule(Outcome.REJECTED, RetryMode.AFTER_PAUSE),
    }
)
"""What every HTTP status proves. The most specific line applies; a status without a line proves nothing (UNKNOWN)."""

RETRY_AFTER_SUFFIX = " with Retry-After"
OPEN_CONNECTION_SUFFIX = " on an open connection"
"""The response came on a connection that had served before, and without `Connection: close`."""
_is_valid_key = re.compile(rf"[2-5](xx|\d\d)({RETRY_AFTER_SUFFIX}|{OPEN_CONNECTION_SUFFIX})?").fullmatch


_KINDS = tuple(itertools.product((False, True), repeat=2))
"""Responses by whether they ask for a pause, and whether they may be unsolicited."""


class StatusTable:
    """Lookup table of status rules: `STATUS_RULES` with overrides.

    Raises `InvalidConfig` for an override whose key names no status or whose value is not a `StatusRule`.
    """

    def __init__(self, overrides: Mapping[str, StatusRule] = MappingProxyType({})) -> None:
        for key, rule in overrides.items():
            if not isinstance(key, str) or not _is_valid_key(key):
                raise InvalidConfig(
                    "a key of status_rules must look like "
                    '"502", "5xx", "503 with Retry-After" or "408 on an open connection"'
                )
            if not isinstance(rule, StatusRule):
                raise InvalidConfig(f"status_rules: {key} must have a StatusRule as its value")
        self._rules = {**STATUS_RULES, **overrides}
        self._rules_by_status = {
            kind: {status: self._rule(str(status), *kind) for status in range(200, 600)} for kind in _KINDS
        }

    def _rule(self, status: str, has_pause: bool, may_be_unsolicited: bool) -> StatusRule:  # a kind
        suffixes = [OPEN_CONNECTION_SUFFIX] * may_be_unsolicited + [RETRY_AFTER_SUFFIX] * has_pause + [""]
        keys = [name + suffix for name in (status, f"{status[0]}xx") for suffix in suffixes]
        return next(self._rules[key] for key in keys if key in self._rules)

    def rule_for(self, response: Response) -> StatusRule:
        """Return the rule for a response: what it proves, and whether the request is retried."""
        rules = self._rules_by_status[response.retry_after is not None, response.may_be_unsolicited]
        return rules.get(response.status, _UNKNOWN)


@functools.cache
def default_status_table() -> StatusTable:
    """Return the table without overrides; built once."""
    return StatusTable()


def outcome_of(result: AttemptResult, table: StatusTable | None = None) -> Outcome:
    """Return what an attempt proves about a message.

    With a response, the table decides by its status. Without one, the first byte decides: NOT_SENT if none can have
    left, UNKNOWN otherwise.
    """
    if result.response is not None:
        return (table or default_status_table()).rule_for(result.response).outcome
    return Outcome.UNKNOWN if result.may_have_been_sent else Outcome.NOT_SENT
