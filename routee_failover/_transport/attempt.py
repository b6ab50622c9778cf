"""One request on its way, and the last gate before its first byte.

`TrackedRequest` is the line that matters: aiohttp calls its `send` once there is a connection, and its `write_bytes` to
write head and body. An exchange that never came to write has sent nothing, whatever exception it ended in.
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
    """A request to Routee's API. `safe`: it changes nothing there, whatever its HTTP verb, and may be repeated.

    `deadline` is a time of the event loop, after which no first byte may leave. `body_within` makes the body of a
    message that is worth nothing after so many seconds, and `None` where that is too little for it. `judge` says what
    the body of an answer proves whose status accepts. `should_send` is asked last of all before the first byte.
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
    """Why an exchange was ended from outside."""

    TIMEOUT = auto()
    DEADLINE = auto()
    CLIENT_CLOSED = auto()
    CALLER_CANCELLED = auto()
    WITHDRAWN = auto()


class AttemptCancelled(Exception):  # it ends an attempt and is told as evidence
    """The last gate was closed: nothing was written."""


class Attempt:
    """One try of a call: how far it has come, and when it must have ended.

    Times are those of the event loop. No answer is waited for after `ends`. `done` is what the caller waits for; it is
    cancelled where the caller was. `number` and `attempt` are what observers know it by.
    """

    # Defaults that most exchanges keep stand in the class: a send makes one of these, and setting each would tell.
    body: SecretBytes | None = None
    uses_limiter = True
    """Whether it has taken a turn."""
    transport: asyncio.Transport | None = None
    """The connection that it has come to."""
    may_have_been_sent = False
    """Whether a byte of it can have left."""
    cancel_reason: CancelReason | None = None
    status_rule: StatusRule | None = None
    """What the status of its answer means."""
    writer: AbstractStreamWriter | None = None
    task: asyncio.Task[None] | None = None
    target: tuple[str, URL] | None = None
    """The verb and address that its message is sent with, where a session is watched."""
    dispatched = False
    """Whether its message has been on its way to a connection, where a session is watched."""
    hooks_called = False
    """Whether aiohttp has called both `send` and `write_bytes` of our request class for it."""
    connected = False
    """Whether our connector has given it a connection, where a session is watched."""

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
        """Whether what it showed has been told, so that nothing more of it may leave."""
        return self.task is None or self.task.done()

    def cancel(self, reason: CancelReason) -> None:
        """End it from outside."""
        if self.cancel_reason is None:
            self.cancel_reason = reason
            if self.task is not None:
                self.task.cancel()

    def abandon(self) -> None:
        """Its caller has left. That ends it, but for a message that has begun to leave: its outcome is yet learned."""
        if self.request.safe or not self.may_have_been_sent:
            self.cancel(CancelReason.CALLER_CANCELLED)

    @property
    def active(self) -> bool:
        """Whether its caller still waits for it and nobody has ended it."""
        return self.cancel_reason is None and not self.result.cancelled()

    def ensure_may_send(self, now: float) -> None:
        """The last look before the first byte. Raises `Stopped`."""
        deadline = self.request.deadline
        if deadline is not None and now >= deadline and self.cancel_reason is None:
            self.cancel_reason = CancelReason.DEADLINE
        elif self.withdrawn and self.cancel_reason is None:
            self.cancel_reason = CancelReason.WITHDRAWN
        if not self.active:
            raise AttemptCancelled

    @property
    def withdrawn(self) -> bool:
        """Whether its sender does not want it any more: its lease is over, for example."""
        should_send = self.request.should_send
        return should_send is not None and not should_send()

    def refresh_body(self, now: float) -> bool:
        """Whether the body has to change, because less time is left for the message than when it was written."""
        call = self.request
        if call.deadline is None or call.body_factory is None:
            return False
        body = call.body_factory(call.deadline - now)
        if body is None:
            self.cancel_reason = CancelReason.DEADLINE
            raise AttemptCancelled
        renewed = self.body is None or body.reveal() != self.body.reveal()
        self.body = body
        return renewed


def to_aiohttp_data(body: SecretBytes) -> bytes | io.BytesIO:
    """A body as aiohttp takes it: it warns of bytes that are too many at once."""
    return body.reveal() if len(body) < _LARGE else io.BytesIO(body.reveal())


current_attempt: ContextVar[Attempt] = ContextVar("routee_failover_exchange")
"""The exchange that the running task makes: aiohttp makes its requests itself, so that this is how they find theirs."""


class TrackedRequest(aiohttp.ClientRequest):
    """A request that marks its exchange as begun right before its first byte can leave."""

    _attempt: Attempt | None = None

    def update_headers(self, headers: LooseHeaders | None) -> None:
        """Take the headers that an earlier request like this had; to put them together costs a twentieth of a send."""
        exchange = current_attempt.get(None)
        whole = exchange.headers.whole if exchange is not None else None
        if whole is None:
            super().update_headers(headers)
        else:
            self.headers: CIMultiDict[str] = whole.copy()

    def update_auto_headers(self, skip_auto_headers: Iterable[str] | None) -> None:
        """Add what aiohttp adds, and keep the whole for the next request."""
        exchange = current_attempt.get(None)
        if exchange is None or exchange.headers.whole is None:
            super().update_auto_headers(skip_auto_headers)
            if exchange is not None:
                exchange.headers.whole = self.headers.copy()

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        """Send, unless the connection is gone, or the time of the message is over: then nothing is written."""
        has_unread, new = unread_check_for(conn.transport)
        unread = has_unread()
        if unread:
            # On a connection that has not been asked anything, that is its end, or what nobody asked for, or talk of
            # TLS. The loop reads it at the end of its next turn, and asyncio's TLS says that it is closed only once
            # the turn after that is over. (From Python 3.12 on `write_bytes` follows without a turn of its own.)
            for _ in range(3):
                await asyncio.sleep(0)
        if _is_gone(conn) or (unread and not new and not self.is_ssl()):
            raise await _why_gone(conn, new=new)
        exchange = self._attempt = self._attempt or current_attempt.get(None)
        if exchange is not None:
            now = self.loop.time()
            exchange.transport = conn.transport
            exchange.ensure_may_send(now)
            if exchange.refresh_body(now) and exchange.body is not None:
                await self.update_body(to_aiohttp_data(exchange.body))
            if exchange.body is None:
                exchange.may_have_been_sent = True  # a request without a body is written by `send` itself
        return await super().send(conn)

    async def write_bytes(
        self, writer: AbstractStreamWriter, conn: Connection, content_length: int | None = None
    ) -> None:
        """Write head and body in one, which on Python 3.11 happens one turn of the loop after `send`."""
        exchange = self._attempt
        if exchange is not None:
            exchange.hooks_called = exchange.transport is not None
            if exchange.withdrawn:  # the process may have been frozen since `send`
                exchange.cancel(CancelReason.WITHDRAWN)
            if not exchange.active or _is_gone(conn):
                return  # whoever reads the answer hears of it
            exchange.may_have_been_sent = True
            exchange.writer = writer
        await super().write_bytes(writer, conn, content_length)


def _is_gone(conn: Connection) -> bool:
    """Whether the connection is closed, or has said what nobody asked for: that would be taken for the answer."""
    transport, protocol = conn.transport, conn.protocol
    return transport is None or transport.is_closing() or protocol is None or protocol.should_close


async def _why_gone(conn: Connection, *, new: bool) -> aiohttp.ClientError:
    await asyncio.sleep(0)  # a connection that is being closed is told why one turn later
    protocol = conn.protocol
    # With TLS 1.3 a server misses a certificate only now; on the next connection it would miss it again.
    asked = protocol is not None and tls_alert_reason(protocol.exception()) == CLIENT_CERTIFICATE_REQUIRED
    if asked:
        return PermanentFailure(CLIENT_CERTIFICATE_REQUIRED)
    return NewConnectionClosed() if new else StaleConnection()


UnreadCheck = Callable[[], bool]

_unread_checks: WeakKeyDictionary[asyncio.BaseProtocol, UnreadCheck] = WeakKeyDictionary()
"""What asks the socket of each connection that was given to a request before. By protocol, of which each connection has
one: uvloop's TLS transports take no weak reference."""


def unread_check_for(transport: asyncio.Transport | None) -> tuple[UnreadCheck, bool]:
    """What says whether something has arrived on a connection that the loop has not looked at, and whether it is new.

    A FIN for example: a message written before the loop hears of it is lost without a trace of whether it was read. To
    ask the socket itself costs less than to give the loop the turns that it would need each time.
    """
    protocol = transport.get_protocol() if transport is not None else None
    if transport is None or protocol is None:
        return _quiet, False
    known = _unread_checks.get(protocol)
    if known is not None:
        return known, False
    asker = _unread_checks[protocol] = _new_unread_check(transport)
    return asker, True


def _quiet() -> bool:
    return False


def _new_unread_check(transport: asyncio.Transport) -> UnreadCheck:
    connection = transport.get_extra_info("socket")
    if connection is None or connection.fileno() < 0:
        return _quiet  # the transport itself knows that it is closed
    if not hasattr(select, "poll"):  # pragma: no cover  # Windows
        return lambda: bool(select.select([connection], [], [], 0)[0])
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return lambda: bool(poll.poll(0))
