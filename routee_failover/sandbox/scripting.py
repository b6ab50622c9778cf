"""The words of a rule in Python: the same as in JSON, with durations as `timedelta`. The contract judges both."""

from datetime import timedelta
from typing import Any, Literal

import attrs

from .contract import load_contract
from .errors import SandboxError
from .simulation.outcomes import CallbackOrder, OutcomeName
from .simulation.rules import MAX_RULES, Rules, TooManyRules

RuleEndpoint = Literal["standard", "transactional", "otp", "viber-otp", "token", "reading"]
"""What a rule may be about: a send, requests for a token, or all that only read."""

FaultName = Literal["reset", "reset-before", "hang", "truncated"]
"""What a rule may have go wrong with a connection."""


@attrs.frozen
class MessageScript:
    """What becomes of a message: how it ends, when, and with which detailedStatus.

    `after` is virtual time from the moment in which the message is sent. One that would come later than its ttl
    expires: `Play("delivered", after=timedelta(minutes=2))` of a step with a ttl of one minute fails over.
    """

    outcome: OutcomeName
    after: timedelta | None = None
    detail: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The same in JSON."""
        return as_json(outcome=self.outcome, after=_seconds(self.after), detail=self.detail)


@attrs.frozen
class ResponseScript:
    """What is answered in the place of taking a flow.

    Either an HTTP status from 400 on, in the words of the service that is asked, with a Retry-After or without; or
    `Answer(insufficient_balance=True)`, which each endpoint says in its own way.
    """

    status: int | None = None
    retry_after: timedelta | None = None
    insufficient_balance: bool = False

    def as_json(self) -> dict[str, Any]:
        """The same in JSON; a Retry-After is in whole seconds."""
        seconds = _seconds(self.retry_after)
        return as_json(
            status=self.status,
            retryAfter=int(seconds) if seconds is not None and seconds.is_integer() else seconds,
            insufficientBalance=self.insufficient_balance or None,
        )


@attrs.frozen
class CallbackScript:
    """What becomes of a flow's callbacks: how often each is posted, in which order, how late, or never."""

    repeat: int = 1
    order: CallbackOrder = "as-is"
    delay: timedelta = timedelta(0)
    drop: bool = False

    def as_json(self) -> dict[str, Any]:
        """The same in JSON."""
        return {"repeat": self.repeat, "order": self.order, "delay": to_seconds(self.delay), "drop": self.drop}


def as_json(**members: object) -> dict[str, Any]:
    """The members that were given, in JSON. What has no JSON is left as it is: the contract refuses it."""
    given = {name: value for name, value in members.items() if value is not None}
    return {name: _value(value) for name, value in given.items()}


def add_rule(rules: Rules, definition: dict[str, Any]) -> str:
    """Make a rule of its JSON and give its id. Raises `SandboxError` for one that cannot be."""
    try:
        violations = load_contract().check_body("addSandboxRule", definition)
        if not violations:
            return rules.add(definition).stored.id
        why = "; ".join(f"{violation.location} {violation.reason}".strip() for violation in violations)
    except (TypeError, ValueError):
        why = "its values must be such as JSON has"
    except TooManyRules:
        why = f"there are {MAX_RULES} already"
    raise SandboxError(f"there can be no such rule: {why}")


def _value(value: object) -> object:
    return value.as_json() if isinstance(value, MessageScript | ResponseScript | CallbackScript) else value


def to_seconds(duration: timedelta) -> float:
    """The seconds of a duration. Raises `SandboxError` for a bare number, of which nobody knows the unit."""
    if not isinstance(duration, timedelta):
        raise SandboxError("a duration must be a timedelta, such as timedelta(seconds=30)")
    return duration.total_seconds()


def _seconds(duration: timedelta | None) -> float | None:
    return None if duration is None else to_seconds(duration)
