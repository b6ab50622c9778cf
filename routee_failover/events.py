"""What happens on the way, as frozen events for whoever wants to see it: logs, metrics, traces.

The client tells every observer in `Config(observers=...)` each event, and an inbox those in
`CallbackInbox(observers=...)`, in the order in which they happen and from the
event loop that they happen in, so that an observer must not block. One that raises is logged and never harms a send;
only what ends the process, `KeyboardInterrupt` and `SystemExit`, passes.
No event holds a body, a token, a PIN or a phone number.
"""

import logging
from asyncio import CancelledError
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Protocol, TypeAlias, runtime_checkable

import attrs

from ._value_object import ValueObject
from .errors import Outcome
from .outcomes import AttemptResult

_log = logging.getLogger("routee_failover")


def _without_body(evidence: AttemptResult) -> AttemptResult:
    """What observers see of an attempt: an answer holds what it quotes of a message, or a token."""
    answer = evidence.response
    return evidence if answer is None else attrs.evolve(evidence, response=attrs.evolve(answer, body=b""))


@attrs.frozen(slots=False, eq=False, repr=False)
class AttemptStarted(ValueObject):
    """A request goes out: one try of a call.

    `request_id` numbers the calls of a client in one event loop; 0 stands for token requests and for the breaker's probes.
    `attempt` numbers the tries of a call.
    """

    request_id: int
    attempt: int
    method: str
    path: str


@attrs.frozen(slots=False, eq=False, repr=False)
class AttemptEnded(ValueObject):
    """What became of one try. It also comes for a send whose caller has left: its outcome is learned here.

    `result` comes without the body of the answer. `abandoned` says that the caller had left by then, but only after
    the first byte had, and `seconds` how long it took.
    """

    request_id: int
    attempt: int
    method: str
    path: str
    result: AttemptResult = attrs.field(converter=_without_body)
    outcome: Outcome
    seconds: float
    abandoned: bool = False


@attrs.frozen(slots=False, eq=False, repr=False)
class RetryScheduled(ValueObject):
    """A call is tried again after `delay` seconds, and why that is safe."""

    request_id: int
    attempt: int
    reason: str
    delay: float


@attrs.frozen(slots=False, eq=False, repr=False)
class RetryBudgetExhausted(ValueObject):
    """A call could safely be tried again and is not: the client has spent its budget for that."""

    request_id: int
    attempt: int
    reason: str


@attrs.frozen(slots=False, eq=False, repr=False)
class TokenRenewed(ValueObject):
    """A new access token, and how many seconds it is good for."""

    expires_in: float


@attrs.frozen(slots=False, eq=False, repr=False)
class ThrottlePaused(ValueObject):
    """Routee asked for a pause with this status: the whole client sends nothing for so many seconds."""

    status: int
    seconds: float


@attrs.frozen(slots=False, eq=False, repr=False)
class CircuitBreakerChanged(ValueObject):
    """The breaker is now `open`, `probing` or `closed`; `reason` is what was seen last."""

    state: str
    reason: str = ""


@attrs.frozen(slots=False, eq=False, repr=False)
class CallbackRejected(ValueObject):
    """A receiver answered a request with another status than 200, so that Routee, if it was Routee, repeats it."""

    status: int
    reason: str


@attrs.frozen(slots=False, eq=False, repr=False)
class CallbackDropped(ValueObject):
    """A callback was taken and is not handed out, and why.

    `kind` is `flow`, `otp` or `inbound`. `tracking_id` is the id of the flow, and `None` for what a person wrote.
    `lost` says that it would have told something new.
    """

    kind: str
    tracking_id: str | None
    reason: str
    lost: bool


@attrs.frozen(slots=False, eq=False, repr=False)
class HandlerFailed(ValueObject):
    """What a callback was handed to raised `error`, which is the name of a class. It is not handed there again."""

    handler: str
    error: str
    kind: str
    tracking_id: str | None


Event: TypeAlias = (
    AttemptStarted
    | AttemptEnded
    | RetryScheduled
    | RetryBudgetExhausted
    | TokenRenewed
    | ThrottlePaused
    | CircuitBreakerChanged
    | CallbackRejected
    | CallbackDropped
    | HandlerFailed
)


@runtime_checkable
class Observer(Protocol):
    """Whoever wants to see events."""

    def observe(self, event: Event, /) -> None:
        """Take note of an event, without blocking."""


class LoggingObserver:
    """Writes each event to a logger: what ended well at DEBUG, what is done about trouble at INFO, trouble at WARNING.

    The event stands in the record as `routee_event`, for whoever logs in a structure.
    """

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._log = logger or _log

    def observe(self, event: Event, /) -> None:
        """Log one event."""
        level = _level_of(event)
        if self._log.isEnabledFor(level):
            self._log.log(level, "%s", _words(event), extra={"routee_event": event})


def _level_of(event: Event) -> int:
    match event:
        case AttemptEnded(outcome=outcome):
            return logging.DEBUG if outcome is Outcome.ACCEPTED else logging.WARNING
        case RetryScheduled() | ThrottlePaused():
            return logging.INFO
        case (
            RetryBudgetExhausted() | CircuitBreakerChanged() | CallbackDropped(lost=True) | CallbackRejected(status=503)
        ):
            return logging.WARNING
        case CallbackRejected(status=status) if status not in _FROM_ANYBODY:
            return logging.INFO
        case HandlerFailed():
            return logging.ERROR
        case _:
            return logging.DEBUG


_FROM_ANYBODY = (404, 405)
"""What a receiver answers to those who try addresses; there is no end of them."""


def _words(event: Event) -> str:
    match event:
        case AttemptStarted():
            return f"call {event.request_id}: {event.method} {event.path}, try {event.attempt}"
        case AttemptEnded(result=AttemptResult(response=answer, reason=cause)):
            what = f"answered {answer.status}" if answer else cause
            left = ", after its caller had left" if event.abandoned else ""
            return f"call {event.request_id}: {event.outcome} in {event.seconds:.3f} s ({what}){left}"
        case RetryScheduled():
            return f"call {event.request_id}: once more in {event.delay:.3f} s: {event.reason}"
        case RetryBudgetExhausted():
            return f"call {event.request_id}: not tried again, though it would be safe: {event.reason}"
        case TokenRenewed():
            return f"a new token, good for {event.expires_in:.0f} s"
        case ThrottlePaused():
            return f"Routee answered {event.status}: nothing is sent for {event.seconds:.1f} s"
        case CallbackRejected():
            return f"a callback was answered {event.status}: {event.reason}"
        case CallbackDropped():
            return f"a callback ({_subject(event)}) is not handed out: {event.reason}"
        case HandlerFailed():
            return f"{event.handler} raised {event.error} on a callback ({_subject(event)})"
        case _:
            return f"the breaker is {event.state}{f': {event.reason}' if event.reason else ''}"


def _subject(event: CallbackDropped | HandlerFailed) -> str:
    return event.kind if event.tracking_id is None else f"{event.kind} {event.tracking_id}"


class ObserverGroup:
    """All observers of a client as one, which never raises."""

    def __init__(self, observers: Iterable[Observer]) -> None:
        self._observers = tuple(observers)

    def __bool__(self) -> bool:
        return bool(self._observers)

    def emit(self, event: Any) -> None:
        """Tell everybody, whatever they do about it."""
        for observer in self._observers:
            try:
                observer.observe(event)
            except (Exception, CancelledError) as error:  # noqa: BLE001  # whatever it is, the send goes on
                # Not its text and no traceback: an observer may have put anything into them.
                with suppress(Exception):  # the logger may well be what raised
                    _log.warning(
                        "%s raised %s on %s", type(observer).__name__, type(error).__name__, type(event).__name__
                    )
