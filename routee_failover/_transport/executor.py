"""Executor of attempts: it runs one HTTP exchange over aiohttp's pool and returns an attempt result instead of raising.

What an attempt proves depends on how far it got, not on the exception that ended it: before `_write` nothing was sent,
from then on it may have been.
"""

import asyncio
import functools

from multidict import CIMultiDict
from yarl import URL

from ..config import Config
from ..outcomes import AttemptResult, Response
from . import aiohttp_api as aiohttp
from .attempt import Attempt
from .connector import open_connector
from .failure_reasons import (
    CLIENT_CERTIFICATE_REQUIRED,
    NewConnectionClosed,
    PermanentFailure,
    ResponseTooLarge,
    SafeMessageError,
    StaleConnection,
    failed_result,
    tls_alert_reason,
)
from .headers import Headers, encode_headers
from .keep_alive import apply_keep_alive
from .retry_after import parse_retry_after
from .unread_data import unread_check_for


class Executor:
    """Executor over the connection pool of one event loop."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._loop = asyncio.get_running_loop()
        self._connector = open_connector(config)
        self._timeout = aiohttp.ClientTimeout(total=None, connect=config.connect_timeout.total_seconds())
        self._max_response_size = config.max_response_size
        self._templates: dict[str, aiohttp.ClientRequest] = {}

    async def execute(self, attempt: Attempt) -> AttemptResult:
        """Execute an attempt and return its result. Raises nothing, not even when its task is cancelled."""
        if attempt.cancel_reason is not None:
            return failed_result(attempt)
        try:
            return await self._exchange(attempt)
        except asyncio.CancelledError as error:
            return failed_result(attempt, error)
        except Exception as error:  # noqa: BLE001  # how far the attempt got decides, not the exception type
            return failed_result(attempt, error)

    async def aclose(self) -> None:
        """Close the connections. All attempts must have ended: the body of a response is not read to its end."""
        await aiohttp.close_pool(self._connector)

    async def _exchange(self, attempt: Attempt) -> AttemptResult:
        # 1. Get a connection that can be written to.
        template = self._templates.get(attempt.headers.base_url) or self._new_template(attempt)
        try:
            connection = await aiohttp.connect(self._connector, template, self._timeout)
        except Exception as error:
            raise _connect_error(error, template) from error
        try:
            has_unread, is_new = unread_check_for(connection.transport)
            if has_unread():
                await _let_loop_read(connection, template, is_new=is_new)
            # 2. Write head and body at once. Nothing is awaited between the last check and the first byte.
            transport = self._write(attempt, connection, template)
            if transport is None:
                raise _connection_error(connection, is_new=is_new)  # noqa: TRY301  # the connection is closed below
            # 3. Read the response. The request may still be on its way: a server may reject it early.
            status, headers, closes, content = await aiohttp.read_head(connection)
            body = aiohttp.end_response(connection, content)
            if body is None:
                body = await aiohttp.read_body(content, self._max_response_size)
                aiohttp.end_response(connection, content)
        except BaseException:
            aiohttp.close(connection)
            raise
        # 4. Only a connection whose response is complete, and that holds nothing more to send, may be used again.
        too_large = len(body) > self._max_response_size
        if too_large or transport.get_write_buffer_size():
            aiohttp.close(connection)
        else:
            aiohttp.release(connection)
        if too_large:
            raise ResponseTooLarge
        if "Keep-Alive" in headers:
            apply_keep_alive(headers["Keep-Alive"], self._connector)
        retry_after = parse_retry_after(headers) if "Retry-After" in headers else None
        response = Response(status, body, retry_after, not (is_new or closes))
        return AttemptResult(True, response, "", False, attempt.bytes_written)

    def _write(
        self, attempt: Attempt, connection: aiohttp.Connection, template: aiohttp.ClientRequest
    ) -> asyncio.Transport | None:
        """Write head and body, and return the transport; `None` if the connection was found closed and nothing written.

        Raises `AttemptCancelled` if the attempt may not send any more.
        """
        # 1. Everything that may fail or take time.
        attempt.refresh_body(self._loop)
        method, body = attempt.request.method, attempt.body
        headers = attempt.headers.encoded or self._encode(attempt.headers, attempt.url)
        start = _request_line(method, attempt.url, aiohttp.is_proxied(template))
        content = b"" if body is None else body.reveal()
        length = b"" if body is None and method == "GET" else b"Content-Length: %d\r\n" % len(content)
        data = b"".join((start, headers, length, b"\r\n", content))
        # 2. The last checks, and the first byte.
        attempt.ensure_may_send(self._loop)
        transport = aiohttp.start_response(connection)
        if transport is not None:
            attempt.may_have_been_sent = True
            transport.write(data)
            attempt.bytes_written = len(data)
        return transport

    def _new_template(self, attempt: Attempt) -> aiohttp.ClientRequest:
        config = self._config
        template = aiohttp.new_template(attempt.url, config.proxy, config.proxy_headers.reveal())
        self._templates[attempt.headers.base_url] = template
        return template

    def _encode(self, headers: Headers, url: URL) -> bytes:
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


async def _let_loop_read(connection: aiohttp.Connection, template: aiohttp.ClientRequest, *, is_new: bool) -> None:
    """Let the loop read what has arrived. Raises if the connection is closed, or holds unsolicited data."""
    # The loop reads it at the end of its next iteration, and asyncio's TLS reports a closed connection only after the
    # iteration after that.
    for _ in range(3):
        await asyncio.sleep(0)
    if aiohttp.is_gone(connection) or not (is_new or aiohttp.uses_tls(template)):
        await asyncio.sleep(0)  # a closing connection gets its exception one iteration of the loop later
        raise _connection_error(connection, is_new=is_new)


def _connection_error(connection: aiohttp.Connection, *, is_new: bool) -> Exception:
    # With TLS 1.3 a server rejects a missing client certificate only now, and would do so on the next connection too.
    if tls_alert_reason(aiohttp.connection_error(connection)) == CLIENT_CERTIFICATE_REQUIRED:
        return PermanentFailure(CLIENT_CERTIFICATE_REQUIRED)
    return NewConnectionClosed() if is_new else StaleConnection()
