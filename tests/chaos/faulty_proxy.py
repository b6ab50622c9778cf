"""A TCP proxy that spoils what passes it, by a script: after so many bytes from either side, something happens."""

import asyncio
import contextlib
from collections.abc import Callable
from enum import Enum
from types import TracebackType
from typing import Self

import attrs

from .server_loop import Connection, Listener, ServerLoop


class ProxyAction(Enum):
    """What happens to the bytes of one direction from some byte on."""

    FIN = "FIN to both sides"
    RST = "RST to both sides"
    HALF_CLOSE = "FIN to the reader; the other direction goes on"
    BLACK_HOLE = "nothing passes any more, and the connection stays"
    DELAY = "a pause, and then everything passes"
    GARBAGE = "one byte becomes another that no text has, and the rest passes"


@attrs.frozen
class Interruption:
    """After `after` bytes of a direction `act` happens; a delay is `seconds` long."""

    after: int
    action: ProxyAction
    seconds: float = 0.0


@attrs.frozen
class ProxyScript:
    """What happens on one connection: to what the client says, and to what the server says."""

    from_client: Interruption | None = None
    from_server: Interruption | None = None


NO_INTERRUPTION = ProxyScript()
GARBAGE = b"\xff"


class Proxy:
    """Stands in front of a port; each connection that comes gets the script that `plan` draws."""

    def __init__(self, server_loop: ServerLoop, port: int) -> None:
        self._stage, self._behind = server_loop, port
        self._listener = Listener(self._serve)
        self.plan: Callable[[], ProxyScript] = lambda: NO_INTERRUPTION

    async def __aenter__(self) -> Self:
        await self._stage.wait(self._listener.open())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stage.wait(self._listener.close())

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._listener.port

    @property
    def accepted(self) -> int:
        """How many connections came."""
        return self._listener.accepted

    async def drained(self) -> None:
        """Wait until nothing passes any more: to be called when the clients are closed, and before the server's own."""
        await self._stage.wait(self._listener.drained())

    async def _serve(self, client: Connection) -> None:
        script = self.plan()
        server = Connection(*await asyncio.open_connection("127.0.0.1", self._behind))
        directions = (
            asyncio.create_task(_pass(client, server, script.from_client)),
            asyncio.create_task(_pass(server, client, script.from_server)),
        )
        try:
            await asyncio.wait(directions, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for direction in directions:
                direction.cancel()
            ends = await asyncio.gather(*directions, return_exceptions=True)
            for link in (client, server):
                if any(isinstance(end, OSError) for end in ends):
                    link.reset()
                else:
                    link.close()
            with contextlib.suppress(OSError):
                await server.writer.wait_closed()


async def _pass(source: Connection, sink: Connection, cut: Interruption | None) -> None:
    """Let the bytes of one direction pass until it ends; an error ends the other direction as well."""
    left = cut.after if cut is not None else 0
    while left and (data := await source.reader.read(left)):
        await sink.write(data)
        left -= len(data)
    if cut is not None and not left:
        await _act(cut, source, sink)
    while data := await source.reader.read(65_536):
        await sink.write(data)
    sink.half_close()


async def _act(cut: Interruption, source: Connection, sink: Connection) -> None:
    match cut.action:
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
            await asyncio.sleep(cut.seconds)
        case ProxyAction.GARBAGE:
            if await source.reader.read(1):
                await sink.write(GARBAGE)
