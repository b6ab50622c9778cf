"""Test doubles between client and server: a proxy that tunnels and forwards, and a relay that delays responses."""

import asyncio
import contextlib
import ssl
from collections.abc import Callable

from .raw_server import RawServer, Reader, Writer, read_request


async def _pump(reader: Reader, writer: Writer, on_data: Callable[[bytes], object]) -> None:
    """Copy bytes in one direction until EOF, then close the other side."""
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            on_data(data)
            writer.write(data)
            await writer.drain()
    writer.close()


class Proxy(RawServer):
    """Proxy that tunnels https (CONNECT) and forwards http; it resolves every name to this machine.

    `requests` holds the head of each request to the proxy itself, `readable` every byte that the proxy could read. With
    a `rejection` it responds with that instead.
    """

    def __init__(self, rejection: bytes | None = None, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(self._serve_as_proxy, tls)
        self._rejection = rejection
        self.requests: list[bytes] = []
        self.readable = b""

    @property
    def request_lines(self) -> list[str]:
        """The request line of each request to the proxy itself."""
        return [head.partition(b"\r\n")[0].decode() for head in self.requests]

    def _record(self, data: bytes) -> None:
        self.readable += data

    async def _serve_as_proxy(self, reader: Reader, writer: Writer) -> None:
        while request := await read_request(reader):
            self._record(request)
            self.requests.append(request.partition(b"\r\n\r\n")[0])
            method, target, _ = self.request_lines[-1].split(" ")
            if self._rejection is not None:
                writer.write(self._rejection)
            elif method == "CONNECT":
                await self._tunnel(reader, writer, int(target.rpartition(":")[2]))
                return
            else:
                writer.write(await _forward(request, target))

    async def _tunnel(self, reader: Reader, writer: Writer, port: int) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await asyncio.gather(
                _pump(reader, upstream_writer, self._record), _pump(upstream_reader, writer, self._record)
            )
        finally:
            upstream_writer.close()


async def _forward(request: bytes, target: str) -> bytes:
    """Send a request to the server of its absolute URL, and return the response."""
    host, _, path = target.removeprefix("http://").partition("/")
    reader, writer = await asyncio.open_connection("127.0.0.1", int(host.rpartition(":")[2]))
    try:
        writer.write(request.replace(target.encode(), f"/{path}".encode(), 1))
        return await read_request(reader)  # a response is read like a request
    finally:
        writer.close()


class DelayedRelay(RawServer):
    """Relay to a port that holds back all responses after the client's first chunk until `release` is set."""

    def __init__(self, port: int) -> None:
        super().__init__(self._relay)
        self._port = port
        self.release = asyncio.Event()

    async def _relay(self, reader: Reader, writer: Writer) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", self._port)
        chunks = 0

        def count(_data: bytes) -> None:
            nonlocal chunks
            chunks += 1

        async def relay_responses() -> None:
            with contextlib.suppress(OSError):
                while data := await upstream_reader.read(65_536):
                    if chunks > 1:
                        await self.release.wait()
                    writer.write(data)
                    await writer.drain()
            writer.close()

        try:
            await asyncio.gather(_pump(reader, upstream_writer, count), relay_responses())
        finally:
            upstream_writer.close()
