"""TLS contexts for tests, and a TLS server that sends an alert when it rejects a client: asyncio closes without one."""

import contextlib
import functools
import socket
import ssl
import threading
from typing import Any, Self

import trustme

from routee_failover import Config
from tests.client.fake_routee import config_for

from .raw_server import accepted_connections, http

TLS_1_2, TLS_1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@functools.cache
def _authority(name: str) -> trustme.CA:
    """Return the CA of a name, created on first use."""
    return trustme.CA()


def server_context(
    *names: str, trusted: bool = True, max_version: ssl.TLSVersion = TLS_1_3, client_certificate: bool = False
) -> ssl.SSLContext:
    """Return a server context; with `client_certificate` it requires a certificate from its clients."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _authority("trusted" if trusted else "untrusted").issue_cert(*(names or ["localhost"])).configure_cert(context)
    context.maximum_version = max_version
    if client_certificate:
        context.verify_mode = ssl.CERT_REQUIRED
        _authority("trusted").configure_trust(context)
    return context


def client_context(*, certificate: bool = False, min_version: ssl.TLSVersion = TLS_1_2) -> ssl.SSLContext:
    """Return a client context that trusts the CA of these tests."""
    context = ssl.create_default_context()
    _authority("trusted").configure_trust(context)
    context.minimum_version = min_version
    if certificate:
        _authority("trusted").issue_cert("client@example.test").configure_cert(context)
    return context


class BlockingTlsServer:
    """Server in its own thread that responds to every request, and sends an alert to each client it rejects."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self.connections = 0
        self.rejected_clients = 0
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
        """Return a config for this server."""
        return config_for(self.url, **changes)

    def _serve(self) -> None:
        for connection in accepted_connections(self._socket):
            self.connections += 1
            with connection, contextlib.suppress(OSError):
                connection.settimeout(5)
                self._serve_connection(connection)

    def _serve_connection(self, connection: socket.socket) -> None:
        tls = self._context.wrap_socket(connection.dup(), server_side=True, do_handshake_on_connect=False)
        with tls:
            try:
                tls.do_handshake()
            except ssl.SSLError:
                self.rejected_clients += 1
                # Closing with unread data resets the connection, and the alert would be lost.
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65_536):
                    pass
                return
            while request := tls.recv(65_536):
                self.requests.append(request)
                tls.sendall(http())
