"""Where the server and the proxy stand: a loop in a thread of its own, and listeners that know each of their links."""

import asyncio
import contextlib
import re
import socket
import ssl
import struct
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Self, TypeVar

_T = TypeVar("_T")
_length = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)


class ServerLoop:
    """An event loop in a thread of its own, so that a client's busy loop delays nothing here, nor the other way."""

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._loop.set_debug(False)
        self._thread = threading.Thread(target=self._run_loop, name="backstage")
        self._thread.start()
        return self

    def _run_loop(self) -> None:
        self._loop.run_forever()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def __exit__(self, *_exc: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Do something here and block until it is done."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    async def wait(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Do something here while the caller's own loop goes on."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    def call_soon(self, callback: Callable[[], object]) -> None:
        """Have something done here, and do not wait for it."""
        self._loop.call_soon_threadsafe(callback)


class Connection:
    """One connection, as whoever misbehaves on it sees it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.used = False
        """Whether a request has been answered on it."""
        self._first = b""
        self._mute = False

    async def wait_for_request(self) -> bool:
        """Wait for the first byte of the next request; False when the other side leaves instead."""
        self._first = await self.reader.read(1)
        return bool(self._first)

    async def read_bytes(self, count: int) -> None:
        """Read so many bytes of a request. Raises `EOFError` when the other side leaves."""
        await self.reader.readexactly(max(0, count - len(self._first)))

    async def read_request(self, *, short: int = 0) -> tuple[bytes, bytes]:
        """Read the head and the body of a request, but for its last bytes. Raises `EOFError` when there is none."""
        head = self._first + await self.reader.readuntil(b"\r\n\r\n")
        self._first = b""
        length = _length.search(head)
        return head, await self.reader.readexactly(int(length[1]) - short if length else 0)

    async def write(self, data: bytes) -> None:
        """Write, and wait until the system has it. Raises `EOFError` where a FIN was sent before."""
        if self._mute:
            raise EOFError
        self.writer.write(data)
        await self.writer.drain()

    async def hang(self) -> None:
        """Say nothing until the other side leaves."""
        while await self.reader.read(65_536):
            pass

    def half_close(self) -> None:
        """Send a FIN and go on reading."""
        self._mute = True
        with contextlib.suppress(OSError):
            self.writer.write_eof()

    def close(self) -> None:
        """Close with a FIN, and over TLS with a goodbye before it, without waiting for the other side's."""
        if not self.writer.is_closing():
            self.writer.close()
            if self.writer.get_extra_info("ssl_object") is not None:
                self.writer.transport.abort()

    def vanish(self) -> None:
        """Close as a process does that dies: with a FIN, and over TLS without a goodbye."""
        self.writer.transport.abort()

    def reset(self) -> None:
        """Close with a RST."""
        connection: socket.socket | None = self.writer.get_extra_info("socket")
        if connection is not None and connection.fileno() >= 0:
            reset_connection(connection)
        self.writer.transport.abort()


def reset_connection(connection: socket.socket) -> None:
    """Have a socket send a RST instead of a FIN when it is closed."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Listener:
    """Accepts connections on a free port, counts them, and can tell when the last of them has ended."""

    def __init__(self, serve: Callable[[Connection], Awaitable[None]], tls: ssl.SSLContext | None = None) -> None:
        self._serve, self._tls = serve, tls
        self._tasks: set[asyncio.Task[None]] = set()
        self._probes: dict[int, asyncio.Event] = {}
        self._broken: list[Exception] = []
        self.accepted: int = 0
        self.port: int = 0

    @property
    def connection_count(self) -> int:
        """How many connections live."""
        return len(self._tasks)

    async def open(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0, ssl=self._tls, backlog=2048)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Connection(reader, writer)
        probe = self._probes.get(writer.get_extra_info("peername")[1]) if self._probes else None
        if probe is not None:
            probe.set()
            writer.transport.abort()
            return
        self.accepted += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(OSError, EOFError):
                await self._serve(link)
            link.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        except asyncio.CancelledError:
            writer.transport.abort()
        except Exception as error:  # noqa: BLE001  # a mistake of ours, which close() tells
            self._broken.append(error)
            writer.transport.abort()
        finally:
            self._tasks.discard(task)

    async def drained(self) -> None:
        """Wait until every connection has been served to its end, those included that nobody has accepted yet.

        They stand in a queue, and a probe that is put at its end comes out after them.
        """
        if self._tls is None:
            await self._probe()
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def _probe(self) -> None:
        with socket.socket() as probe:
            probe.setblocking(False)
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
            arrived = self._probes[port] = asyncio.Event()
            await asyncio.get_running_loop().sock_connect(probe, ("127.0.0.1", self.port))
            await arrived.wait()
            del self._probes[port]

    async def drop_connections(self) -> None:
        """End every connection that there is now."""
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def close(self) -> None:
        """Stop listening and end every connection. Raises what went wrong here that no script asked for."""
        self._server.close()
        while self._tasks:
            await self.drop_connections()
        for _ in range(3):  # a transport closes its socket in a turn of its own
            await asyncio.sleep(0)
        if self._broken:
            raise ExceptionGroup("the listener itself failed", self._broken)
