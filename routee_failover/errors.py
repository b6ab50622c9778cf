"""Every error that this library raises, and what each one proves.

    RouteeError                      .outcome
    ├── InvalidConfig (ValueError)   NOT_SENT   a setting is missing or cannot work
    ├── InvalidFlow (ValueError)     NOT_SENT   breaks a documented rule; .problems lists path and reason
    ├── InvalidCallback (ValueError) NOT_SENT   what came in is no callback that Routee documents
    ├── InvalidSearch (ValueError)   NOT_SENT   a search that cannot find anything; .problems lists path and reason
    ├── InvalidSource (ValueError)   NOT_SENT   a file of recipients or of a flow that cannot be used
    ├── LedgerError                  NOT_SENT   a ledger that cannot be read or written: nothing more is sent through it
    ├── NotSent                      NOT_SENT   nothing reached Routee; sending again is safe
    │   └── ConnectFailed · PoolTimeout · DeadlinePassed · Withdrawn · CircuitOpen · TokenUnavailable · ClientClosed
    ├── Rejected                     REJECTED   Routee answered no; .status .code .developer_message .problems ...
    │   ├── BadRequest · InsufficientBalance · Unauthorized · Forbidden · NotFound · Unprocessable · RateLimited
    │   └── FlowFailed                          a 200 whose status is Failed; .reason is the documented statusCode
    ├── DeliveryUnknown              UNKNOWN    Routee may have accepted it; .reason says what happened
    ├── WaitTimeout (TimeoutError)   ACCEPTED   the flow was not at its end in time; .record is the last one seen
    └── NoResponse                     UNKNOWN    a reading call (track, ...) that got no answer; safe to repeat

A send raises `InvalidFlow`, `NotSent`, `Rejected`, `DeliveryUnknown` or a subclass of theirs, and nothing else. No
error holds a body, a token or a PIN; all of them pickle.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, ClassVar, NamedTuple


class Outcome(StrEnum):
    """What is proven about a send when it ends; each send ends in exactly one of these."""

    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    NOT_SENT = "NOT_SENT"
    UNKNOWN = "UNKNOWN"


class Problem(NamedTuple):
    """One broken rule: where, as a path of names and positions, and why in words that never quote a secret."""

    path: tuple[str | int, ...]
    reason: str

    def __str__(self) -> str:
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.path).removeprefix(".")
        return f"{where}: {self.reason}" if where else self.reason


class RouteeError(Exception):
    """The root of the tree; catching it catches everything that this library raises on purpose."""

    outcome: ClassVar[Outcome] = Outcome.NOT_SENT

    def __reduce__(self) -> Any:
        # Exceptions pickle by calling their class with `args`; ours take keywords, so they are restored field by field.
        return _restore, (type(self), self.args, self.__dict__)


def _restore(kind: type[RouteeError], args: tuple[Any, ...], state: dict[str, Any]) -> RouteeError:
    error = kind.__new__(kind, *args)
    error.args = args  # a TimeoutError takes them in its __init__ alone
    error.__dict__.update(state)
    return error


class InvalidConfig(RouteeError, ValueError):
    """A setting is missing or cannot work. Nothing was sent."""


class InvalidFlow(RouteeError, ValueError):
    """A flow, step or message breaks a rule that Routee documents. Nothing was sent.

    `problems` lists every broken rule found, each with its path; the text never quotes the value of a secret.
    """

    def __init__(self, subject: str, problems: Iterable[Problem]) -> None:
        self.subject = subject
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__(_in_words(subject, self.problems))


class InvalidSearch(RouteeError, ValueError):
    """A search cannot work: by a field, an operator or a word that Routee does not have, or by a time without a zone.

    Nobody was asked. `problems` lists all that is wrong, each with its path; the text quotes no number.
    """

    def __init__(self, subject: str, problems: Iterable[Problem]) -> None:
        self.subject = subject
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__(_in_words(subject, self.problems))


def _in_words(subject: str, problems: tuple[Problem, ...]) -> str:
    if len(problems) == 1:
        return f"{subject}: {problems[0]}"
    return f"{subject}: {len(problems)} problems" + "".join(f"\n  {problem}" for problem in problems)


class InvalidCallback(RouteeError, ValueError):
    """What came in is none of the callbacks that Routee documents, or is too large. Nothing was sent.

    The text names keys that Routee documents and quotes nothing of what came.
    """


class InvalidSource(RouteeError, ValueError):
    """What a bulk run was to send cannot be read: a file, a column, a setting of the run. Nothing was sent."""


class LedgerError(RouteeError):
    """A ledger cannot be opened, read or written. Nothing is sent whose intent is not written.

    What was being sent when it failed is UNKNOWN to whoever opens it next, and is settled as every doubt.
    """


class NotSent(RouteeError):
    """Routee has accepted nothing, and sending again is safe.

    No byte of the message left this machine, at the last try; a try before it may have been refused, with 429 for
    example.
    """


class ConnectFailed(NotSent):
    """No connection could be made: the host name, the network, the TLS handshake or a proxy failed."""


class PoolTimeout(NotSent):
    """Every connection of the pool stayed busy for `pool_timeout`."""


class DeadlinePassed(NotSent):
    """The deadline of the message passed, or came too near for its ttl, before the first byte left."""


class Withdrawn(NotSent):
    """`should_send` said no when the message was about to leave: the lease of its sender was over, for example."""


class CircuitOpen(NotSent):
    """Routee has been failing, and the breaker spares both sides: nothing is sent until a probe finds it well again."""


class TokenUnavailable(NotSent):
    """No access token that Routee accepts could be had. `status` is what the token service answered, if it did."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class ClientClosed(NotSent):
    """The client was closed in this event loop before the message left."""


class Rejected(RouteeError):
    """Routee answered no: the message was not accepted and will not be delivered.

    `status` is the HTTP status; `code` and `developer_message` are Routee's own words where it gave any
    (https://docs.routee.net/docs/error-codes); `problems` maps a field to what was wrong with it; `retry_after` is the
    pause in seconds that Routee asked for.
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
    """400: a rule of Routee's that the flow breaks."""


class InsufficientBalance(Rejected):
    """A 400 that says the account cannot pay. An OTP flow says so by `FlowFailed` with `status_code` 1."""


class Unauthorized(Rejected):
    """401: the token was refused, and to renew it did not help, where there was time for that."""


class Forbidden(Rejected):
    """403: the application lacks a role, a scope or a service that this message needs."""


class NotFound(Rejected):
    """404: an unknown sender, template, tracking id or path."""


class Unprocessable(Rejected):
    """422: the failover OTP service's word for a validation error."""


class RateLimited(Rejected):
    """429: too many requests; `retry_after` says for how long, where Routee does."""


class FlowFailed(Rejected):
    """The OTP answer 200 with `status: Failed`: no channel accepted the message.

    `status_code` is Routee's number and `reason` what it documents for it: 0 server error, 1 insufficient balance,
    2 no next step, 3 failover not triggered (https://docs.routee.net/reference/send-a-failover-otp-message).
    """

    def __init__(self, message: str, *, reason: str, status_code: int | None, developer_message: str | None) -> None:
        super().__init__(message, status=200, developer_message=developer_message)
        self.reason = reason
        self.status_code = status_code


class DeliveryUnknown(RouteeError):
    """Routee may have accepted the message; what came back does not prove either. It must not be sent again blindly.

    `reason` says what happened in one line. `correlation` holds what the message can be looked up by (its endpoint, and
    the label, seq or recipient it carried, the recipient masked).
    """

    outcome = Outcome.UNKNOWN

    def __init__(self, message: str, *, reason: str, correlation: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.correlation: dict[str, str] = dict(correlation or {})


class WaitTimeout(RouteeError, TimeoutError):
    """A flow had not come as far as it was waited for. It goes on: wait again, or track it.

    `record` is the last one that was seen, `None` where there was none; what kept the questions from being answered is
    the `__cause__`.
    """

    outcome = Outcome.ACCEPTED

    def __init__(self, message: str, *, record: Any = None) -> None:
        super().__init__(message)
        self.record: Any = record


class NoResponse(RouteeError):
    """A reading call got no usable answer. It changed nothing at Routee and is safe to repeat."""

    outcome = Outcome.UNKNOWN

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason
