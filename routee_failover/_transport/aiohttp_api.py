"""Everything that the transport uses of aiohttp, in one place: its connector (the pool) and its protocol (the parser).

A request goes over these two, below `ClientSession`, and its bytes are our own. Should a coming aiohttp change one of
these names, this is the module to change; until then a request fails, and its outcome is still what was proven.
"""

import asyncio
from collections.abc import Mapping

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
from aiohttp import __version__ as AIOHTTP_VERSION  # noqa: N812  # a constant, whatever its name there
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import Connection
from aiohttp.http import SERVER_SOFTWARE
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDict
from yarl import URL

__all__ = [
    "AIOHTTP_VERSION",
    "SERVER_SOFTWARE",
    "AbstractResolver",
    "BaseConnector",
    "ClientConnectorCertificateError",
    "ClientConnectorDNSError",
    "ClientConnectorError",
    "ClientError",
    "ClientHttpProxyError",
    "ClientOSError",
    "ClientPayloadError",
    "ClientProxyConnectionError",
    "ClientRequest",
    "ClientResponse",
    "ClientResponseError",
    "ClientSession",
    "ClientTimeout",
    "Connection",
    "ConnectionTimeoutError",
    "DummyCookieJar",
    "HttpProcessingError",
    "ResolveResult",
    "ResponseHeaders",
    "ServerDisconnectedError",
    "StreamReader",
    "TCPConnector",
    "TraceConfig",
    "close",
    "close_pool",
    "connect",
    "connection_error",
    "is_gone",
    "is_proxied",
    "new_template",
    "read_body",
    "read_head",
    "release",
    "shorten_idle_timeout",
    "start_response",
    "uses_tls",
]

# --- connections


def new_template(url: URL, proxy: str | None, proxy_headers: Mapping[str, str]) -> ClientRequest:
    """Return the request by which the connector finds or makes a connection to the host of a URL. It is never sent.

    `proxy_headers` are those of the CONNECT to the proxy, for https.
    """
    if proxy is None:
        return ClientRequest("GET", url.origin(), loop=asyncio.get_running_loop())
    # `connect` writes Host into them, and their values are part of the pool's key: without it from the start, the
    # second request would have another key than the first.
    headers = CIMultiDict(proxy_headers)
    headers["Host"] = url.host_port_subcomponent or ""
    tunnel_headers = headers if url.scheme == "https" else None
    return ClientRequest(
        "GET", url.origin(), loop=asyncio.get_running_loop(), proxy=URL(proxy), proxy_headers=tunnel_headers
    )


ResponseHeaders = Mapping[str, str]


def uses_tls(template: ClientRequest) -> bool:
    """Return whether requests of a template are encrypted."""
    return template.is_ssl()


def is_proxied(template: ClientRequest) -> bool:
    """Return whether requests of a template go through a proxy."""
    return template.proxy is not None


async def connect(connector: BaseConnector, template: ClientRequest, timeout: ClientTimeout) -> Connection:
    """Return a connection of the pool, or a new one. Raises `TimeoutError`, `OSError` and `ClientError`."""
    return await connector.connect(template, [], timeout)


def is_gone(connection: Connection) -> bool:
    """Return whether a connection is closed, or holds unsolicited data, which would be taken for the response."""
    protocol = connection.protocol
    if protocol is None:
        return True
    transport = protocol.transport
    return transport is None or transport.is_closing() or protocol.should_close


def connection_error(connection: Connection) -> BaseException | None:
    """Return the error by which a connection was lost; `None` if there was none."""
    return connection.protocol.exception() if connection.protocol is not None else None


def release(connection: Connection) -> None:
    """Return a connection to the pool after the end of its response; it is closed if it cannot be used again."""
    protocol = connection.protocol
    if protocol is not None and hasattr(protocol, "_parser"):
        # What comes from now on is unsolicited. Without a parser it is kept as it is, and seen by `is_gone`; a parser
        # would swallow the first half of a message, and the next response would be read as its second half.
        protocol._parser = None  # noqa: SLF001  # without this attribute, whole messages are still seen
    connection.release()


def close(connection: Connection) -> None:
    """Close a connection at once: nothing of a request that is still buffered may leave afterwards."""
    transport = connection.transport
    if transport is not None:
        transport.abort()
    connection.close()


async def close_pool(connector: BaseConnector) -> None:
    """Close all connections of a pool. A body that is still being read would be waited for without end."""
    if not connector.closed:
        await connector.close()


def shorten_idle_timeout(connector: BaseConnector | None, seconds: float) -> None:
    """Keep idle connections of a pool no longer than this; a shorter time stays."""
    # There is no public way to set it. Should the attribute be renamed, the configured time stays, and a test fails.
    current = getattr(connector, "_keepalive_timeout", None)
    if isinstance(current, int | float) and seconds < current:
        setattr(connector, "_keepalive_timeout", seconds)  # noqa: B010


# --- responses


def start_response(connection: Connection) -> asyncio.Transport:
    """Prepare a connection for the response to a request that is about to be written to the transport returned."""
    protocol = connection.protocol
    if protocol is None or protocol.transport is None:
        raise ConnectionResetError
    protocol.set_response_params(
        read_until_eof=True,
        read_timeout=None,
        max_line_size=8190,
        max_field_size=8190,
        max_headers=128,
    )
    return protocol.transport


async def read_head(connection: Connection) -> tuple[int, ResponseHeaders, bool, StreamReader]:
    """Return status and headers of the next response, whether the server closes after it, and its body to read."""
    protocol = connection.protocol
    if protocol is None:
        raise ConnectionResetError
    message, body = await protocol.read()
    return message.code, message.headers, message.should_close, body


async def read_body(body: StreamReader, limit: int) -> bytes | None:
    """Return a body, decompressed; `None` as soon as it is longer than the limit."""
    if body.is_eof():
        content = body.read_nowait()
        return content if len(content) <= limit else None
    # Not by `read()`, which decompresses everything before its length can be checked.
    chunks: list[bytes] = []
    size = 0
    while chunk := await body.readany():
        size += len(chunk)
        if size > limit:
            return None
        chunks.append(chunk)
    return b"".join(chunks)
