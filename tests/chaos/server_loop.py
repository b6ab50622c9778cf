"""Event loop of the test servers in a thread of its own, with listeners that track each of their connections."""

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
    """Event loop in a thread of its own, so that a client's busy loop does not delay the servers, nor vice versa."""

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._loop.set_debug(False)
        self._thread = threading.Thread(target=self._run_loop, name="test-servers")
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
        """Run a coroutine in this loop and block until it is done."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    async def wait(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine in this loop while the caller's own loop continues."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    def call_soon(self, callback: Callable[[], object]) -> None:
        """Call a function in this loop, and do not wait for it."""
        self._loop.call_soon_threadsafe(callback)


class Connection:
    """Server's side of one connection, with every way to misuse it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.used = False
        """Whether it has had a request and a response."""
        self._first_byte = b""
        self._fin_sent = False

    async def wait_for_request(self) -> bool:
        """Wait for the first byte of the next request; False if the other side closes instead."""
        self._first_byte = await self.reader.read(1)
        return bool(self._first_byte)

    async def read_bytes(self, count: int) -> None:
        """Read `count` bytes of a request. Raises `EOFError` when the other side closes."""
        await self.reader.readexactly(max(0, count - len(self._first_byte)))

    async def read_request(self, *, short: int = 0) -> tuple[bytes, bytes]:
        """Read the head and the body of a request, without its last `short` bytes. Raises `EOFError` if it ends."""
        head = self._first_byte + await self.reader.readuntil(b"\r\n\r\n")
        self._first_byte = b""
        length = _length.search(head)
        return head, await self.reader.readexactly(int(length[1]) - short if length else 0)

    async def write(self, data: bytes) -> None:
        """Write, and wait until the system has accepted it. Raises `EOFError` where a FIN was sent before."""
        if self._fin_sent:
            raise EOFError
        self.writer.write(data)
        await self.writer.drain()

    async def hang(self) -> None:
        """Send nothing until the other side closes."""
        while await self.reader.read(65_536):
            pass

    def half_close(self) -> None:
        """Send a FIN and continue to read."""
        self._fin_sent = True
        with contextlib.suppress(OSError):
            self.writer.write_eof()

    def close(self) -> None:
        """Close with a FIN, and over TLS with a close_notify before it, without waiting for the other side's."""
        if not self.writer.is_closing():
            self.writer.close()
            if self.writer.get_extra_info("ssl_object") is not None:
                self.writer.transport.abort()

    def vanish(self) -> None:
        """Close as a process does that dies: with a FIN, and over TLS without a close_notify."""
        self.writer.transport.abort()

    def reset(self) -> None:
        """Close with a RST."""
        connection: socket.socket | None = self.writer.get_extra_info("socket")
        if connection is not None and connection.fileno() >= 0:
            reset_connection(connection)
        self.writer.transport.abort()


def reset_connection(connection: socket.socket) -> None:
    """Make a socket send a RST instead of a FIN when it is closed."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Listener:
    """Accepts connections on a free port, counts them, and can wait until the last of them has ended."""

    def __init__(self, serve: Callable[[Connection], Awaitable[None]], tls: ssl.SSLContext | None = None) -> None:
        self._serve, self._tls = serve, tls
        self._tasks: set[asyncio.Task[None]] = set()
        self._probes: dict[int, asyncio.Event] = {}
        self._errors: list[Exception] = []
        self.accepted: int = 0
        self.port: int = 0

    @property
    def connection_count(self) -> int:
        """Number of open connections."""
        return len(self._tasks)

    async def open(self) -> None:
        """Start to listen."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls, backlog=2048)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(reader, writer)
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
                await self._serve(connection)
            connection.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        except asyncio.CancelledError:
            writer.transport.abort()
        except Exception as error:  # noqa: BLE001  # an error of this listener, which close() raises
            self._errors.append(error)
            writer.transport.abort()
        finally:
            self._tasks.discard(task)

    async def drained(self) -> None:
        """Wait until every connection has been served to its end, including those that are not accepted yet.

        They are in a queue, and a probe at its end is accepted after them.
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
        """End every open connection."""
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def close(self) -> None:
        """Stop listening and end every connection. Raises the listener's own errors, which no script caused."""
        self._server.close()
        while self._tasks:
            await self.drop_connections()
        for _ in range(3):  # a transport closes its socket in a later loop iteration
            await asyncio.sleep(0)
        if self._errors:
            raise ExceptionGroup("the listener itself failed", self._errors)
