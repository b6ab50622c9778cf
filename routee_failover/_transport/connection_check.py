"""Check of a connection right before a request is written to it: that it is open, and holds no unsolicited data.

On a connection without a pending request, unread data is a FIN, an unsolicited response, or a TLS record. A message
that is written before the loop reads the FIN is lost, and nothing shows whether the server read it. Polling the socket
costs less than giving the loop the iterations that it would need each time.
"""

import asyncio
import select
from collections.abc import Callable
from weakref import WeakKeyDictionary

from . import aiohttp_api as aiohttp
from .failure_reasons import (
    CERTIFICATE_REQUIRED,
    NothingWritten,
    PermanentFailure,
    StaleConnection,
    tls_alert_reason,
)

UnreadCheck = Callable[[], bool]
_SOCKET_READ_SIZE = 32 * 1024
"""Bytes that are read from a socket at once."""
_nothing_unread: UnreadCheck = bool  # without an argument it returns False
_unread_checks: WeakKeyDictionary[asyncio.BaseProtocol, UnreadCheck] = WeakKeyDictionary()
"""The check of each connection that was used before. The key is the protocol, of which each connection has its own:
uvloop's TLS transports do not support weak references."""


async def let_loop_read(connection: aiohttp.Connection, template: aiohttp.ClientRequest, *, is_new: bool) -> None:
    """Let the loop read what has arrived. Raises if the connection is closed, or holds unsolicited data."""
    # The loop reads it at the end of its next iteration, and asyncio's TLS reports a closed connection only after the
    # iteration after that.
    for _ in range(3):
        await asyncio.sleep(0)
    if aiohttp.is_gone(connection) or not (is_new or template.is_ssl()):
        raise await connection_error(connection, is_new=is_new)


async def connection_error(connection: aiohttp.Connection, *, is_new: bool) -> Exception:
    """Return the error that says why a connection is of no use."""
    await asyncio.sleep(0)  # a closing connection gets its exception one iteration of the loop later
    # With TLS 1.3 a server rejects a missing client certificate only now, and would do so on the next connection too.
    if tls_alert_reason(aiohttp.connection_error(connection)) == CERTIFICATE_REQUIRED:
        return PermanentFailure(CERTIFICATE_REQUIRED)
    if is_new:
        return NothingWritten("the server closed the new connection at once")
    return StaleConnection("the pooled connection had been closed by the server")


def unread_check_for(transport: asyncio.Transport | None) -> tuple[UnreadCheck, bool]:
    """Return the check for unread data of a connection, and whether it is new; a new one is set to small reads."""
    protocol = transport.get_protocol() if transport is not None else None
    if transport is None or protocol is None:
        return _nothing_unread, False
    existing = _unread_checks.get(protocol)
    if existing is not None:
        return existing, False
    check = _unread_checks[protocol] = _new_unread_check(transport)
    # asyncio reads into a new buffer of 256 KB each time, and each time the allocator may return that to the system.
    if hasattr(transport, "max_size"):
        setattr(transport, "max_size", _SOCKET_READ_SIZE)  # noqa: B010  # of asyncio's TCP transports, without TLS
    return check, True


def _new_unread_check(transport: asyncio.Transport) -> UnreadCheck:
    connection = transport.get_extra_info("socket")
    if connection is None or connection.fileno() < 0:
        return _nothing_unread  # closed, and the transport knows it
    if not hasattr(select, "poll"):  # pragma: no cover  # Windows
        return lambda: bool(select.select([connection], [], [], 0)[0])
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return lambda: bool(poll.poll(0))
