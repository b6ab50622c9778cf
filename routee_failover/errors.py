"""Exceptions of this library, and what each one proves about the message.

    RouteeError                      .outcome
    ├── InvalidConfig (ValueError)   NOT_SENT   a setting is missing or cannot work
    ├── InvalidFlow (ValueError)     NOT_SENT   breaks a documented rule; .problems lists path and reason
    ├── InvalidCallback (ValueError) NOT_SENT   the body received is not a callback that Routee documents
    ├── InvalidSearch (ValueError)   NOT_SENT   a search that cannot find anything; .problems lists path and reason
    ├── InvalidSource (ValueError)   NOT_SENT   a file of recipients, or of a flow, that cannot be used
    ├── LedgerError                  NOT_SENT   a ledger that cannot be read or written: nothing more is sent through it
    ├── NotSent                      NOT_SENT   nothing reached Routee; sending again is safe
    │   └── ConnectFailed · PoolTimeout · DeadlinePassed · Withdrawn · CircuitOpen · TokenUnavailable · ClientClosed
    ├── Rejected                     REJECTED   Routee did not accept it; .status .code .developer_message .problems ...
    │   ├── BadRequest · InsufficientBalance · Unauthorized · Forbidden · NotFound · Unprocessable · RateLimited
    │   └── FlowFailed                          a 200 whose status is Failed; .reason is the documented statusCode
    ├── DeliveryUnknown              UNKNOWN    Routee may have accepted it; .reason says what happened
    ├── WaitTimeout (TimeoutError)   ACCEPTED   the flow was not final in time; .record is the last one seen
    └── NoResponse                   UNKNOWN    a read call (track, ...) without a usable response; safe to repeat

`RouteeClient.send` raises `InvalidFlow`, `NotSent`, `Rejected`, `DeliveryUnknown` or a subclass of one of them, and
nothing else. What to do follows from the outcome:

- `NOT_SENT`: the message did not reach Routee. Correct what the error names, or send it again.
- `REJECTED`: Routee rejected the message and will not deliver it. Correct the message or the account, then send again.
- `UNKNOWN`: Routee may have accepted the message. Do not send it again before that is known: it could arrive twice.

No error holds a request or response body, a token or a PIN; recipients are masked. Every error can be pickled, so that
a worker process can report it.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, ClassVar, NamedTuple


class Outcome(StrEnum):
    """What is proven about a message when its send has ended. Each send ends in exactly one of these four."""

    ACCEPTED = "ACCEPTED"
    """Routee accepted the message; whether it is delivered is in its record."""
    REJECTED = "REJECTED"
    """Routee rejected the message and will not deliver it."""
    NOT_SENT = "NOT_SENT"
    """No byte of the message left this machine; sending it again is safe."""
    UNKNOWN = "UNKNOWN"
    """Routee may have accepted the message; sending it again could deliver it twice."""


class Problem(NamedTuple):
    """One broken rule: its location and the reason, which never quotes a secret.

    `path` holds the names and list positions that lead to the value; `str(problem)` renders both, for example
    `flow[1].message.body: must not be empty`.
    """

    path: tuple[str | int, ...]
    reason: str

    def __str__(self) -> str:
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.path).removeprefix(".")
        return f"{where}: {self.reason}" if where else self.reason


class RouteeError(Exception):
    """Base class of every error that this library raises on purpose."""

    outcome: ClassVar[Outcome] = Outcome.NOT_SENT
    """What the error proves about the message, the same for all errors of a class."""

    def __reduce__(self) -> Any:
        # Exceptions are unpickled by calling their class with `args`. Ours have keyword-only parameters, so that they
        # are restored field by field instead.
        return _restore, (type(self), self.args, self.__dict__)


def _restore(kind: type[RouteeError], args: tuple[Any, ...], state: dict[str, Any]) -> RouteeError:
    error = kind.__new__(kind, *args)
    error.args = args  # TimeoutError sets them in __init__, which is not called here
    error.__dict__.update(state)
    return error


class InvalidConfig(RouteeError, ValueError):
    """A setting is missing or cannot work; the text names it and never quotes its value. Nothing was sent."""


class InvalidFlow(RouteeError, ValueError):
    """A flow, step or message breaks a rule that Routee documents. Nothing was sent.

    - `subject`: what was validated, a class or a method for example.
    - `problems`: every broken rule, as a tuple of `Problem`; no text quotes the value of a secret.
    """

    def __init__(self, subject: str, problems: Iterable[Problem]) -> None:
        self.subject = subject
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__(_format_problems(subject, self.problems))


class InvalidSearch(RouteeError, ValueError):
    """A search cannot work: Routee has no such field, operator or value, or a time has no time zone.

    It is also the error of a `get` whose path or parameters cannot be sent. No request was made.

    - `subject`: the method that was called.
    - `problems`: everything that is wrong, as a tuple of `Problem`; no text quotes a phone number.
    """

    def __init__(self, subject: str, problems: Iterable[Problem]) -> None:
        self.subject = subject
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__(_format_problems(subject, self.problems))


def _format_problems(subject: str, problems: tuple[Problem, ...]) -> str:
    if len(problems) == 1:
        return f"{subject}: {problems[0]}"
    return f"{subject}: {len(problems)} problems" + "".join(f"\n  {problem}" for problem in problems)


class InvalidCallback(RouteeError, ValueError):
    """A request body is not a callback that Routee documents, or is too large. Nothing was sent.

    The text names keys that Routee documents and quotes nothing that was received.
    """


class InvalidSource(RouteeError, ValueError):
    """The input of a bulk run, or a flow file, cannot be used: a file, a column or a setting. Nothing was sent."""


class LedgerError(RouteeError):
    """A ledger cannot be opened, read or written. No message is sent without an entry in the ledger.

    Messages in flight when the ledger failed are UNKNOWN to the next run that opens it, which reconciles them as any
    other message of unknown outcome.
    """


class NotSent(RouteeError):
    """Routee has not accepted the message; sending it again is safe.

    No byte of the message left this machine in the last attempt. An earlier attempt may have been rejected, with 429
    for example.
    """


class ConnectFailed(NotSent):
    """No connection could be made: the host name, the network, the TLS handshake or a proxy failed.

    Or the server closed each new connection before the message was written to it.
    """


class PoolTimeout(NotSent):
    """Every connection of the pool stayed busy for `Config.pool_timeout`; raise it or `Config.pool_size`."""


class DeadlinePassed(NotSent):
    """The deadline of the message passed before its first byte left, or left too little time for its ttl."""


class Withdrawn(NotSent):
    """`should_send` returned false just before the first byte left, for example because a lease had expired."""


class CircuitOpen(NotSent):
    """The circuit breaker is open because Routee has been failing; it closes once a probe succeeds."""


class TokenUnavailable(NotSent):
    """No access token that Routee accepts could be obtained.

    `status` is the HTTP status of the token service, `None` if there was no response.
    """

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class ClientClosed(NotSent):
    """The client was closed in this event loop before the message left."""


class Rejected(RouteeError):
    """Routee responded that it does not accept the message; it will not deliver it.

    - `status`: the HTTP status.
    - `code`, `developer_message`: Routee's own, `None` if it gave none (https://docs.routee.net/docs/error-codes).
    - `problems`: maps a field of the request to what is wrong with it.
    - `retry_after`: seconds to wait before another request, `None` if Routee did not say.
    """

    outcome = Outcome.REJECTED

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: str | None = None,
        developer_message: str | None = None,
        problems: Mapping[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.developer_message = developer_message
        self.problems: dict[str, str] = dict(problems or {})
        self.retry_after = retry_after


class BadRequest(Rejected):
    """400: the flow breaks one of Routee's rules; see `problems` and `developer_message`."""


class InsufficientBalance(Rejected):
    """400: the balance of the account is too low, by Routee's code 400001009 or by its text.

    An OTP flow reports this as `FlowFailed` with `status_code` 1.
    """


class Unauthorized(Rejected):
    """401: Routee rejected the access token, and renewing it did not help, where there was time to renew it."""


class Forbidden(Rejected):
    """403: the application lacks a role, a scope or a service that this message needs.

    `roles` and `scopes` are those that Routee named for the access token; empty if it named none.
    """

    roles: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()


class NotFound(Rejected):
    """404: an unknown sender, template, tracking id or path."""


class Unprocessable(Rejected):
    """422: a validation error of the failover OTP service."""


class RateLimited(Rejected):
    """429: Routee's rate limit is exceeded; `retry_after` is the pause in seconds, if Routee named one."""


class FlowFailed(Rejected):
    """The response to an OTP flow was a 200 with `status: Failed`: no channel accepted the message.

    - `status_code`: Routee's number, `None` if it gave none.
    - `developer_message`: Routee's `error`, `None` if it gave none.
    - `reason`: what Routee documents for that number: 0 server error, 1 insufficient balance, 2 no next step,
      3 failover not triggered (https://docs.routee.net/reference/send-a-failover-otp-message). For another number or
      none it is Routee's `error`.
    """

    def __init__(self, message: str, *, reason: str, status_code: int | None, developer_message: str | None) -> None:
        super().__init__(message, status=200, developer_message=developer_message)
        self.reason = reason
        self.status_code = status_code


class DeliveryUnknown(RouteeError):
    """Routee may have accepted the message: neither acceptance nor rejection is proven.

    The message must not be sent again before its outcome is known: it could arrive twice. Look it up with
    `RouteeClient.search` or `search_otp`, or wait for its callback.

    - `reason`: what happened, in one line.
    - `correlation`: what the message can be looked up by: its endpoint, and the label, seq or recipient that it
      carried, the recipient masked.
    """

    outcome = Outcome.UNKNOWN

    def __init__(self, message: str, *, reason: str, correlation: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.correlation: dict[str, str] = dict(correlation or {})


class WaitTimeout(RouteeError, TimeoutError):
    """The timeout of `RouteeClient.wait` passed before the flow was final, or before `until` was satisfied.

    Routee continues the flow: wait again, or track it.

    - `record`: the last record seen, `None` if there was none.
    - `__cause__`: the error of the last poll if that poll failed, a plain `TimeoutError` otherwise.
    """

    outcome = Outcome.ACCEPTED

    def __init__(self, message: str, *, record: Any = None) -> None:
        super().__init__(message)
        self.record: Any = record


class NoResponse(RouteeError):
    """A read call got no usable response. It changed nothing at Routee and is safe to repeat.

    `reason` says what happened, in one line.
    """

    outcome = Outcome.UNKNOWN

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason
