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

_MAX_INTERIM_RESPONSES = 16
"""How many 1xx responses may come before the response."""
_SWITCHING_PROTOCOLS = 101


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
        connection = await self._connect(template)
        try:
            is_new = await _ensure_usable(connection, template)
            # 2. Write head and body at once. Nothing is awaited between the last check and the first byte.
            transport = self._write(attempt, connection, template, is_new=is_new)
            # 3. Read the response. The request may still be on its way: a server may reject it early.
            status, headers, closes, content = await _read_final_head(connection)
            body = await aiohttp.read_body(content, self._max_response_size)
        except BaseException:
            aiohttp.close(connection)
            raise
        # 4. Only a connection whose response is complete, and that holds nothing more to send, may be used again.
        if body is None or transport.get_write_buffer_size():
            aiohttp.close(connection)
        else:
            aiohttp.release(connection)
        if body is None:
            raise ResponseTooLarge
        if "Keep-Alive" in headers:
            apply_keep_alive(headers["Keep-Alive"], self._connector)
        retry_after = parse_retry_after(headers) if "Retry-After" in headers else None
        response = Response(status, body, retry_after, not (is_new or closes))
        return AttemptResult(True, response, "", False, attempt.bytes_written)

    async def _connect(self, template: aiohttp.ClientRequest) -> aiohttp.Connection:
        try:
            return await aiohttp.connect(self._connector, template, self._timeout)
        except TimeoutError as error:
            raise SafeMessageError("no connection could be made within connect_timeout") from error
        except (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError):
            raise
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            if aiohttp.is_proxied(template):
                raise SafeMessageError("the proxy closed the connection instead of opening a tunnel") from error
            raise
        except aiohttp.ClientResponseError as error:
            raise SafeMessageError("the response of the proxy is not valid HTTP") from error

    def _write(
        self, attempt: Attempt, connection: aiohttp.Connection, template: aiohttp.ClientRequest, *, is_new: bool
    ) -> asyncio.Transport:
        # 1. Everything that may fail or take time.
        attempt.refresh_body(self._loop.time())
        method, body = attempt.request.method, attempt.body
        headers = attempt.headers.encoded or self._encode(attempt.headers, attempt.url)
        absolute = aiohttp.is_proxied(template) and attempt.url.scheme == "http"
        start = _request_line(method, attempt.url, absolute=absolute)
        content = b"" if body is None else body.reveal()
        length = b"" if body is None and method == "GET" else b"Content-Length: %d\r\n" % len(content)
        data = b"".join((start, headers, length, b"\r\n", content))
        transport = aiohttp.start_response(connection)
        # 2. The last check, and the first byte.
        attempt.ensure_may_send(self._loop.time())
        if aiohttp.is_gone(connection):
            raise NewConnectionClosed if is_new else StaleConnection
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
def _request_line(method: str, url: URL, *, absolute: bool) -> bytes:
    return f"{method} {url if absolute else url.raw_path_qs} HTTP/1.1\r\n".encode()


async def _ensure_usable(connection: aiohttp.Connection, template: aiohttp.ClientRequest) -> bool:
    """Return whether the connection is new. Raises `NothingWritten` if it is closed, or holds unsolicited data."""
    has_unread, is_new = unread_check_for(connection.transport)
    unread = has_unread()
    if unread:
        # The loop reads it at the end of its next iteration, and asyncio's TLS reports a closed connection only after
        # the iteration after that.
        for _ in range(3):
            await asyncio.sleep(0)
    if aiohttp.is_gone(connection) or (unread and not is_new and not aiohttp.uses_tls(template)):
        raise await _connection_error(connection, is_new=is_new)
    return is_new


async def _connection_error(connection: aiohttp.Connection, *, is_new: bool) -> Exception:
    await asyncio.sleep(0)  # a closing connection gets its exception one iteration of the loop later
    # With TLS 1.3 a server rejects a missing client certificate only now, and would do so on the next connection too.
    if tls_alert_reason(aiohttp.connection_error(connection)) == CLIENT_CERTIFICATE_REQUIRED:
        return PermanentFailure(CLIENT_CERTIFICATE_REQUIRED)
    return NewConnectionClosed() if is_new else StaleConnection()


async def _read_final_head(
    connection: aiohttp.Connection,
) -> "tuple[int, aiohttp.ResponseHeaders, bool, aiohttp.StreamReader]":
    """Return the head of the response, after those that only announce it (1xx)."""
    for _ in range(_MAX_INTERIM_RESPONSES + 1):
        head = await aiohttp.read_head(connection)
        if not 100 <= head[0] < 200 or head[0] == _SWITCHING_PROTOCOLS:
            return head
    raise SafeMessageError("the server sent one interim response (1xx) after another")
