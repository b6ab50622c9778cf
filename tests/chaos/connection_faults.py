"""Connection faults: servers to which no connection can be made, TLS servers, and one that counts connections."""

import asyncio
import contextlib
import errno
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import trustme

from .server_loop import Connection, Listener, ServerLoop, reset_connection


@contextmanager
def closed_port() -> Iterator[int]:
    """Reserve a port without listening on it, so that connections are refused."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@contextmanager
def unresponsive_port() -> Iterator[int]:
    """Listen on a port whose queue is full, so that the system answers no further connection, as Linux does."""
    with contextlib.ExitStack() as sockets:
        listening = sockets.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):
            waiting = sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            assert waiting.connect_ex(listening.getsockname()) in {0, errno.EINPROGRESS}
        yield listening.getsockname()[1]


async def fin_in_the_handshake(connection: Connection) -> None:
    """Read the ClientHello and send a FIN."""
    await connection.reader.read(65_536)


async def rst_in_the_handshake(connection: Connection) -> None:
    """Read the ClientHello and send a RST."""
    await connection.reader.read(65_536)
    connection.reset()


async def plain_http(connection: Connection) -> None:
    """Respond to a handshake as servers do whose port is not for TLS."""
    await connection.reader.read(65_536)
    await connection.write(b"HTTP/1.1 400 The plain HTTP request was sent to an HTTPS port\r\n\r\n")


async def hanging_handshake(connection: Connection) -> None:
    """Read, and send nothing."""
    await connection.hang()


HANDSHAKES = {
    "FIN in the handshake": fin_in_the_handshake,
    "RST in the handshake": rst_in_the_handshake,
    "plain HTTP on the port for TLS": plain_http,
    "a handshake that hangs": hanging_handshake,
}


@asynccontextmanager
async def handshake_listener(server_loop: ServerLoop, name: str) -> AsyncIterator[Listener]:
    """Start a server that breaks every handshake in the way of that name."""
    listener = Listener(HANDSHAKES[name])
    await server_loop.wait(listener.open())
    try:
        yield listener
    finally:
        await server_loop.wait(listener.close())


class ServerTls:
    """Server's side of TLS with a certificate of its own; `handshake_count` counts the handshakes that were started."""

    def __init__(
        self, ca: trustme.CA, host: str = "localhost", *, expired: bool = False, requires_client_cert: bool = False
    ) -> None:
        self.handshake_count: int = 0
        not_after_time = datetime.now(UTC) - timedelta(days=1) if expired else None
        not_before_time = datetime.now(UTC) - timedelta(days=9) if expired else None
        self.context: ssl.SSLContext = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert(host, not_before=not_before_time, not_after=not_after_time).configure_cert(self.context)
        if requires_client_cert:
            ca.configure_trust(self.context)
            self.context.verify_mode = ssl.CERT_REQUIRED
        self.context.sni_callback = self._on_client_hello

    def _on_client_hello(self, *_args: object) -> None:
        self.handshake_count += 1


class ResettingServer:
    """Accepts connections, counts them and resets each at once: an outage with a count of the attempts."""

    def __enter__(self) -> Self:
        self.count = 0
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=2048)
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._reset_all, name="resetting-server")
        self._thread.start()
        return self

    def count_connections(self) -> int:
        """Count the connections, including those that are not accepted yet."""
        with socket.create_connection(("127.0.0.1", self.port)) as last, contextlib.suppress(OSError):
            last.recv(1)
        return self.count - 1

    def _reset_all(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.count += 1
            reset_connection(connection)
            connection.close()

    def __exit__(self, *_exc: object) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


UNKNOWN_HOST = "nowhere.invalid"


def failing_resolver(loop: asyncio.AbstractEventLoop) -> Callable[..., Awaitable[Any]]:
    """Return a host name resolver that fails for `UNKNOWN_HOST`, without a network request."""
    resolve = loop.getaddrinfo

    async def getaddrinfo(host: str, *args: Any, **options: Any) -> Any:
        if host == UNKNOWN_HOST:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return await resolve(host, *args, **options)

    return getaddrinfo
