"""Executor of attempts over a session of the user's own, for its tracing, its middlewares or a mock of it.

It uses aiohttp's public API alone. A `TraceConfig` of ours tells how far a request got; where its hooks are not called,
the request counts as possibly sent.
"""

import asyncio
import functools
import io
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from weakref import WeakKeyDictionary

from yarl import URL

from ..config import Config
from ..errors import NotSent
from ..outcomes import AttemptResult, Response
from ..secret import SecretBytes
from . import aiohttp_api as aiohttp
from .attempt import Attempt, AttemptCancelled
from .connection_check import check_connection, connection_error
from .connector import open_connector
from .failure_reasons import NothingWritten, ResponseTooLarge, SafeMessageError, failed_result
from .keep_alive import apply_keep_alive
from .retry_after import parse_retry_after

_SENDING = "routee_failover_sending"
"""Key of a `_Sending` in the context of its request, which aiohttp passes to every hook."""
_REQUIRED_ATTRIBUTES = {"connector_owner": True, "raise_for_status": False, "auto_decompress": True, "auth": None}
"""Settings that a custom session must not change: each change would hide part of a response or leak connections."""
_LARGE = 1024 * 1024
_SENT_TWICE = "a middleware of session_factory tried to send the message twice"


class _Sending:
    """An attempt that a session sends, in a task, and how far its request got."""

    task: asyncio.Task[AttemptResult]
    connected = False
    """Whether it has been given a connection."""
    new_connection = False
    """Whether that connection was made for it."""
    checked = False
    """Whether it has passed the last check before its first byte."""

    def __init__(self, attempt: Attempt) -> None:
        self.attempt = attempt


class SessionExecutor:
    """Executor over the session of one event loop. See `AttemptExecutor` for what it promises."""

    def __init__(self, config: Config, factory: Callable[..., aiohttp.ClientSession]) -> None:
        self._config = config
        self._sendings: set[_Sending] = set()
        self._session = _open_session(config, factory)
        _executors[self._session] = self
        self._options: dict[str, Any] = {
            "timeout": aiohttp.ClientTimeout(total=None, connect=config.connect_timeout.total_seconds()),
            "allow_redirects": False,
        }
        if config.proxy is not None:
            self._options |= {"proxy": config.proxy, "proxy_headers": config.proxy_headers.reveal()}

    async def execute(self, attempt: Attempt) -> AttemptResult:
        """Run an attempt. Raises `CancelledError` if its caller is cancelled, and nothing else."""
        sending = attempt.state = _Sending(attempt)
        # In a task of its own, because a request of a session cannot be resumed once it was cancelled.
        sending.task = asyncio.Task(self._request(sending), loop=asyncio.get_running_loop())
        self._sendings.add(sending)
        sending.task.add_done_callback(lambda _task: self._sendings.discard(sending))
        return await self.resume(attempt)

    async def resume(self, attempt: Attempt) -> AttemptResult:
        """Wait for the result of an attempt."""
        task: asyncio.Task[AttemptResult] = attempt.state.task
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            if attempt.outlives_caller:
                raise
            self.discard(attempt)
            attempt.interruption_seen = True
            if attempt.cancel_reason is None and not attempt.abandoned:
                raise
            return failed_result(attempt)
        return failed_result(attempt) if task.cancelled() else task.result()

    def discard(self, attempt: Attempt) -> None:
        """Cancel an attempt that is not finished. Its hooks let nothing more of it be sent."""
        if attempt.state is not None:
            attempt.state.task.cancel()

    async def aclose(self) -> None:
        """Close the session and its connections."""
        if self._sendings:
            await asyncio.wait([sending.task for sending in self._sendings])
        await self._session.close()

    async def _request(self, sending: "_Sending") -> AttemptResult:
        attempt = sending.attempt
        attempt.may_have_been_sent = True  # until our hooks are called, nothing proves the contrary
        try:
            return await self._exchange(sending)
        except asyncio.CancelledError as error:
            return failed_result(attempt, error)
        except Exception as error:  # noqa: BLE001  # how far the attempt got decides, not the exception type
            if isinstance(error, NothingWritten) and not sending.checked:
                attempt.may_have_been_sent = False  # the only connection that it was given is of no use
            return failed_result(attempt, error)

    async def _exchange(self, sending: "_Sending") -> AttemptResult:
        attempt = sending.attempt
        headers = dict(self._config.headers.reveal())
        if self._config.proxy is not None and attempt.url.scheme == "http":  # the proxy reads this request itself
            headers |= self._config.proxy_headers.reveal()
        headers |= attempt.headers.mapping
        attempt.refresh_body(asyncio.get_running_loop())
        body = attempt.body
        response = await self._session.request(
            attempt.request.method,
            attempt.url,
            data=None if body is None else _to_data(body),
            headers=headers,
            trace_request_ctx={_SENDING: sending},
            **self._options,
        )
        try:
            content = await _read(response, self._config.max_response_size)
        except BaseException:
            response.close()
            raise
        response.release()
        if "Keep-Alive" in response.headers:
            apply_keep_alive(response.headers["Keep-Alive"], self._session.connector)
        retry_after = parse_retry_after(response.headers) if "Retry-After" in response.headers else None
        closes = "close" in response.headers.get("Connection", "").lower()
        may_cross = not (sending.new_connection or closes)
        return AttemptResult(True, Response(response.status, content, retry_after, may_cross))

    def check_own_request(self, method: str, url: URL) -> None:
        """Check a request that a middleware makes by itself, for a token of its own for example."""
        task = asyncio.current_task()
        for sending in self._sendings:
            attempt = sending.attempt
            if (attempt.request.method, attempt.url) == (method, url) and not attempt.request.safe:
                raise SafeMessageError("a middleware of session_factory tried to send a message by its own request")
            if sending.task is task:
                attempt.may_have_been_sent = True  # it may carry the message


# --- hooks


async def _on_request_start(_session: object, context: Any, _params: object) -> None:
    sending = _sending_of(context)
    if sending is not None and not sending.connected:
        sending.attempt.may_have_been_sent = False


async def _on_connection_create_start(_session: object, context: Any, _params: object) -> None:
    _ensure_first_connection(_sending_of(context))


async def _on_connection_create_end(_session: object, context: Any, _params: object) -> None:
    sending = _sending_of(context)
    if sending is not None:
        # From here on a middleware may send it by a request object without our hooks.
        sending.connected = sending.new_connection = sending.attempt.may_have_been_sent = True


async def _on_connection_reuseconn(_session: object, context: Any, _params: object) -> None:
    sending = _sending_of(context)
    _ensure_first_connection(sending)
    if sending is not None:
        sending.connected = sending.attempt.may_have_been_sent = True


async def _on_request_headers_sent(session: aiohttp.ClientSession | None, context: Any, params: Any) -> None:
    """Check for the last time before the first byte. What is raised here is not sent."""
    sending = _sending_of(context)
    if sending is None:
        executor = _executors.get(session) if session is not None else None
        if executor is not None:
            executor.check_own_request(params.method, params.url)
        return
    attempt = sending.attempt
    if sending.checked and not attempt.request.safe:
        raise SafeMessageError(_SENT_TWICE)
    try:
        if attempt.finished:
            raise AttemptCancelled  # noqa: TRY301  # as the check below does
        attempt.ensure_may_send(asyncio.get_running_loop())
    except BaseException:
        sending.connected = attempt.may_have_been_sent = sending.checked
        raise
    sending.checked = attempt.may_have_been_sent = True


def _new_trace() -> aiohttp.TraceConfig:
    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(_on_request_start)
    trace.on_connection_create_start.append(_on_connection_create_start)
    trace.on_connection_create_end.append(_on_connection_create_end)
    trace.on_connection_reuseconn.append(_on_connection_reuseconn)
    trace.on_request_headers_sent.append(_on_request_headers_sent)
    trace.freeze()
    return trace


TRACE = _new_trace()
"""One for all sessions: it may end up in a list of trace configs that several sessions share. Mocks call its hooks."""
_executors: WeakKeyDictionary[aiohttp.ClientSession, SessionExecutor] = WeakKeyDictionary()


def _ensure_first_connection(sending: "_Sending | None") -> None:
    """Check that a message is given one connection only. Raises `SafeMessageError`."""
    if sending is not None and sending.connected and not sending.attempt.request.safe:
        raise SafeMessageError(_SENT_TWICE)


def _sending_of(context: Any) -> "_Sending | None":
    given = getattr(context, "trace_request_ctx", None)
    sending = given.get(_SENDING) if isinstance(given, Mapping) else None
    return sending if isinstance(sending, _Sending) else None


# --- session


def _open_session(config: Config, factory: Callable[..., aiohttp.ClientSession]) -> aiohttp.ClientSession:
    """Open a session for the running loop. Raises `NotSent` if `session_factory` does not return a usable one."""
    connector = open_connector(config)
    # aiohttp itself would take unsolicited data on a pooled connection for the response to the next message.
    setattr(connector, "connect", functools.partial(_connect_and_check, connector.connect))  # noqa: B010
    arguments: dict[str, Any] = {"connector": connector, "cookie_jar": aiohttp.DummyCookieJar()}
    try:
        session = _make_session(factory, arguments)
    except Exception as error:
        raise NotSent(f"session_factory raised {type(error).__name__}; nothing was sent") from error
    if not isinstance(session, aiohttp.ClientSession):
        kind = type(session).__name__
        raise NotSent(f"session_factory must make an aiohttp.ClientSession, not {kind}; nothing was sent")
    if session.connector is not connector:
        raise NotSent("session_factory must pass the connector on as it is given; nothing was sent")
    for name, value in _REQUIRED_ATTRIBUTES.items():
        if getattr(session, name, value) != value:
            session.detach()
            raise NotSent(f"session_factory must leave {name} at {value}; nothing was sent")
    if not any(given is TRACE for given in session.trace_configs):
        session.trace_configs.insert(0, TRACE)  # before hooks that may raise
    return session


async def _connect_and_check(
    connect: Callable[..., Awaitable[aiohttp.Connection]], request: aiohttp.ClientRequest, *args: Any, **named: Any
) -> aiohttp.Connection:
    connection = await connect(request, *args, **named)
    try:
        is_new = await check_connection(connection, request)
        if aiohttp.is_gone(connection):
            raise connection_error(connection, is_new=is_new)  # noqa: TRY301  # the connection is closed below
    except BaseException:
        aiohttp.close(connection)
        raise
    return connection


def _make_session(factory: Callable[..., aiohttp.ClientSession], arguments: dict[str, Any]) -> aiohttp.ClientSession:
    """Call the factory with our trace config, or without one if it has trace configs of its own."""
    if not (isinstance(factory, functools.partial) and "trace_configs" in factory.keywords):
        try:
            return factory(trace_configs=[TRACE], **arguments)
        except TypeError as error:
            if "multiple values for keyword argument 'trace_configs'" not in str(error):
                raise
    return factory(**arguments)


def _to_data(body: SecretBytes) -> bytes | io.BytesIO:
    """Return a body in the form that aiohttp expects: it warns about large `bytes`, so those become a stream."""
    return body.reveal() if len(body) < _LARGE else io.BytesIO(body.reveal())


async def _read(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """Return the body. Raises `ResponseTooLarge` if it is longer than the limit."""
    length = response.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) <= limit and "Content-Encoding" not in response.headers:
        return await response.read()  # a trace config sees only a body that is read by this
    chunks: list[bytes] = []
    if not await aiohttp.read_body(response.content, chunks, limit):
        raise ResponseTooLarge
    return b"".join(chunks)
