"""Certificates for tests, and a TLS server that says why it refuses: asyncio's own closes without the alert."""

import contextlib
import functools
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any, Self

import trustme

from routee_failover import Config

from .raw_server import RawServer, http

TLS_1_2, TLS_1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@functools.cache
def _authority(name: str) -> trustme.CA:
    """A CA for each name: made once, and not before a test needs it."""
    return trustme.CA()


def serving(
    *names: str, trusted: bool = True, at_most: ssl.TLSVersion = TLS_1_3, clients: bool = False
) -> ssl.SSLContext:
    """A server's context; with `clients` it demands a certificate of its callers."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _authority("known" if trusted else "strange").issue_cert(*(names or ["localhost"])).configure_cert(context)
    context.maximum_version = at_most
    if clients:
        context.verify_mode = ssl.CERT_REQUIRED
        _authority("known").configure_trust(context)
    return context


def calling(*, certificate: bool = False, at_least: ssl.TLSVersion = TLS_1_2) -> ssl.SSLContext:
    """A client's context that trusts the CA of these tests."""
    context = ssl.create_default_context()
    _authority("known").configure_trust(context)
    context.minimum_version = at_least
    if certificate:
        _authority("known").issue_cert("client@example.test").configure_cert(context)
    return context


class BlockingTlsServer:
    """A server in a thread of its own that answers every request, and tells whom it refuses by an alert."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self.connections = 0
        self.refused = 0
        self.requests: list[bytes] = []

    def __enter__(self) -> Self:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.url = f"https://localhost:{self.port}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()

    def config(self, **changes: Any) -> Config:
        """Settings for this server."""
        return RawServer.config(self, **changes)  # type: ignore[arg-type]  # it needs nothing but the url

    def _connections(self) -> Iterator[socket.socket]:
        while True:
            try:
                yield self._socket.accept()[0]
            except OSError:
                return

    def _serve(self) -> None:
        for connection in self._connections():
            self.connections += 1
            with connection, contextlib.suppress(OSError):
                connection.settimeout(5)
                self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        talk = self._context.wrap_socket(connection.dup(), server_side=True, do_handshake_on_connect=False)
        with talk:
            try:
                talk.do_handshake()
            except ssl.SSLError:
                self.refused += 1
                # Whoever closes with something unread resets the connection, and the alert would be lost.
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65_536):
                    pass
                return
            while request := talk.recv(65_536):
                self.requests.append(request)
                talk.sendall(http())
