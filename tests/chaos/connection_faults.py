"""Servers to which no connection comes to be, or only over TLS, and one that counts who knocks."""

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
    """A port that is taken and on which nobody listens, so that connections are refused."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@contextmanager
def unresponsive_port() -> Iterator[int]:
    """A port whose queue is full, so that the system answers to no further connection. Linux does it so."""
    with contextlib.ExitStack() as sockets:
        listening = sockets.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):
            waiting = sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            assert waiting.connect_ex(listening.getsockname()) in {0, errno.EINPROGRESS}
        yield listening.getsockname()[1]


async def fin_in_the_handshake(link: Connection) -> None:
    """Read the client's first words and leave."""
    await link.reader.read(65_536)


async def rst_in_the_handshake(link: Connection) -> None:
    """Read the client's first words and reset."""
    await link.reader.read(65_536)
    link.reset()


async def plain_http(link: Connection) -> None:
    """Answer to a handshake as servers do whose port is not for TLS."""
    await link.reader.read(65_536)
    await link.write(b"HTTP/1.1 400 The plain HTTP request was sent to an HTTPS port\r\n\r\n")


async def hanging_handshake(link: Connection) -> None:
    """Listen and say nothing."""
    await link.hang()


HANDSHAKES = {
    "FIN in the handshake": fin_in_the_handshake,
    "RST in the handshake": rst_in_the_handshake,
    "plain HTTP on the port for TLS": plain_http,
    "a handshake that hangs": hanging_handshake,
}


@asynccontextmanager
async def handshake_listener(server_loop: ServerLoop, name: str) -> AsyncIterator[Listener]:
    """A server that breaks every handshake in the way of that name."""
    listener = Listener(HANDSHAKES[name])
    await server_loop.wait(listener.open())
    try:
        yield listener
    finally:
        await server_loop.wait(listener.close())


class ServerTls:
    """A server's side of TLS with a certificate of its own; `count` says how many handshakes were begun."""

    def __init__(
        self, ca: trustme.CA, host: str = "localhost", *, expired: bool = False, requires_client_cert: bool = False
    ) -> None:
        self.handshake_count: int = 0
        ends = datetime.now(UTC) - timedelta(days=1) if expired else None
        begins = datetime.now(UTC) - timedelta(days=9) if expired else None
        self.context: ssl.SSLContext = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert(host, not_before=begins, not_after=ends).configure_cert(self.context)
        if requires_client_cert:
            ca.configure_trust(self.context)
            self.context.verify_mode = ssl.CERT_REQUIRED
        self.context.sni_callback = self._begun

    def _begun(self, *_what: object) -> None:
        self.handshake_count += 1


class ResettingServer:
    """Accepts connections, counts them and resets each at once: what an outage looks like that can be counted."""

    def __enter__(self) -> Self:
        self.count = 0
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=2048)
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._slam, name="slammer")
        self._thread.start()
        return self

    def counted(self) -> int:
        """How many connections came, those included that nobody has accepted yet."""
        with socket.create_connection(("127.0.0.1", self.port)) as last, contextlib.suppress(OSError):
            last.recv(1)
        return self.count - 1

    def _slam(self) -> None:
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
    """A look-up of host names that says of one that nobody has it, without asking the network."""
    ask = loop.getaddrinfo

    async def getaddrinfo(host: str, *args: Any, **named: Any) -> Any:
        if host == UNKNOWN_HOST:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return await ask(host, *args, **named)

    return getaddrinfo
