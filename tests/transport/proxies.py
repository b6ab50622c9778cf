"""What may stand between the client and a server: a proxy that tunnels and forwards, and a wire that can be held."""

import asyncio
import contextlib
import ssl
from collections.abc import Callable

from .raw_server import RawServer, Reader, Writer, read_request


async def _pump(reader: Reader, writer: Writer, see: Callable[[bytes], object]) -> None:
    """Carry bytes one way until they end, and then end the other side."""
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            see(data)
            writer.write(data)
            await writer.drain()
    writer.close()


class Proxy(RawServer):
    """A proxy that tunnels https (CONNECT) and forwards http; it looks every name up as this machine.

    `asked` holds the head of each request that was meant for the proxy, and `carried` everything that it could read.
    With a `refusal` it answers that instead.
    """

    def __init__(self, refusal: bytes | None = None, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(self._serve_as_proxy, tls)
        self._refusal = refusal
        self.asked: list[bytes] = []
        self.carried = b""

    @property
    def lines(self) -> list[str]:
        """The first line of each request that was meant for the proxy."""
        return [head.partition(b"\r\n")[0].decode() for head in self.asked]

    def _see(self, data: bytes) -> None:
        self.carried += data

    async def _serve_as_proxy(self, reader: Reader, writer: Writer) -> None:
        while request := await read_request(reader):
            self._see(request)
            self.asked.append(request.partition(b"\r\n\r\n")[0])
            method, target, _ = self.lines[-1].split(" ")
            if self._refusal is not None:
                writer.write(self._refusal)
            elif method == "CONNECT":
                await self._tunnel(reader, writer, int(target.rpartition(":")[2]))
                return
            else:
                writer.write(await _forwarded(request, target))

    async def _tunnel(self, reader: Reader, writer: Writer, port: int) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await asyncio.gather(_pump(reader, far_writer, self._see), _pump(far_reader, writer, self._see))
        finally:
            far_writer.close()


async def _forwarded(request: bytes, target: str) -> bytes:
    """The answer of the server that an absolute address names."""
    host, _, path = target.removeprefix("http://").partition("/")
    reader, writer = await asyncio.open_connection("127.0.0.1", int(host.rpartition(":")[2]))
    try:
        writer.write(request.replace(target.encode(), f"/{path}".encode(), 1))
        return await read_request(reader)  # an answer is read as a request is
    finally:
        writer.close()


class HeldWire(RawServer):
    """A wire to a port on which nothing comes back after the caller's first flight, until `released` is set."""

    def __init__(self, port: int) -> None:
        super().__init__(self._hold)
        self._port = port
        self.released = asyncio.Event()

    async def _hold(self, reader: Reader, writer: Writer) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        flights = 0

        def count(_data: bytes) -> None:
            nonlocal flights
            flights += 1

        async def back() -> None:
            with contextlib.suppress(OSError):
                while data := await far_reader.read(65_536):
                    if flights > 1:
                        await self.released.wait()
                    writer.write(data)
                    await writer.drain()
            writer.close()

        try:
            await asyncio.gather(_pump(reader, far_writer, count), back())
        finally:
            far_writer.close()
