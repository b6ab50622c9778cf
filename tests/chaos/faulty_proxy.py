"""TCP proxy with faults by a script: after a number of bytes from either side it interrupts the connection."""

import asyncio
import contextlib
from collections.abc import Callable
from enum import Enum
from types import TracebackType
from typing import Self

import attrs

from .server_loop import Connection, Listener, ServerLoop


class ProxyAction(Enum):
    """What the proxy does to the bytes of one direction from some byte on."""

    FIN = "FIN to both sides"
    RST = "RST to both sides"
    HALF_CLOSE = "FIN to the reader; the other direction continues"
    BLACK_HOLE = "nothing is forwarded any more, and the connection stays"
    DELAY = "a pause, and then everything is forwarded"
    GARBAGE = "one byte is replaced by one that is not valid text, and the rest is forwarded"


@attrs.frozen
class Interruption:
    """Interruption of one direction after `after` bytes; a delay takes `seconds`."""

    after: int
    action: ProxyAction
    seconds: float = 0.0


@attrs.frozen
class ProxyScript:
    """Interruptions of one connection: of what the client sends, and of what the server sends."""

    from_client: Interruption | None = None
    from_server: Interruption | None = None


NO_INTERRUPTION = ProxyScript()
GARBAGE = b"\xff"


class Proxy:
    """Proxy in front of a port; each connection gets the next script of `plan`."""

    def __init__(self, server_loop: ServerLoop, port: int) -> None:
        self._server_loop, self._upstream_port = server_loop, port
        self._listener = Listener(self._serve)
        self.plan: Callable[[], ProxyScript] = lambda: NO_INTERRUPTION

    async def __aenter__(self) -> Self:
        await self._server_loop.wait(self._listener.open())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._server_loop.wait(self._listener.close())

    @property
    def port(self) -> int:
        """Port on which it listens."""
        return self._listener.port

    @property
    def accepted(self) -> int:
        """Number of accepted connections."""
        return self._listener.accepted

    async def drained(self) -> None:
        """Wait until all connections have ended. Call it when the clients are closed, and before the server's."""
        await self._server_loop.wait(self._listener.drained())

    async def _serve(self, client: Connection) -> None:
        script = self.plan()
        server = Connection(*await asyncio.open_connection("127.0.0.1", self._upstream_port))
        directions = (
            asyncio.create_task(_forward(client, server, script.from_client)),
            asyncio.create_task(_forward(server, client, script.from_server)),
        )
        try:
            await asyncio.wait(directions, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for direction in directions:
                direction.cancel()
            results = await asyncio.gather(*directions, return_exceptions=True)
            for connection in (client, server):
                if any(isinstance(end, OSError) for end in results):
                    connection.reset()
                else:
                    connection.close()
            with contextlib.suppress(OSError):
                await server.writer.wait_closed()


async def _forward(source: Connection, sink: Connection, interruption: Interruption | None) -> None:
    """Forward the bytes of one direction until it ends; an error ends the other direction as well."""
    remaining = interruption.after if interruption is not None else 0
    while remaining and (data := await source.reader.read(remaining)):
        await sink.write(data)
        remaining -= len(data)
    if interruption is not None and not remaining:
        await _interrupt(interruption, source, sink)
    while data := await source.reader.read(65_536):
        await sink.write(data)
    sink.half_close()


async def _interrupt(interruption: Interruption, source: Connection, sink: Connection) -> None:
    match interruption.action:
        case ProxyAction.FIN:
            raise EOFError
        case ProxyAction.RST:
            raise ConnectionResetError
        case ProxyAction.HALF_CLOSE:
            sink.half_close()
            await source.hang()
        case ProxyAction.BLACK_HOLE:
            await source.hang()
            raise EOFError
        case ProxyAction.DELAY:
            await asyncio.sleep(interruption.seconds)
        case ProxyAction.GARBAGE:
            if await source.reader.read(1):
                await sink.write(GARBAGE)
