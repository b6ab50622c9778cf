"""Executor of attempts: it runs one HTTP exchange over aiohttp's pool.

What an attempt proves depends on how far it got, not on the exception that ended it: before `transport.write` nothing
was sent, from then on it may have been.
"""

import asyncio
import contextlib
import functools

from yarl import URL

from ..config import Config
from ..outcomes import AttemptResult
from . import aiohttp_api as aiohttp
from .attempt import Attempt
from .connection_check import connection_error, let_loop_read, unread_check_for
from .connector import open_connector
from .failure_reasons import RESPONSE_TOO_LARGE, SafeMessageError
from .headers import read_response

_MAX_TAKEN_AT_ONCE = 16 * 1024
"""Bytes that the socket of an idle connection takes in one call: the send buffer that Linux begins with."""


class Executor:
    """Executor over the connection pool of one event loop."""

    session: aiohttp.ClientSession | None = None

    def __init__(self, config: Config) -> None:
        self._config = config
        self._loop = asyncio.get_running_loop()
        self.connector = open_connector(config)
        self._timeout = aiohttp.ClientTimeout(total=None, connect=config.connect_timeout.total_seconds())
        self._templates: dict[str, aiohttp.ClientRequest] = {}

    async def execute(self, attempt: Attempt) -> AttemptResult:
        """Execute an attempt. What it raises proves nothing: how far the attempt got decides."""
        # 1. Get a connection, and encode what is to be written to it.
        template = self._templates.get(attempt.headers.base_url) or self._new_template(attempt)
        connection = await aiohttp.connect(self.connector, template, self._timeout)
        try:
            has_unread, is_new = unread_check_for(connection.transport)
            data = self._encode_request(attempt)
            # Those that begin in one turn of the loop are written one right after the other in the next: a sleeping
            # server is woken once, and not by each of them.
            await asyncio.sleep(0)
            if has_unread():
                await let_loop_read(connection, template, is_new=is_new)
            # 2. Write head and body at once. Nothing is awaited between the last checks and the first byte.
            attempt.ensure_may_send(self._loop)
            transport = aiohttp.start_response(connection)
            if transport is None:
                raise await connection_error(connection, is_new=is_new)  # noqa: TRY301  # it is closed below
            attempt.may_have_been_sent = True
            transport.write(data)
            attempt.bytes_written = len(data)
            # 3. Read the response. The request may still be on its way: a server may reject it early.
            status, headers, closes, content = await aiohttp.read_head(connection)
            body = await aiohttp.read_body(connection, content, self._config.max_response_size)
            if body is None:
                raise SafeMessageError(RESPONSE_TOO_LARGE)  # noqa: TRY301
        except BaseException:
            with contextlib.suppress(Exception):  # what the attempt has proven counts, even if this fails
                aiohttp.close(connection)
            raise
        # 4. Only a connection whose response is complete, and that holds nothing more to send, may be used again. After
        # a 101 it speaks another protocol, which aiohttp sees only if the response says which.
        if status < 200 or _may_hold_unsent(transport, len(data), status):
            aiohttp.close(connection)
        else:
            aiohttp.release(connection)
        response = read_response(status, headers, body, self.connector, may_be_unsolicited=not (is_new or closes))
        return AttemptResult(True, response, "", False, attempt.bytes_written)

    async def aclose(self) -> None:
        """Close the connections. All attempts must have ended: the body of a response is not read to its end."""
        if not self.connector.closed:
            await self.connector.close()

    def _encode_request(self, attempt: Attempt) -> bytes:
        """Return head and body."""
        attempt.refresh_body(self._loop)
        method, body = attempt.request.method, attempt.body
        headers = attempt.headers.encoded or attempt.headers.encode()
        start = _request_line(method, attempt.url, attempt.headers.proxied)
        content = b"" if body is None else body.reveal()
        length = b"" if body is None and method == "GET" else b"Content-Length: %d\r\n" % len(content)
        return b"".join((start, headers, length, b"\r\n", content))

    def _new_template(self, attempt: Attempt) -> aiohttp.ClientRequest:
        template = aiohttp.new_template(attempt.url, self._config.proxy, self._config.proxy_headers.reveal())
        return self._templates.setdefault(attempt.headers.base_url, template)


def _may_hold_unsent(transport: asyncio.Transport, written: int, status: int) -> bool:
    """Return whether a part of a request may be unsent although its response has arrived."""
    if transport.get_write_buffer_size():
        return True
    # With TLS that is the size of what is not encrypted yet; what the socket has not taken stays invisible. A server
    # that accepts a message has read it, and the socket of an idle connection takes a small one at once.
    return written > _MAX_TAKEN_AT_ONCE and status >= 300 and transport.get_extra_info("sslcontext") is not None


@functools.lru_cache(maxsize=256)
def _request_line(method: str, url: URL, proxied: bool) -> bytes:  # a keyword would cost more
    target = str(url) if proxied and url.scheme == "http" else url.raw_path_qs
    return f"{method} {target} HTTP/1.1\r\n".encode()
