"""One attempt of a request: how far it got, what cancelled it, and the last check before its first byte is sent."""

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import Any

import attrs
from yarl import URL

from ..errors import Outcome
from ..outcomes import AttemptResult, Response, StatusRule
from ..secret import SecretBytes
from .headers import Headers

ReceiptReader = Callable[[bytes], tuple[Outcome, Any]]
"""Returns what the body of a response with an accepting status proves, and the receipt, or why there is none."""


@attrs.define(eq=False, repr=False)
class ApiRequest:
    """A request to Routee's API. `safe`: it changes nothing at Routee, whatever its HTTP method, and may be repeated.

    `otp`: it may use the slots that are reserved for one-time passwords. The first byte is not sent after `deadline`, a
    time of the event loop, nor after `wall_deadline`, the same by the machine's clock: one stands still while the
    machine sleeps, the other may be set. `body_factory` returns the body for a message that is useful for this many
    more seconds, `None` if that is too short. `read_receipt` reads the body of a response whose status is a success.
    `headers` makes it a request without access token, which takes no slot of the limiter. `should_send` is called right
    before the first byte; if it returns False, nothing is sent. `sent_headers` are those of its last attempt: the
    response may quote their credentials.
    """

    method: str
    path: str
    body: SecretBytes | None = None
    safe: bool = attrs.field(default=False, kw_only=True)
    otp: bool = attrs.field(default=False, kw_only=True)
    deadline: float | None = attrs.field(default=None, kw_only=True)
    wall_deadline: float = attrs.field(default=math.inf, kw_only=True)
    body_factory: Callable[[float], SecretBytes | None] | None = attrs.field(default=None, kw_only=True)
    read_receipt: ReceiptReader | None = attrs.field(default=None, kw_only=True)
    headers: Headers | None = attrs.field(default=None, kw_only=True)
    should_send: Callable[[], bool] | None = attrs.field(default=None, kw_only=True)
    sent_headers: Mapping[str, str] | None = attrs.field(default=None, init=False)

    def seconds_left(self, loop: asyncio.AbstractEventLoop) -> float:
        """Return the seconds until the deadline, by the clock that is nearer to it."""
        if self.deadline is None:
            return math.inf
        return min(self.deadline - loop.time(), self.wall_deadline - time.time())


class CancelReason(Enum):
    """Why an attempt was cancelled from outside."""

    TIMEOUT = auto()
    DEADLINE = auto()
    CLIENT_CLOSED = auto()
    CALLER_CANCELLED = auto()
    WITHDRAWN = auto()


class AttemptCancelled(Exception):  # it ends an attempt, and becomes an attempt result
    """The attempt was cancelled before anything was written."""


@attrs.define(eq=False, repr=False)
class Attempt:
    """One attempt of a request: its progress, and when it expires.

    Times are those of the event loop. No response is awaited after `expires_at`. The caller awaits `result`, which is
    cancelled together with the caller. `request_id` and `attempt_number` identify the attempt to observers.
    """

    request: ApiRequest
    url: URL
    headers: Headers
    started_at: float
    expires_at: float
    result: asyncio.Future[AttemptResult]
    request_id: int
    attempt_number: int
    body: SecretBytes | None = None
    may_have_been_sent: bool = False
    """Whether a byte of it can have been sent."""
    bytes_written: int = 0
    """Bytes that were passed to the connection."""
    cancel_reason: CancelReason | None = None
    status_rule: StatusRule | None = None
    """The rule for the status of its response."""
    task: asyncio.Task[None] | None = None
    connected: bool = False
    """Whether it has been given a connection, with a custom session."""
    new_connection: bool = False
    """Whether that connection was made for it."""
    checked: bool = False
    """Whether it has passed the last check before its first byte, with a custom session."""
    suspected: bool = False
    """Whether another request of the custom session may have carried its message."""
    _receipt: tuple[Outcome, Any] | None = None

    def cancel(self, reason: CancelReason) -> None:
        """Cancel it from outside."""
        if self.cancel_reason is None:
            self.cancel_reason = reason
            if self.task is not None:
                self.task.cancel()

    def abandon(self) -> None:
        """Handle the cancellation of its caller.

        That cancels the attempt too, except a send that may have begun: its outcome is still awaited.
        """
        if self.request.safe or not self.may_have_been_sent:
            self.cancel(CancelReason.CALLER_CANCELLED)

    def ensure_may_send(self, loop: asyncio.AbstractEventLoop) -> None:
        """Check deadline and withdrawal right before the first byte. Raises `AttemptCancelled`."""
        request = self.request
        if self.cancel_reason is None:
            if request.deadline is not None and request.seconds_left(loop) <= 0:
                self.cancel_reason = CancelReason.DEADLINE
            elif request.should_send is not None and not request.should_send():
                self.cancel_reason = CancelReason.WITHDRAWN
        if self.cancel_reason is not None or self.result.cancelled():  # cancelled with its caller
            raise AttemptCancelled

    def refresh_body(self, loop: asyncio.AbstractEventLoop) -> None:
        """Build the body for the time that is left until the deadline."""
        request = self.request
        if request.deadline is None or request.body_factory is None:
            return
        self.body = request.body_factory(request.seconds_left(loop))
        if self.body is None:
            self.cancel_reason = CancelReason.DEADLINE
            raise AttemptCancelled

    def receipt(self, response: Response) -> tuple[Outcome, Any]:
        """Return what the body of a response with an accepting status proves, and the receipt; it is read once."""
        if self._receipt is None:
            read_receipt = self.request.read_receipt
            self._receipt = (Outcome.ACCEPTED, None) if read_receipt is None else read_receipt(response.body)
        return self._receipt
