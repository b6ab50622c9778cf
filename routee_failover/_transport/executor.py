"""Executor of attempts: it runs one HTTP exchange over aiohttp's pool and returns an attempt result instead of raising.

What an attempt proves depends on how far it got, not on the exception that ended it: before `_write` nothing was sent,
from then on it may have been.
"""

import asyncio
import contextlib
import functools

from multidict import CIMultiDict
from yarl import URL

from ..config import Config
from ..outcomes import AttemptResult, Response
from . import aiohttp_api as aiohttp
from .attempt import Attempt
from .connection_check import check_connection, connection_error
from .connector import open_connector
from .failure_reasons import (
    ResponseTooLarge,
    SafeMessageError,
    failed_result,
)
from .headers import Headers, encode_headers
from .keep_alive import apply_keep_alive
from .retry_after import parse_retry_after


class _Exchange:
    """Connection of an attempt, the bytes to be written to it, and what has been read of the response."""

    __slots__ = ("chunks", "connection", "head", "is_new", "request")

    def __init__(self, connection: aiohttp.Connection) -> None:
        self.connection = connection
        self.is_new = False
        self.request = b""  # not in a local: a traceback of a cancelled send may show those
        self.head: tuple[int, aiohttp.ResponseHeaders, bool, aiohttp.StreamReader] | None = None
        self.chunks: list[bytes] = []


class Executor:
    """Executor over the connection pool of one event loop. See `AttemptExecutor` for what it promises."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._loop = asyncio.get_running_loop()
        self._connector = open_connector(config)
        self._timeout = aiohttp.ClientTimeout(total=None, connect=config.connect_timeout.total_seconds())
        self._max_response_size = config.max_response_size
        self._templates: dict[str, aiohttp.ClientRequest] = {}

    async def execute(self, attempt: Attempt) -> AttemptResult:
        """Run an attempt. Raises `CancelledError` if its caller is cancelled, and nothing else."""
        try:
            # 1. Get a connection that can be written to.
            template = self._templates.get(attempt.headers.base_url) or self._new_template(attempt)
            try:
                connection = await aiohttp.connect(self._connector, template, self._timeout)
            except Exception as error:
                raise _connect_error(error, template) from error
            exchange = attempt.state = _Exchange(connection)
            exchange.request = self._encode_request(attempt, proxied=aiohttp.is_proxied(template))
            if attempt.has_neighbours:
                # Those that begin in one iteration of the loop are written one right after the other in the next: a
                # sleeping server is woken once, and not by each of them, which costs as much as a tenth of a send.
                await asyncio.sleep(0)
            exchange.is_new = await check_connection(connection, template)
            # 2. Write head and body at once. Nothing is awaited between the last checks and the first byte.
            attempt.ensure_may_send(self._loop)
            transport = aiohttp.start_response(connection)
            if transport is None:
                raise connection_error(connection, is_new=exchange.is_new)  # noqa: TRY301  # the connection is closed below
            attempt.may_have_been_sent = True
            transport.write(exchange.request)
            attempt.bytes_written = len(exchange.request)
            exchange.request = b""
            # 3. Read the response. The request may still be on its way: a server may reject it early.
            return await self._receive(attempt, exchange)
        except BaseException as error:  # noqa: BLE001  # the connection is closed, whatever it was
            return self._end(attempt, error)

    async def resume(self, attempt: Attempt) -> AttemptResult:
        """Receive the response of an attempt whose caller was cancelled."""
        try:
            return await self._receive(attempt, attempt.state)
        except BaseException as error:  # noqa: BLE001  # the connection is closed, whatever it was
            return self._end(attempt, error)

    def discard(self, attempt: Attempt) -> None:
        """Close the connection of an attempt that is not finished."""
        if attempt.state is not None:
            with contextlib.suppress(Exception):  # what the attempt has proven counts, even if this fails
                aiohttp.close(attempt.state.connection)

    async def aclose(self) -> None:
        """Close the connections. All attempts must have ended: the body of a response is not read to its end."""
        await aiohttp.close_pool(self._connector)

    async def _receive(self, attempt: Attempt, exchange: "_Exchange") -> AttemptResult:
        """Read the response. What has been read is kept in the exchange, so that it can be resumed."""
        connection = exchange.connection
        # 1. The head, and the body.
        if exchange.head is None:
            exchange.head = await aiohttp.read_head(connection)
        status, headers, closes, content = exchange.head
        body = None if exchange.chunks else aiohttp.end_response(connection, content)
        if body is None:
            if not await aiohttp.read_body(content, exchange.chunks, self._max_response_size):
                raise ResponseTooLarge
            body = b"".join([*exchange.chunks, aiohttp.end_response(connection, content) or b""])
        if len(body) > self._max_response_size:
            raise ResponseTooLarge
        # 2. Only a connection whose response is complete, and that holds nothing more to send, may be used again.
        transport = connection.transport
        if transport is None or transport.get_write_buffer_size():
            aiohttp.close(connection)
        else:
            aiohttp.release(connection)
        # 3. The result.
        if "Keep-Alive" in headers:
            apply_keep_alive(headers["Keep-Alive"], self._connector)
        retry_after = parse_retry_after(headers) if "Retry-After" in headers else None
        response = Response(status, body, retry_after, not (exchange.is_new or closes))
        return AttemptResult(True, response, "", False, attempt.bytes_written)

    def _end(self, attempt: Attempt, error: BaseException) -> AttemptResult:
        """Close the connection of an attempt that failed, and return its result; raise if it was not the attempt."""
        is_cancelled = isinstance(error, asyncio.CancelledError)
        if is_cancelled and attempt.outlives_caller:
            raise error  # it will be resumed
        self.discard(attempt)
        attempt.interruption_seen = is_cancelled
        if isinstance(error, Exception) or (is_cancelled and (attempt.abandoned or attempt.cancel_reason is not None)):
            return failed_result(attempt, error)
        raise error

    def _encode_request(self, attempt: Attempt, *, proxied: bool) -> bytes:
        """Return head and body."""
        attempt.refresh_body(self._loop)
        method, body = attempt.request.method, attempt.body
        headers = attempt.headers.encoded or self._encode_headers(attempt.headers, attempt.url)
        start = _request_line(method, attempt.url, proxied)
        content = b"" if body is None else body.reveal()
        length = b"" if body is None and method == "GET" else b"Content-Length: %d\r\n" % len(content)
        return b"".join((start, headers, length, b"\r\n", content))

    def _new_template(self, attempt: Attempt) -> aiohttp.ClientRequest:
        config = self._config
        template = aiohttp.new_template(attempt.url, config.proxy, config.proxy_headers.reveal())
        self._templates[attempt.headers.base_url] = template
        return template

    def _encode_headers(self, headers: Headers, url: URL) -> bytes:
        """Return the bytes of all headers but those that depend on the body, and keep them for the next request."""
        config = self._config
        lines = CIMultiDict({"Host": url.host_port_subcomponent or ""})
        lines.update({"Accept": "*/*", "Accept-Encoding": "gzip, deflate", "User-Agent": aiohttp.SERVER_SOFTWARE})
        if config.proxy is not None and url.scheme == "http":  # the proxy reads this request itself
            lines.update(config.proxy_headers.reveal())
        lines.update(config.headers.reveal())
        lines.update(headers.mapping)
        headers.encoded = encode_headers(lines)
        return headers.encoded


@functools.lru_cache(maxsize=256)
def _request_line(method: str, url: URL, proxied: bool) -> bytes:  # a keyword would cost more
    target = str(url) if proxied and url.scheme == "http" else url.raw_path_qs
    return f"{method} {target} HTTP/1.1\r\n".encode()


def _connect_error(error: Exception, template: aiohttp.ClientRequest) -> Exception:
    """Return the error that says why there is no connection."""
    match error:
        case aiohttp.ClientConnectorError() | aiohttp.ClientHttpProxyError():
            return error
        case TimeoutError():
            return SafeMessageError("no connection could be made within connect_timeout")
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError() if aiohttp.is_proxied(template):
            return SafeMessageError("the proxy closed the connection instead of opening a tunnel")
        case aiohttp.ClientResponseError():
            return SafeMessageError("the response of the proxy is not valid HTTP")
        case _:
            return error
