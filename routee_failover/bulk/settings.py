"""Settings of a bulk run: rate, concurrency, send window, error budget, reconciliation and limits."""

from collections.abc import Container
from datetime import timedelta
from typing import Any, cast

import attrs

from .._validators import (
    check_bool,
    check_fraction,
    check_hook,
    check_positive_duration,
    check_positive_int,
    check_rate,
)
from .._value_object import ValueObject
from ..errors import InvalidConfig
from ..webhooks import CallbackSigner
from .reconciliation import UnknownPolicy
from .send_window import SendWindow


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class ErrorBudget(ValueObject):
    """Error budget: how many of the most recent messages may fail before the run pauses.

    Rejected, unsent and unknown messages count; invalid ones do not, because no request was made. Each pause is twice
    as long as the one before, up to ten times the first; once messages are accepted again, the first length applies.
    """

    max_failure_share: float = attrs.field(default=0.2, validator=check_fraction)
    """Of the last `sample_size` messages, once there are `min_messages`."""
    sample_size: int = attrs.field(default=200, validator=check_positive_int)
    min_messages: int = attrs.field(default=50, validator=check_positive_int)
    pause: timedelta = attrs.field(default=timedelta(seconds=30), validator=check_positive_duration)
    """Length of the first pause."""


def _check(kind: type | tuple[type, ...], expected: str) -> Any:
    def check(_settings: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
        if not isinstance(value, kind):
            raise InvalidConfig(f"{attribute.name} must be {expected}")

    return attrs.validators.optional(check)


_MIN_LEASE = timedelta(milliseconds=10)


def _check_lease(settings: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    check_positive_duration(settings, attribute, value)
    if isinstance(value, timedelta) and value < _MIN_LEASE:
        raise InvalidConfig("lease must be at least 10 ms: a claim itself takes time")


def _check_suppression(_settings: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    if isinstance(value, str | bytes | list | tuple | set | frozenset | dict) or not hasattr(value, "__contains__"):
        # A file name contains no number, and a plain set matches only numbers in the same notation.
        raise InvalidConfig(
            f"{attribute.name} must be a SuppressionList, which checks each number (SuppressionList.read(path) or "
            "SuppressionList(numbers)), or an object of your own with __contains__"
        )
    check_hook(f"the __contains__ method of {attribute.name}", cast("Any", value).__contains__)


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class BulkSettings(ValueObject):
    """Settings of a bulk run. Raises `InvalidConfig` for invalid values."""

    rate: float | None = attrs.field(default=None, validator=attrs.validators.optional(check_rate))
    """Maximum number of messages per second; `None` for no rate limit."""
    concurrency: int = attrs.field(default=100, validator=check_positive_int)
    """Maximum number of messages in flight. `Config.pool_size` also limits it."""
    deadline: timedelta | None = attrs.field(default=None, validator=attrs.validators.optional(check_positive_duration))
    """How long a message is useful, from the time at which its sending begins. After that it is dropped as EXPIRED,
    even if its outcome was unknown and it turns out later that Routee did not accept it. Time in which
    the machine sleeps counts while a message is sent, but not between two attempts."""
    send_window: SendWindow | None = attrs.field(default=None, validator=_check(SendWindow, "a SendWindow"))
    """The hours in which messages may be sent to a recipient, in their local time."""
    error_budget: ErrorBudget | None = attrs.field(factory=ErrorBudget, validator=_check(ErrorBudget, "an ErrorBudget"))
    """How many failures pause the run; `None` for no limit."""
    stall_timeout: timedelta = attrs.field(default=timedelta(minutes=10), validator=check_positive_duration)
    """How long the run waits in pauses, with no message accepted, before it stops by itself. Unsent messages stay in
    the ledger for the next run. Waiting for a send window does not count."""
    on_unknown: UnknownPolicy = attrs.field(
        default=UnknownPolicy.RECONCILE, validator=_check(UnknownPolicy, "an UnknownPolicy")
    )
    """What to do about messages of unknown outcome."""
    reconcile_after: timedelta | None = attrs.field(
        default=None, validator=attrs.validators.optional(check_positive_duration)
    )
    """How long a message must be unknown before a search that does not find it proves that Routee did not accept it:
    longer than Routee's search may lag. `None` is the time to live of the flows and a minute, from 2 minutes to 10; an
    SMS without a ttl, whose default is 20 hours, gives 10 minutes."""
    callbacks: CallbackSigner | None = attrs.field(default=None, validator=_check(CallbackSigner, "a CallbackSigner"))
    """Signs the callback URL of each message; pass the callbacks to `BulkSender.handle_callback`."""
    add_labels: bool = attrs.field(default=True, validator=check_bool)
    """Whether messages carry a label by which they are found again; without one a search proves nothing."""
    suppression_list: Container[str] | None = attrs.field(
        default=None, validator=attrs.validators.optional(_check_suppression)
    )
    """Numbers that are never written to: a `SuppressionList`, or any object that is asked for each recipient in
    E.164 by `in`, right before its message is claimed."""
    max_messages: int | None = attrs.field(default=None, validator=attrs.validators.optional(check_positive_int))
    """Maximum number of messages of the ledger that are sent, earlier runs included: accepted, rejected, unknown and
    in flight. A later run with a higher limit sends more. It cannot be combined with `UnknownPolicy.RESEND`."""
    lease: timedelta = attrs.field(default=timedelta(minutes=1), validator=_check_lease)
    """How long a claim is valid before the first byte must have been sent; a process that was frozen for longer does
    not send what it had claimed."""

    def __attrs_post_init__(self) -> None:
        if self.max_messages is not None and self.on_unknown is UnknownPolicy.RESEND:
            raise InvalidConfig(
                "max_messages cannot be combined with on_unknown resend, by which Routee may get one message twice"
            )
