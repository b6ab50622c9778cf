"""What one attempt showed, and the one place that decides what it proves. No I/O happens here.

`STATUS_RULES` is the whole table; `Config(status_rules=...)` changes lines of it.
"""

import functools
import re
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

import attrs

from ._value_object import ValueObject
from .errors import InvalidConfig, Outcome


@attrs.frozen(slots=False, eq=False, repr=False)
class Response(ValueObject):
    """An HTTP answer, read whole and within its limit."""

    status: int
    body: bytes = attrs.field(repr=lambda body: f"<{len(body)} bytes>")
    retry_after: float | None = None
    """The pause in seconds that the answer asks for, however it says it."""


@attrs.frozen(slots=False, eq=False, repr=False)
class AttemptResult(ValueObject):
    """What one attempt showed: whether a byte of the request can have left, and what came back.

    `reason` says in one line why there is no answer; it holds nothing that was sent or received. `permanent` says that
    another try would end the same way. `bytes_written` counts the bytes, head and body, that were given to the connection; it
    is 0 for a request without a body, which is not counted.
    `stale_connection`: the pooled connection had been closed by the server before anything was written.
    """

    may_have_been_sent: bool
    response: Response | None = None
    reason: str = ""
    permanent: bool = False
    bytes_written: int = 0
    stale_connection: bool = False

    @property
    def summary(self) -> str:
        """What came of it, in a line for a person."""
        return self.reason or f"Routee answered {self.response.status if self.response else 'nothing'}"


class RetryMode(StrEnum):
    """When a request that was refused is made again."""

    NEVER = "never"
    ONCE = "once"
    """One more time, after a short pause: the server says that it was not its time."""
    AFTER_PAUSE = "after a pause"
    """Once the pause is over that the answer asks for; until then the whole client waits."""
    NEW_TOKEN = "with a new token"  # noqa: S105  # no token, but what to do about one
    """One more time, after the token was renewed; for a 403 only if that gave another token."""


def _check_outcome(_rule: object, _attribute: "attrs.Attribute[Outcome]", value: object) -> None:
    if not isinstance(value, Outcome) or value is Outcome.NOT_SENT:
        raise InvalidConfig(
            "the outcome of a status is ACCEPTED, REJECTED or UNKNOWN: an answer shows that it was sent"
        )


def _check_again(rule: "StatusRule", _attribute: "attrs.Attribute[RetryMode]", value: object) -> None:
    if not isinstance(value, RetryMode):
        raise InvalidConfig("what follows a status is an RetryMode, such as RetryMode.AFTER_PAUSE")
    if value is not RetryMode.NEVER and rule.outcome is not Outcome.REJECTED:
        raise InvalidConfig("only what is REJECTED may be sent again: anything else could arrive twice")


@attrs.frozen(slots=False, eq=False, repr=False)
class StatusRule(ValueObject):
    """What a status proves about a message, and whether the message is sent again for it.

    Only what was refused may be sent again: `InvalidConfig` for any other.
    """

    outcome: Outcome = attrs.field(validator=_check_outcome)
    retry: RetryMode = attrs.field(default=RetryMode.NEVER, validator=_check_again)


_REFUSED = StatusRule(Outcome.REJECTED)
_UNKNOWN = StatusRule(Outcome.UNKNOWN)

STATUS_RULES: Mapping[str, StatusRule] = MappingProxyType(
    {
        "2xx": StatusRule(Outcome.ACCEPTED),
        "3xx": _REFUSED,
        "4xx": _REFUSED,
        # 403 as well as 401: Routee answers it to an expired token and to a missing role alike
        # (https://docs.routee.net/reference/authentication).
        "401": StatusRule(Outcome.REJECTED, RetryMode.NEW_TOKEN),
        "403": StatusRule(Outcome.REJECTED, RetryMode.NEW_TOKEN),
        "408": StatusRule(Outcome.REJECTED, RetryMode.ONCE),
        "425": StatusRule(Outcome.REJECTED, RetryMode.ONCE),
        "429": StatusRule(Outcome.REJECTED, RetryMode.AFTER_PAUSE),
        "5xx": _UNKNOWN,
        # Inferred: a server that knows when to come back has not taken the message.
        "503 with Retry-After": StatusRule(Outcome.REJECTED, RetryMode.AFTER_PAUSE),
    }
)
"""What every status proves: the most exact line counts, and a status without a line proves nothing."""

RETRY_AFTER_SUFFIX = " with Retry-After"
_is_line = re.compile(r"[2-5](xx|\d\d)(" + RETRY_AFTER_SUFFIX + ")?").fullmatch


class StatusTable:
    """`STATUS_RULES` with some lines of one's own over it. Raises `InvalidConfig` for a line that is none."""

    def __init__(self, overrides: Mapping[str, StatusRule] = MappingProxyType({})) -> None:
        for line, rule in overrides.items():
            if not isinstance(line, str) or not _is_line(line):
                raise InvalidConfig('a line of status_rules is named like "502", "5xx" or "503 with Retry-After"')
            if not isinstance(rule, StatusRule):
                raise InvalidConfig(f"status_rules: {line} must be given a StatusRule")
        self._rules = {**STATUS_RULES, **overrides}
        self._plain = {status: self._rule(str(status), "") for status in range(200, 600)}
        self._pausing = {status: self._rule(str(status), RETRY_AFTER_SUFFIX) for status in range(200, 600)}

    def _rule(self, status: str, ending: str) -> StatusRule:
        lines = dict.fromkeys((status + ending, status, f"{status[0]}xx{ending}", f"{status[0]}xx"))
        return next(self._rules[line] for line in lines if line in self._rules)

    def rule_for(self, response: Response) -> StatusRule:
        """What an answer proves, and what follows from it."""
        rules = self._plain if response.retry_after is None else self._pausing
        return rules.get(response.status, _UNKNOWN)


@functools.cache
def default_status_table() -> StatusTable:
    """The table without changes."""
    return StatusTable()


def outcome_of(result: AttemptResult, table: StatusTable | None = None) -> Outcome:
    """What an attempt proves about a message.

    Without an answer the first byte decides: NOT_SENT as long as none can have left, and UNKNOWN after it. An answer
    proves what the table says of its status.
    """
    if result.response is not None:
        return (table or default_status_table()).rule_for(result.response).outcome
    return Outcome.UNKNOWN if result.may_have_been_sent else Outcome.NOT_SENT
