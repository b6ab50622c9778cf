"""How a bulk run goes: how fast, how wide, when, and when it had better stop and ask."""

from collections.abc import Container
from datetime import timedelta
from typing import Any

import attrs

from .._validators import check_bool, check_fraction, check_positive_duration, check_positive_int, check_rate
from .._value_object import ValueObject
from ..errors import InvalidConfig
from ..webhooks import CallbackSigner
from .reconciliation import UnknownPolicy
from .send_window import SendWindow


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class ErrorBudget(ValueObject):
    """How many of the last messages may fail before the run pauses.

    What was refused, not sent, or of unknown outcome counts; what was invalid does not, because nobody was asked. Each
    pause is twice as long as the one before, up to ten times the first; a message that is accepted ends that.
    """

    max_failure_share: float = attrs.field(default=0.2, validator=check_fraction)
    """Of the last `among` messages, once there are `least`."""
    sample_size: int = attrs.field(default=200, validator=check_positive_int)
    min_messages: int = attrs.field(default=50, validator=check_positive_int)
    pause: timedelta = attrs.field(default=timedelta(seconds=30), validator=check_positive_duration)
    """The first pause."""


def _check(kind: type | tuple[type, ...], words: str) -> Any:
    def check(_settings: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
        if not isinstance(value, kind):
            raise InvalidConfig(f"{attribute.name} must be {words}")

    return attrs.validators.optional(check)


_MIN_LEASE = timedelta(milliseconds=10)


def _check_lease(settings: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    check_positive_duration(settings, attribute, value)
    if isinstance(value, timedelta) and value < _MIN_LEASE:
        raise InvalidConfig("lease must be 10 ms at least: a claim takes its time, too")


def _check_suppression(_settings: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    if isinstance(value, str | bytes | list | tuple | set | frozenset | dict) or not hasattr(value, "__contains__"):
        # A name of a file holds no number, and a plain set holds only those that are written like the recipients'.
        raise InvalidConfig(
            f"{attribute.name} must be a SuppressionList, which checks each number (SuppressionList.read(path) or "
            "SuppressionList(numbers)), or an object of your own with __contains__"
        )


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class BulkSettings(ValueObject):
    """The settings of a bulk run. Raises `InvalidConfig` for one that cannot work."""

    rate: float | None = attrs.field(default=None, validator=attrs.validators.optional(check_rate))
    """How many messages a second are begun at most; `None` for as many as there is room for."""
    concurrency: int = attrs.field(default=100, validator=check_positive_int)
    """How many may be under way at once. `Config.pool_size` is a limit beside it."""
    deadline: timedelta | None = attrs.field(default=None, validator=attrs.validators.optional(check_positive_duration))
    """After how long from its turn a message is worth nothing. It is dropped then, as EXPIRED, also where its outcome
    was unknown and it turns out later that Routee has not taken it."""
    send_window: SendWindow | None = attrs.field(default=None, validator=_check(SendWindow, "a SendWindow"))
    """The hours in which people are written to, by the clock of the recipient."""
    error_budget: ErrorBudget | None = attrs.field(factory=ErrorBudget, validator=_check(ErrorBudget, "an ErrorBudget"))
    """When too many failures pause the run; `None` for never."""
    stall_timeout: timedelta = attrs.field(default=timedelta(minutes=10), validator=check_positive_duration)
    """How long the run waits in pauses, with no message accepted, before it stops by itself. What is not sent stays in
    the ledger for the next run. Quiet hours do not count."""
    on_unknown: UnknownPolicy = attrs.field(
        default=UnknownPolicy.RECONCILE, validator=_check(UnknownPolicy, "an UnknownPolicy")
    )
    """What is done about messages of unknown outcome."""
    reconcile_after: timedelta | None = attrs.field(
        default=None, validator=attrs.validators.optional(check_positive_duration)
    )
    """How long a message has to be unknown before a search that does not find it proves that Routee has not taken it:
    longer than Routee's search may lag behind. `None` is the time to live of the flows and a minute, from 2 minutes to
    10; what an SMS without a ttl takes, 20 hours, is 10 minutes here."""
    callbacks: CallbackSigner | None = attrs.field(default=None, validator=_check(CallbackSigner, "a CallbackSigner"))
    """Makes the address that each message is called back at; give what comes in to `BulkSender.note`."""
    add_labels: bool = attrs.field(default=True, validator=check_bool)
    """Whether messages carry a label by which they are found again; without it a search proves nothing."""
    suppression_list: Container[str] | None = attrs.field(
        default=None, validator=attrs.validators.optional(_check_suppression)
    )
    """Numbers that are never written to: a `SuppressionList`, or an object of your own that is asked for each recipient
    in E.164 by `in`, right before its message is claimed."""
    max_messages: int | None = attrs.field(default=None, validator=attrs.validators.optional(check_positive_int))
    """How many messages of the ledger may have left at most, earlier runs included: accepted, rejected, unknown and
    under way. A higher one sends more. It cannot be kept together with `UnknownPolicy.RESEND`."""
    lease: timedelta = attrs.field(default=timedelta(minutes=1), validator=_check_lease)
    """How long an intent is held before the first byte has to have left; a process that was frozen for longer does not
    send what it held."""

    def __attrs_post_init__(self) -> None:
        if self.max_messages is not None and self.on_unknown is UnknownPolicy.RESEND:
            raise InvalidConfig(
                "max_messages cannot be kept with on_unknown resend, by which Routee may get one message twice"
            )
