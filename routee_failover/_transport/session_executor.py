"""Executor of attempts over a session of the user's own, for its tracing, its middlewares or a mock of it.

It uses aiohttp's public API alone. A `TraceConfig` of ours tells how far a request got; where its hooks are not called,
the request counts as possibly sent.
"""

import asyncio
import functools
import io
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast
from weakref import WeakKeyDictionary

from ..config import Config
from ..errors import NotSent
from ..outcomes import AttemptResult
from . import aiohttp_api as aiohttp
from .attempt import Attempt, AttemptCancelled
from .connection_check import connection_error, let_loop_read, unread_check_for
from .connector import open_connector
from .failure_reasons import RESPONSE_TOO_LARGE, NothingWritten, SafeMessageError
from .headers import read_response

_ATTEMPT = "routee_failover_attempt"
"""Key of the attempt in the context of its request, which aiohttp passes to every hook."""
_REQUIRED_ATTRIBUTES = {"connector_owner": True, "raise_for_status": False, "auto_decompress": True, "auth": None}
"""Settings that a custom session must not change: each change would hide part of a response or leak connections."""
_LARGE = 1024 * 1024
_SENT_TWICE = "a middleware of session_factory tried to send the message twice"


class SessionExecutor:
    """Executor over the session that `session_factory` makes, in one event loop."""

    def __init__(self, config: Config, factory: Callable[..., aiohttp.ClientSession]) -> None:
        self._config = config
        self.session = _open_session(config, factory)
        self.connector = cast("aiohttp.BaseConnector", self.session.connector)  # as `_open_session` has checked
        self._attempts = _attempts_of.setdefault(self.session, set())
        timeout = aiohttp.ClientTimeout(total=None, connect=config.connect_timeout.total_seconds())
        self._options: dict[str, Any] = {"timeout": timeout, "allow_redirects": False}
        if config.proxy is not None:
            self._options |= {"proxy": config.proxy, "proxy_headers": config.proxy_headers.reveal()}

    async def execute(self, attempt: Attempt) -> AttemptResult:
        """Execute an attempt. What it raises proves nothing: how far the attempt got decides."""
        attempt.refresh_body(asyncio.get_running_loop())
        attempt.may_have_been_sent = True  # until our hooks are called, nothing proves the contrary
        self._attempts.add(attempt)
        try:
            body: Any = None if attempt.body is None else attempt.body.reveal()
            if body is not None and len(body) >= _LARGE:
                body = io.BytesIO(body)  # aiohttp warns about large `bytes`
            own: dict[str, Any] = {"headers": attempt.headers.mapping.copy(), "trace_request_ctx": {_ATTEMPT: attempt}}
            method, url = attempt.request.method, attempt.url
            response = await self.session.request(method, url, data=body, **own, **self._options)
            try:
                content = await self._read(response)
            except BaseException:
                response.close()
                raise
        except NothingWritten:
            attempt.may_have_been_sent = attempt.checked or attempt.suspected
            raise
        finally:
            self._attempts.discard(attempt)
        response.release()
        closes = "close" in response.headers.get("Connection", "").lower()
        may_cross = not (attempt.new_connection or closes)
        read = read_response(response.status, response.headers, content, self.connector, may_be_unsolicited=may_cross)
        return AttemptResult(True, read)

    async def aclose(self) -> None:
        """Close the session and its connections."""
        await self.session.close()

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        """Return the body. Raises `SafeMessageError` if it is longer than the limit."""
        limit, length = self._config.max_response_size, response.headers.get("Content-Length", "")
        if length.isdecimal() and int(length) <= limit and "Content-Encoding" not in response.headers:
            return await response.read()  # a trace config sees only a body that is read by this
        content = await aiohttp.read_body(None, response.content, limit)
        if content is None:
            raise SafeMessageError(RESPONSE_TOO_LARGE)
        return content


# --- hooks


async def _on_request_start(_session: object, context: Any, _params: object) -> None:
    attempt = _attempt_in(context)
    if attempt is not None and not attempt.connected:
        attempt.may_have_been_sent = attempt.suspected


async def _on_connection(_session: object, context: Any, _params: object) -> None:
    """Check that a message is given one connection only, new or reused."""
    attempt = _attempt_in(context)
    if attempt is not None:
        if attempt.connected and not attempt.request.safe:
            raise SafeMessageError(_SENT_TWICE)
        # From here on a middleware may send it by a request object without our hooks.
        attempt.connected = attempt.may_have_been_sent = True


async def _on_new_connection(session: object, context: Any, params: object) -> None:
    await _on_connection(session, context, params)
    if (attempt := _attempt_in(context)) is not None:
        attempt.new_connection = True


async def _on_request_headers_sent(session: aiohttp.ClientSession, context: Any, params: Any) -> None:
    """Check for the last time before the first byte. What is raised here is not sent."""
    attempt = _attempt_in(context)
    if attempt is None:
        _check_own_request(session, (params.method, params.url))
        return
    if attempt.checked and not attempt.request.safe:
        raise SafeMessageError(_SENT_TWICE)
    try:
        if attempt.task is None or attempt.task.done():  # its result has been reported
            raise AttemptCancelled  # noqa: TRY301  # as the check below does
        attempt.ensure_may_send(asyncio.get_running_loop())
    except BaseException:
        attempt.connected = attempt.checked
        attempt.may_have_been_sent = attempt.checked or attempt.suspected
        raise
    attempt.checked = attempt.may_have_been_sent = True


def _check_own_request(session: aiohttp.ClientSession, target: tuple[str, object]) -> None:
    """Check a request that a middleware makes by itself, for a token of its own for example."""
    for attempt in _attempts_of.get(session, ()):
        if (attempt.request.method, attempt.url) == target and not attempt.request.safe:
            raise SafeMessageError("a middleware of session_factory tried to send a message by its own request")
        if attempt.task is asyncio.current_task():
            attempt.suspected = attempt.may_have_been_sent = True  # it may carry the message


def _attempt_in(context: Any) -> Attempt | None:
    given = getattr(context, "trace_request_ctx", None)
    return given.get(_ATTEMPT) if isinstance(given, Mapping) else None


TRACE = aiohttp.TraceConfig()
"""One for all sessions: it may end up in a list of trace configs that several sessions share. Mocks call its hooks."""
TRACE.on_request_start.append(_on_request_start)
TRACE.on_connection_create_end.append(_on_new_connection)
TRACE.on_connection_reuseconn.append(_on_connection)
TRACE.on_request_headers_sent.append(_on_request_headers_sent)
TRACE.freeze()
_attempts_of: WeakKeyDictionary[aiohttp.ClientSession, set[Attempt]] = WeakKeyDictionary()


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
    has_unread, is_new = unread_check_for(connection.transport)
    try:
        if has_unread():
            await let_loop_read(connection, request, is_new=is_new)
        if aiohttp.is_gone(connection):
            raise await connection_error(connection, is_new=is_new)  # noqa: TRY301  # it is closed below
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
