"""Events for logs, metrics and traces, and the observers that receive them.

A client emits every event to each observer in `Config(observers=...)`, a `CallbackInbox` to those in
`CallbackInbox(observers=...)`: in the order of the events, and in the event loop in which they occur, so that an
observer must not block. It is called in the context (`contextvars`) of the task that sends, and in an empty one for
what several tasks share: token requests, the polls of `wait`, probes of the circuit breaker, handlers of callbacks.

An observer that raises is logged and never affects a send; only `KeyboardInterrupt` and `SystemExit`, which end the
process, propagate.

Events are frozen and can be pickled. No event holds a body, a token, a PIN or a phone number.
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


def _without_body(result: AttemptResult) -> AttemptResult:
    """Return the result with an empty response body, which may quote the message or hold a token, and without cause."""
    response, result = result.response, result if result.cause is None else attrs.evolve(result, cause=None)
    return result if response is None else attrs.evolve(result, response=attrs.evolve(response, body=b""))


@attrs.frozen(slots=False, eq=False, repr=False)
class AttemptStarted(ValueObject):
    """An attempt of a request begins.

    - `request_id`: number of the request, counted per client and event loop from 1; 0 for token requests and for the
      probes of the circuit breaker.
    - `attempt`: number of the attempt of this request, from 1.
    - `method`, `path`: of the HTTP request; the path is without its query.
    """

    request_id: int
    attempt: int
    method: str
    path: str


@attrs.frozen(slots=False, eq=False, repr=False)
class AttemptEnded(ValueObject):
    """An attempt has ended. It is also emitted for a send whose task was cancelled: this is where its outcome is known.

    - `result`: the attempt result, without the body of the response.
    - `outcome`: what the result proves.
    - `seconds`: duration of the attempt.
    - `abandoned`: the task that sent was cancelled after the first byte had left.
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
    """A request is retried after `delay` seconds; `reason` says why that is safe."""

    request_id: int
    attempt: int
    reason: str
    delay: float


@attrs.frozen(slots=False, eq=False, repr=False)
class RetryBudgetExhausted(ValueObject):
    """A request is not retried although it would be safe, because the retry budget is exhausted."""

    request_id: int
    attempt: int
    reason: str


@attrs.frozen(slots=False, eq=False, repr=False)
class TokenRenewed(ValueObject):
    """The access token was renewed; the new one expires in `expires_in` seconds."""

    expires_in: float


@attrs.frozen(slots=False, eq=False, repr=False)
class ThrottlePaused(ValueObject):
    """Routee asked for a pause with this status: the client sends nothing for `seconds` seconds in this event loop."""

    status: int
    seconds: float


@attrs.frozen(slots=False, eq=False, repr=False)
class CircuitBreakerChanged(ValueObject):
    """The circuit breaker is now `open`, `half-open` or `closed`; `reason` is the last failure, empty once closed."""

    state: str
    reason: str = ""


@attrs.frozen(slots=False, eq=False, repr=False)
class CallbackRejected(ValueObject):
    """A receiver rejected an inbound request with a status other than 200.

    If the request came from Routee, Routee repeats it.
    """

    status: int
    reason: str


@attrs.frozen(slots=False, eq=False, repr=False)
class CallbackDropped(ValueObject):
    """A callback was received and is not delivered to any consumer.

    - `kind`: `flow`, `otp` or `inbound`.
    - `tracking_id`: the id of the flow, `None` for an inbound message.
    - `reason`: why it is not delivered.
    - `lost`: whether the callback held something new.
    """

    kind: str
    tracking_id: str | None
    reason: str
    lost: bool


@attrs.frozen(slots=False, eq=False, repr=False)
class HandlerFailed(ValueObject):
    """A callback handler raised; the callback is not delivered to it again.

    - `handler`: name of the handler.
    - `error`: name of the exception class; its text could hold anything.
    - `kind`, `tracking_id`: as in `CallbackDropped`.
    """

    handler: str
    error: str
    kind: str
    tracking_id: str | None


@attrs.frozen(slots=False, eq=False, repr=False)
class HandlerSlow(ValueObject):
    """A callback handler has been running for `seconds` seconds, and still runs. It is emitted once for each call.

    - `handler`, `kind`, `tracking_id`: as in `HandlerFailed`.
    """

    handler: str
    seconds: float
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
    | HandlerSlow
)


@runtime_checkable
class Observer(Protocol):
    """Interface of an event consumer: any object with this method."""

    def observe(self, event: Event, /) -> None:
        """Handle one event without blocking. An exception is logged by its class and otherwise ignored."""


class LoggingObserver:
    """Observer that logs each event in one line.

    DEBUG: accepted attempts and routine events. INFO: retries, throttle pauses, rejected callbacks. WARNING: attempts
    with any other outcome, an exhausted retry budget, the circuit breaker, callbacks that were lost or rejected with
    503, handlers that run long. ERROR: handlers that raised.

    The event itself is the attribute `routee_event` of the log record, for structured logging. `logger` is
    `logging.getLogger("routee_failover")` by default.
    """

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._log = logger or _log

    def observe(self, event: Event, /) -> None:
        """Log one event."""
        level = _level_of(event)
        if self._log.isEnabledFor(level):
            self._log.log(level, "%s", _describe(event), extra={"routee_event": event})


def _level_of(event: Event) -> int:
    match event:
        case AttemptEnded(outcome=outcome):
            return logging.DEBUG if outcome is Outcome.ACCEPTED else logging.WARNING
        case RetryScheduled() | ThrottlePaused():
            return logging.INFO
        case (
            RetryBudgetExhausted()
            | CircuitBreakerChanged()
            | CallbackDropped(lost=True)
            | CallbackRejected(status=503)
            | HandlerSlow()
        ):
            return logging.WARNING
        case CallbackRejected(status=status) if status not in _SCANNER_STATUSES:
            return logging.INFO
        case HandlerFailed():
            return logging.ERROR
        case _:
            return logging.DEBUG


_SCANNER_STATUSES = (404, 405)
"""What a receiver responds to clients that probe addresses; a public server gets such requests without end."""


def _describe(event: Event) -> str:
    match event:
        case AttemptStarted():
            return f"request {event.request_id}: {event.method} {event.path}, attempt {event.attempt}"
        case AttemptEnded(result=AttemptResult(response=response, reason=reason)):
            detail = f"status {response.status}" if response else reason
            cancelled = ", after its caller was cancelled" if event.abandoned else ""
            return f"request {event.request_id}: {event.outcome} in {event.seconds:.3f} s ({detail}){cancelled}"
        case RetryScheduled():
            return f"request {event.request_id}: retry in {event.delay:.3f} s: {event.reason}"
        case RetryBudgetExhausted():
            return f"request {event.request_id}: not retried, although it would be safe: {event.reason}"
        case TokenRenewed():
            return f"access token renewed, expires in {event.expires_in:.0f} s"
        case ThrottlePaused():
            return f"Routee answered {event.status}: nothing is sent for {event.seconds:.1f} s"
        case CallbackRejected():
            return f"callback rejected with {event.status}: {event.reason}"
        case CallbackDropped():
            return f"callback ({_subject(event)}) not delivered: {event.reason}"
        case HandlerFailed():
            return f"{event.handler} raised {event.error} on a callback ({_subject(event)})"
        case HandlerSlow():
            return f"{event.handler} has been running for {event.seconds:.1f} s on a callback ({_subject(event)})"
        case _:
            return f"circuit breaker {event.state}{f': {event.reason}' if event.reason else ''}"


def _subject(event: CallbackDropped | HandlerFailed | HandlerSlow) -> str:
    return event.kind if event.tracking_id is None else f"{event.kind} {event.tracking_id}"


class ObserverGroup:
    """All observers of a client behind one `emit`, which never raises."""

    def __init__(self, observers: Iterable[Observer]) -> None:
        self._observers = tuple(observers)

    def __bool__(self) -> bool:
        return bool(self._observers)

    def emit(self, event: Any) -> None:
        """Pass an event to every observer, whatever they raise."""
        for observer in self._observers:
            try:
                observer.observe(event)
            except (Exception, CancelledError) as error:  # noqa: BLE001  # no error of an observer may affect a send
                # Neither its text nor its traceback: an observer may have put anything into them.
                with suppress(Exception):  # the logger may be what raised
                    _log.warning(
                        "%s raised %s on %s", type(observer).__name__, type(error).__name__, type(event).__name__
                    )
