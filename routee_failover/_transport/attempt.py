"""One attempt of a request, and the last check before its first byte is sent.

`TrackedRequest` provides the proof: aiohttp calls its `send` once there is a connection, and its `write_bytes` to write
head and body. An attempt that never reached `write_bytes` has sent nothing, whatever exception it ended with.
"""

import asyncio
import io
import select
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from enum import Enum, auto
from weakref import WeakKeyDictionary

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.connector import Connection
from aiohttp.typedefs import LooseHeaders
from multidict import CIMultiDict
from yarl import URL

from ..errors import Outcome
from ..outcomes import AttemptResult, StatusRule
from ..secret import SecretBytes
from .failure_reasons import (
    CLIENT_CERTIFICATE_REQUIRED,
    NewConnectionClosed,
    PermanentFailure,
    StaleConnection,
    tls_alert_reason,
)
from .headers import Headers

_LARGE = 1024 * 1024


class ApiRequest:
    """A request to Routee's API. `safe`: it changes nothing at Routee, whatever its HTTP method, and may be repeated.

    `otp`: it may use the slots that are reserved for one-time passwords. `deadline` is a time of the event loop; the
    first byte is not sent after it. `body_factory` returns the body for a message that is useful for this many more
    seconds, `None` if that is too short. `classify_body` returns the outcome that the body of a response proves if its
    status is a success. `should_send` is called right before the first byte; if it returns False, nothing is sent.
    """

    should_send: Callable[[], bool] | None = None

    def __init__(
        self,
        method: str,
        path: str,
        body: SecretBytes | None = None,
        *,
        safe: bool = False,
        otp: bool = False,
        deadline: float | None = None,
        body_factory: Callable[[float], SecretBytes | None] | None = None,
        classify_body: Callable[[bytes], Outcome] | None = None,
    ) -> None:
        self.method = method
        self.path = path
        self.body = body
        self.safe = safe
        self.otp = otp
        self.deadline = deadline
        self.body_factory = body_factory
        self.classify_body = classify_body


class CancelReason(Enum):
    """Why an attempt was cancelled from outside."""

    TIMEOUT = auto()
    DEADLINE = auto()
    CLIENT_CLOSED = auto()
    CALLER_CANCELLED = auto()
    WITHDRAWN = auto()


class AttemptCancelled(Exception):  # it ends an attempt, and becomes an attempt result
    """The attempt was cancelled before anything was written."""


class Attempt:
    """One attempt of a request: its progress, and when it expires.

    Times are those of the event loop. No response is awaited after `expires_at`. The caller awaits `result`, which is
    cancelled together with the caller. `request_id` and `attempt_number` identify the attempt to observers.
    """

    # Defaults that most attempts keep are class attributes: each send creates an instance, and setting all of them
    # would cost measurable time.
    body: SecretBytes | None = None
    uses_limiter = True
    """Whether it holds a slot of the limiter."""
    transport: asyncio.Transport | None = None
    """The connection it was given."""
    may_have_been_sent = False
    """Whether a byte of it can have been sent."""
    cancel_reason: CancelReason | None = None
    status_rule: StatusRule | None = None
    """The rule for the status of its response."""
    writer: AbstractStreamWriter | None = None
    task: asyncio.Task[None] | None = None
    target: tuple[str, URL] | None = None
    """Method and URL of its message, with a custom session."""
    dispatched = False
    """Whether its message has been given to a connection, with a custom session."""
    hooks_called = False
    """Whether aiohttp has called both `send` and `write_bytes` of our request class for it."""
    connected = False
    """Whether our connector has given it a connection, with a custom session."""

    def __init__(
        self,
        request: ApiRequest,
        url: URL,
        headers: Headers,
        started_at: float,
        expires_at: float,
        result: asyncio.Future[AttemptResult],
        request_id: int,
        attempt_number: int,
    ) -> None:
        self.request = request
        self.url = url
        self.headers = headers
        self.started_at = started_at
        self.expires_at = expires_at
        self.result = result
        self.request_id = request_id
        self.attempt_number = attempt_number

    @property
    def finished(self) -> bool:
        """Whether its result has been reported, so that nothing more of it may be sent."""
        return self.task is None or self.task.done()

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

    @property
    def active(self) -> bool:
        """Whether its caller still waits for it and it has not been cancelled."""
        return self.cancel_reason is None and not self.result.cancelled()

    def ensure_may_send(self, now: float) -> None:
        """Check deadline and withdrawal right before the first byte. Raises `AttemptCancelled`."""
        deadline = self.request.deadline
        if deadline is not None and now >= deadline and self.cancel_reason is None:
            self.cancel_reason = CancelReason.DEADLINE
        elif self.withdrawn and self.cancel_reason is None:
            self.cancel_reason = CancelReason.WITHDRAWN
        if not self.active:
            raise AttemptCancelled

    @property
    def withdrawn(self) -> bool:
        """Whether its sender has withdrawn it: `should_send` returns False, because a lease has expired for example."""
        should_send = self.request.should_send
        return should_send is not None and not should_send()

    def refresh_body(self, now: float) -> bool:
        """Build the body for the time that is left, and return whether it differs from the current one."""
        request = self.request
        if request.deadline is None or request.body_factory is None:
            return False
        body = request.body_factory(request.deadline - now)
        if body is None:
            self.cancel_reason = CancelReason.DEADLINE
            raise AttemptCancelled
        changed = self.body is None or body.reveal() != self.body.reveal()
        self.body = body
        return changed


def to_aiohttp_data(body: SecretBytes) -> bytes | io.BytesIO:
    """Return a body in the form that aiohttp expects: it warns about large `bytes`, so those become a stream."""
    return body.reveal() if len(body) < _LARGE else io.BytesIO(body.reveal())


current_attempt: ContextVar[Attempt] = ContextVar("routee_failover_attempt")
"""The attempt of the running task: aiohttp creates its request objects itself, and they find their attempt here."""


class TrackedRequest(aiohttp.ClientRequest):
    """A request that marks its attempt as possibly sent right before its first byte can be sent."""

    _attempt: Attempt | None = None

    def update_headers(self, headers: LooseHeaders | None) -> None:
        """Copy the headers of an earlier similar request; assembling them costs a twentieth of a send."""
        attempt = current_attempt.get(None)
        whole = attempt.headers.whole if attempt is not None else None
        if whole is None:
            super().update_headers(headers)
        else:
            self.headers: CIMultiDict[str] = whole.copy()

    def update_auto_headers(self, skip_auto_headers: Iterable[str] | None) -> None:
        """Add the headers of aiohttp, and keep all of them for the next request."""
        attempt = current_attempt.get(None)
        if attempt is None or attempt.headers.whole is None:
            super().update_auto_headers(skip_auto_headers)
            if attempt is not None:
                attempt.headers.whole = self.headers.copy()

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        """Send, unless the connection is closed or the attempt may not send any more: then nothing is written."""
        has_unread, new = unread_check_for(conn.transport)
        unread = has_unread()
        if unread:
            # On a connection without a pending request, unread data is a FIN, an unsolicited response, or a TLS record.
            # The loop reads it at the end of its next iteration, and asyncio's TLS reports a closed connection only
            # after the iteration after that. (From Python 3.12 on `write_bytes` follows without an iteration between.)
            for _ in range(3):
                await asyncio.sleep(0)
        if _is_gone(conn) or (unread and not new and not self.is_ssl()):
            raise await _connection_error(conn, new=new)
        attempt = self._attempt = self._attempt or current_attempt.get(None)
        if attempt is not None:
            now = self.loop.time()
            attempt.transport = conn.transport
            attempt.ensure_may_send(now)
            if attempt.refresh_body(now) and attempt.body is not None:
                await self.update_body(to_aiohttp_data(attempt.body))
            if attempt.body is None:
                attempt.may_have_been_sent = True  # `send` itself writes a request without a body
        return await super().send(conn)

    async def write_bytes(
        self, writer: AbstractStreamWriter, conn: Connection, content_length: int | None = None
    ) -> None:
        """Write head and body at once; on Python 3.11 this happens one iteration of the loop after `send`."""
        attempt = self._attempt
        if attempt is not None:
            attempt.hooks_called = attempt.transport is not None
            if attempt.withdrawn:  # the process may have been suspended since `send`
                attempt.cancel(CancelReason.WITHDRAWN)
            if not attempt.active or _is_gone(conn):
                return  # reading the response fails then
            attempt.may_have_been_sent = True
            attempt.writer = writer
        await super().write_bytes(writer, conn, content_length)


def _is_gone(conn: Connection) -> bool:
    """Return whether the connection is closed, or holds unsolicited data, which would be taken for the response."""
    transport, protocol = conn.transport, conn.protocol
    return transport is None or transport.is_closing() or protocol is None or protocol.should_close


async def _connection_error(conn: Connection, *, new: bool) -> aiohttp.ClientError:
    await asyncio.sleep(0)  # a closing connection gets its exception one iteration of the loop later
    protocol = conn.protocol
    # With TLS 1.3 a server rejects a missing client certificate only now, and would do so on the next connection too.
    needs_certificate = protocol is not None and tls_alert_reason(protocol.exception()) == CLIENT_CERTIFICATE_REQUIRED
    if needs_certificate:
        return PermanentFailure(CLIENT_CERTIFICATE_REQUIRED)
    return NewConnectionClosed() if new else StaleConnection()


UnreadCheck = Callable[[], bool]

_unread_checks: WeakKeyDictionary[asyncio.BaseProtocol, UnreadCheck] = WeakKeyDictionary()
"""The check of each connection that was used before. The key is the protocol, of which each connection has its own:
uvloop's TLS transports do not support weak references."""


def unread_check_for(transport: asyncio.Transport | None) -> tuple[UnreadCheck, bool]:
    """Return the check for unread data of a connection, and whether the connection is new.

    The check finds what has arrived but has not been read by the loop, a FIN for example: a message that is written
    before the loop reads the FIN is lost, and nothing shows whether the server read it. Polling the socket costs less
    than giving the loop the iterations that it would need each time.
    """
    protocol = transport.get_protocol() if transport is not None else None
    if transport is None or protocol is None:
        return _nothing_unread, False
    existing = _unread_checks.get(protocol)
    if existing is not None:
        return existing, False
    check = _unread_checks[protocol] = _new_unread_check(transport)
    return check, True


def _nothing_unread() -> bool:
    return False


def _new_unread_check(transport: asyncio.Transport) -> UnreadCheck:
    connection = transport.get_extra_info("socket")
    if connection is None or connection.fileno() < 0:
        return _nothing_unread  # closed, and the transport knows it
    if not hasattr(select, "poll"):  # pragma: no cover  # Windows
        return lambda: bool(select.select([connection], [], [], 0)[0])
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return lambda: bool(poll.poll(0))
