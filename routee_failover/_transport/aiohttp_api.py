"""Everything that the transport uses of aiohttp, in one place: its connector (the pool) and its protocol (the parser).

A request goes over these two, below `ClientSession`, and its bytes are our own. Should a coming aiohttp change one of
these names, this is the module to change; until then a request fails, and its outcome is still what was proven.
"""

import asyncio
from collections.abc import Awaitable, Mapping

from aiohttp import (
    BaseConnector,
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientError,
    ClientHttpProxyError,
    ClientOSError,
    ClientPayloadError,
    ClientProxyConnectionError,
    ClientRequest,
    ClientResponse,
    ClientResponseError,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    DummyCookieJar,
    ServerDisconnectedError,
    StreamReader,
    TCPConnector,
    TraceConfig,
)
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import Connection
from aiohttp.http import SERVER_SOFTWARE
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

_MAX_INTERIM_RESPONSES = 16
"""How many 1xx responses may come before the response."""
_SWITCHING_PROTOCOLS = 101


# --- connections


def new_template(url: URL, proxy: str | None, proxy_headers: Mapping[str, str]) -> ClientRequest:
    """Return the request by which the connector finds or makes a connection to the host of a URL. It is never sent.

    `proxy_headers` are those of the CONNECT to the proxy, for https.
    """
    loop, origin = asyncio.get_running_loop(), url.origin()
    if proxy is None or url.scheme != "https":
        return ClientRequest("GET", origin, loop=loop, proxy=None if proxy is None else URL(proxy))
    # `connect` writes Host into them, and their values are part of the pool's key: without it from the start, the
    # second request would have another key than the first.
    tunnel_headers = CIMultiDict(proxy_headers)
    tunnel_headers["Host"] = url.host_port_subcomponent or ""
    return ClientRequest("GET", origin, loop=loop, proxy=URL(proxy), proxy_headers=tunnel_headers)


def connect(connector: BaseConnector, template: ClientRequest, timeout: ClientTimeout) -> Awaitable[Connection]:
    """Return a connection of the pool, or a new one. Raises `TimeoutError`, `OSError` and `ClientError`."""
    return connector.connect(template, [], timeout)


def is_gone(connection: Connection) -> bool:
    """Return whether a connection is closed, or holds unsolicited data, which would be taken for the response."""
    protocol = connection.protocol
    return protocol is None or not protocol.is_connected() or protocol.should_close


def connection_error(connection: Connection) -> BaseException | None:
    """Return the error by which a connection was lost; `None` if there was none."""
    return connection.protocol.exception() if connection.protocol is not None else None


def release(connection: Connection) -> None:
    """Return a connection to the pool after the end of its response; it is closed if it cannot be used again."""
    connection.release()


def close(connection: Connection) -> None:
    """Close a connection at once: nothing of a request that is still buffered may leave afterwards."""
    transport = connection.transport
    if transport is not None:
        transport.abort()
    connection.close()


def close_pool_at_once(connector: BaseConnector) -> None:
    """Close a pool without a task, which a loop that has ended would never finish."""
    # Should the name be gone, the connections are closed when they are collected, and aiohttp logs that.
    getattr(connector, "_close", lambda: None)()


def shorten_idle_timeout(connector: BaseConnector | None, seconds: float) -> None:
    """Keep idle connections of a pool no longer than this; a shorter time stays."""
    # There is no public way to set it. Should the attribute be renamed, the configured time stays, and a test fails.
    current = getattr(connector, "_keepalive_timeout", None)
    if isinstance(current, int | float) and seconds < current:
        setattr(connector, "_keepalive_timeout", seconds)  # noqa: B010


# --- responses

_READ_SIZE = 64 * 1024
"""How many bytes of a body, decompressed, are read at once."""


def start_response(connection: Connection) -> asyncio.Transport | None:
    """Prepare a connection for the response to a request, and return the transport to which the request is written.

    Return `None` if the connection is closed, or holds unsolicited data, which would be taken for the response.
    """
    protocol = connection.protocol
    transport = None if protocol is None else protocol.transport
    if protocol is None or transport is None or transport.is_closing() or protocol.should_close:
        return None
    protocol.set_response_params(
        read_until_eof=True, read_timeout=None, max_line_size=8190, max_field_size=8190, max_headers=128
    )
    return None if protocol.should_close else transport  # what it held back may have been parsed only now


async def read_head(connection: Connection) -> tuple[int, CIMultiDictProxy[str], bool, StreamReader]:
    """Return status and headers of the response, whether the server closes after it, and its body to read."""
    protocol = connection.protocol
    if protocol is None:
        raise ConnectionResetError
    for _ in range(_MAX_INTERIM_RESPONSES + 1):
        message, body = await protocol.read()
        if not 100 <= message.code < 200 or message.code == _SWITCHING_PROTOCOLS:
            return message.code, message.headers, message.should_close, body
    raise HttpProcessingError(message="one interim response after another")


async def read_body(connection: Connection | None, body: StreamReader, limit: int) -> bytes | None:
    """Return a body, decompressed; `None` as soon as it is longer than the limit. Ends the response of a connection."""
    chunks: list[bytes] = []
    size = 0
    # Not by `read()`, nor `readany()` of aiohttp 3.14.0, which decompress everything before its length can be checked.
    while not body.is_eof():
        chunks.append(await body.read(_READ_SIZE))
        size += len(chunks[-1])
        if size > limit:
            return None
    protocol = connection.protocol if connection is not None else None
    if protocol is not None:
        # What comes from now on is unsolicited. Without a parser it is kept as it is, and seen by `start_response`; a
        # parser would swallow the first half of a message, and the next response would be read as its second half.
        try:  # noqa: SIM105  # `suppress` would cost more on every send
            protocol._parser = None  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # there is no public way
        except AttributeError:  # of a coming aiohttp: whole messages are still seen
            pass
    chunks.append(body.read_nowait())
    return b"".join(chunks) if size + len(chunks[-1]) <= limit else None
