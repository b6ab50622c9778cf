"""What a rule may have go wrong with a connection: it is reset, it hangs, or it ends in the middle of an answer."""

import asyncio
import socket
import struct

from aiohttp import web

from .simulation.rules import Fault

FAULT_KEY = web.RequestKey("fault", Fault)
"""Where a request keeps what is to go wrong with its answer."""

_RESET = struct.pack("ii", 1, 0)  # linger for no time at all: the socket is closed with a RST


class ConnectionDropRequested(Exception):  # not an error: a rule asked for it
    """The request is to be dropped before anything was done."""


class FaultInjector:
    """Carries out what rules asked for, until it is stopped, and again when it is started anew."""

    def __init__(self) -> None:
        self._hanging: set[asyncio.Event] = set()
        self._stopped = False

    async def inject(self, fault: Fault, request: web.Request, response: web.Response) -> web.StreamResponse:
        """Have the answer not arrive, or not all of it; what is returned is what is left of it."""
        if fault is Fault.TRUNCATED:
            return await _truncated(request, response)
        transport = request.transport
        if transport is not None:  # the caller is still there
            if fault is Fault.HANG:
                await self._hang(transport)
            else:
                _lingerless(transport)
            transport.abort()
        return response

    async def _hang(self, transport: asyncio.Transport) -> None:
        over = asyncio.Event()
        transport.set_protocol(_Deaf(transport.get_protocol(), over))
        self._hanging.add(over)
        if not self._stopped:
            await over.wait()
        self._hanging.discard(over)

    def start(self) -> None:
        """Let connections hang when they are to."""
        self._stopped = False

    def stop(self) -> None:
        """End what hangs, and let nothing hang from now on: a server that stops waits for nobody."""
        self._stopped = True
        for over in self._hanging:
            over.set()


class _Deaf(asyncio.Protocol):
    """Hears nothing but the caller leaving."""

    def __init__(self, before: asyncio.BaseProtocol, left: asyncio.Event) -> None:
        self._before, self._left = before, left

    def connection_lost(self, exc: Exception | None) -> None:
        self._before.connection_lost(exc)
        self._left.set()


def _lingerless(transport: asyncio.Transport) -> None:
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


async def _truncated(request: web.Request, response: web.Response) -> web.StreamResponse:
    whole = response.body
    assert isinstance(whole, bytes)  # noqa: S101  # every answer here is JSON in bytes
    part = web.StreamResponse(status=response.status, headers=response.headers)
    part.content_length = len(whole)
    part.force_close()
    await part.prepare(request)
    await part.write(whole[: len(whole) // 2])
    return part
