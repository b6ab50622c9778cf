"""Fault injection: connections that are reset, hang, or end in the middle of a response, as a rule scripts."""

import asyncio
import socket
import struct

from aiohttp import web

from .simulation.rules import Fault

FAULT_KEY = web.RequestKey("fault", Fault)
"""Key of a request under which the fault for its response is stored."""

_ZERO_LINGER = struct.pack("ii", 1, 0)  # linger for zero seconds: closing the socket sends a RST


class ConnectionDropRequested(Exception):  # not an error: a rule scripted it
    """The connection is to be dropped before the request is processed."""


class FaultInjector:
    """Injects the faults that rules script. Between `stop` and the next `start` no connection hangs."""

    def __init__(self) -> None:
        self._hanging: set[asyncio.Event] = set()
        self._stopped = False

    async def inject(self, fault: Fault, request: web.Request, response: web.Response) -> web.StreamResponse:
        """Inject the fault into the connection, and return the response, or the part of it that was sent."""
        if fault is Fault.TRUNCATED:
            return await _send_truncated(request, response)
        transport = request.transport
        if transport is not None:  # the client is still connected
            if fault is Fault.HANG:
                await self._hang(transport)
            else:
                _set_zero_linger(transport)
            transport.abort()
        return response

    async def _hang(self, transport: asyncio.Transport) -> None:
        disconnected = asyncio.Event()
        transport.set_protocol(_DisconnectWatcher(transport.get_protocol(), disconnected))
        self._hanging.add(disconnected)
        if not self._stopped:
            await disconnected.wait()
        self._hanging.discard(disconnected)

    def start(self) -> None:
        """Allow connections to hang."""
        self._stopped = False

    def stop(self) -> None:
        """Release the connections that hang, and let none hang from now on, so that they do not delay a stop."""
        self._stopped = True
        for disconnected in self._hanging:
            disconnected.set()


class _DisconnectWatcher(asyncio.Protocol):
    """Protocol that ignores all data, and reports when the client disconnects."""

    def __init__(self, original: asyncio.BaseProtocol, disconnected: asyncio.Event) -> None:
        self._original, self._disconnected = original, disconnected

    def connection_lost(self, exc: Exception | None) -> None:
        self._original.connection_lost(exc)
        self._disconnected.set()


def _set_zero_linger(transport: asyncio.Transport) -> None:
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ZERO_LINGER)


async def _send_truncated(request: web.Request, response: web.Response) -> web.StreamResponse:
    body = response.body
    assert isinstance(body, bytes)  # noqa: S101  # every response here is JSON in bytes
    truncated = web.StreamResponse(status=response.status, headers=response.headers)
    truncated.content_length = len(body)
    truncated.force_close()
    await truncated.prepare(request)
    await truncated.write(body[: len(body) // 2])
    return truncated
