"""A TCP proxy that spoils what passes it, by a script: after so many bytes from either side, something happens."""

import asyncio
import contextlib
from collections.abc import Callable
from enum import Enum
from types import TracebackType
from typing import Self

import attrs

from .backstage import Backstage, Link, Listener


class Act(Enum):
    """What happens to the bytes of one direction from some byte on."""

    FIN = "FIN to both sides"
    RST = "RST to both sides"
    HALF_CLOSE = "FIN to the reader; the other direction goes on"
    BLACK_HOLE = "nothing passes any more, and the connection stays"
    DELAY = "a pause, and then everything passes"
    GARBAGE = "one byte becomes another that no text has, and the rest passes"


@attrs.frozen
class Cut:
    """After `after` bytes of a direction `act` happens; a delay is `seconds` long."""

    after: int
    act: Act
    seconds: float = 0.0


@attrs.frozen
class Script:
    """What happens on one connection: to what the client says, and to what the server says."""

    of_client: Cut | None = None
    of_server: Cut | None = None


CLEAN = Script()
GARBAGE = b"\xff"


class Proxy:
    """Stands in front of a port; each connection that comes gets the script that `plan` draws."""

    def __init__(self, stage: Backstage, port: int) -> None:
        self._stage, self._behind = stage, port
        self._listener = Listener(self._serve)
        self.plan: Callable[[], Script] = lambda: CLEAN

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

    async def _serve(self, client: Link) -> None:
        script = self.plan()
        server = Link(*await asyncio.open_connection("127.0.0.1", self._behind))
        directions = (
            asyncio.create_task(_pass(client, server, script.of_client)),
            asyncio.create_task(_pass(server, client, script.of_server)),
        )
        try:
            await asyncio.wait(directions, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for direction in directions:
                direction.cancel()
            ends = await asyncio.gather(*directions, return_exceptions=True)
            for link in (client, server):
                if any(isinstance(end, OSError) for end in ends):
                    link.rst()
                else:
                    link.fin()
            with contextlib.suppress(OSError):
                await server.writer.wait_closed()


async def _pass(source: Link, sink: Link, cut: Cut | None) -> None:
    """Let the bytes of one direction pass until it ends; an error ends the other direction as well."""
    left = cut.after if cut is not None else 0
    while left and (data := await source.reader.read(left)):
        await sink.say(data)
        left -= len(data)
    if cut is not None and not left:
        await _act(cut, source, sink)
    while data := await source.reader.read(65_536):
        await sink.say(data)
    sink.half_close()


async def _act(cut: Cut, source: Link, sink: Link) -> None:
    match cut.act:
        case Act.FIN:
            raise EOFError
        case Act.RST:
            raise ConnectionResetError
        case Act.HALF_CLOSE:
            sink.half_close()
            await source.silence()
        case Act.BLACK_HOLE:
            await source.silence()
            raise EOFError
        case Act.DELAY:
            await asyncio.sleep(cut.seconds)
        case Act.GARBAGE:
            if await source.reader.read(1):
                await sink.say(GARBAGE)
