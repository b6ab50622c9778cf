"""Rules in Python: the same as in JSON, with durations as `timedelta`. Both are validated by the contract."""

from datetime import timedelta
from typing import Any, Literal

import attrs

from .contract import load_contract
from .errors import SandboxError
from .simulation.outcomes import CallbackOrder, OutcomeName
from .simulation.rules import MAX_RULES, Rules, TooManyRules

RuleEndpoint = Literal["standard", "transactional", "otp", "viber-otp", "token", "reading"]
"""Requests that a rule may match: one of the sends, requests for a token, or all reads."""

FaultName = Literal["reset", "reset-before", "hang", "truncated"]
"""Connection faults that a rule may inject."""


@attrs.frozen
class MessageScript:
    """Script of a message: its outcome, its time, and its detailedStatus.

    `after` is virtual time since the message was sent. An outcome later than the ttl becomes an expiry:
    `MessageScript("delivered", after=timedelta(minutes=2))` of a step with a ttl of one minute fails over.
    """

    outcome: OutcomeName
    after: timedelta | None = None
    detail: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the script in JSON."""
        return as_json(outcome=self.outcome, after=_seconds(self.after), detail=self.detail)


@attrs.frozen
class ResponseScript:
    """Response that is sent instead of accepting a flow.

    Either an HTTP status of at least 400, in the error format of the service, with or without a Retry-After; or
    `ResponseScript(insufficient_balance=True)`, which each endpoint expresses in its own way.
    """

    status: int | None = None
    retry_after: timedelta | None = None
    insufficient_balance: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the script in JSON; a Retry-After is in whole seconds."""
        seconds = _seconds(self.retry_after)
        return as_json(
            status=self.status,
            retryAfter=int(seconds) if seconds is not None and seconds.is_integer() else seconds,
            insufficientBalance=self.insufficient_balance or None,
        )


@attrs.frozen
class CallbackScript:
    """Script of a flow's callbacks: how many times each is posted, in which order, with which delay, or never."""

    repeat: int = 1
    order: CallbackOrder = "as-is"
    delay: timedelta = timedelta(0)
    drop: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the script in JSON."""
        return {"repeat": self.repeat, "order": self.order, "delay": to_seconds(self.delay), "drop": self.drop}


def as_json(**members: object) -> dict[str, Any]:
    """Return the members that are not None, in JSON. Other values are left unchanged: the contract rejects them."""
    given = {name: value for name, value in members.items() if value is not None}
    return {name: _to_json(value) for name, value in given.items()}


def add_rule(rules: Rules, definition: dict[str, Any]) -> str:
    """Add a rule from its JSON and return its id. Raises `SandboxError` for an invalid rule, and for one too many."""
    try:
        violations = load_contract().check_body("addSandboxRule", definition)
        if not violations:
            return rules.add(definition).stored.id
        reason = "; ".join(f"{violation.location} {violation.reason}".strip() for violation in violations)
    except (TypeError, ValueError):
        reason = "its values must be JSON values"
    except TooManyRules:
        reason = f"there are {MAX_RULES} rules already, the maximum; remove some first"
    raise SandboxError(f"the rule cannot be added: {reason}")


def _to_json(value: object) -> object:
    return value.as_json() if isinstance(value, MessageScript | ResponseScript | CallbackScript) else value


def to_seconds(duration: timedelta) -> float:
    """Return the seconds of a duration. Raises `SandboxError` for a bare number, whose unit is unclear."""
    if not isinstance(duration, timedelta):
        raise SandboxError("a duration must be a timedelta, such as timedelta(seconds=30)")
    return duration.total_seconds()


def _seconds(duration: timedelta | None) -> float | None:
    return None if duration is None else to_seconds(duration)
