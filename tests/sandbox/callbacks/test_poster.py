"""One POST and its result, whatever the receiver does; and the limits of concurrent posts."""

import asyncio
import errno
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trustme

from routee_failover.sandbox.callbacks import poster
from routee_failover.sandbox.callbacks.keyed_semaphore import KeyedSemaphore
from routee_failover.sandbox.callbacks.poster import Poster

from .callback_receiver import Receiver

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def open_poster() -> AsyncIterator[Poster]:
    """Yield a poster, and close it at the end."""
    http_poster = Poster()
    try:
        yield http_poster
    finally:
        await http_poster.close()


@asynccontextmanager
async def serve(talk: Talk, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Run a server that does this with each connection and then closes it; yield its host and port."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls) as server:
        yield f"localhost:{server.sockets[0].getsockname()[1]}"


def respond(*parts: bytes) -> Talk:
    """Read a request, and write these bytes."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(2)
            for part in parts:
                writer.write(part)
                await writer.drain()

    return talk


async def reset(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Reset the connection."""
    writer.transport.abort()


async def speak_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Write before the client does, and not TLS."""
    writer.write(b"220 ready\r\n")
    await reader.read()


async def close(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Close the connection after the request."""
    await reader.readuntil(b"\r\n\r\n")


def _status(line: str) -> Talk:
    return respond(f"HTTP/1.1 {line}\r\nContent-Length: 0\r\nLocation: /elsewhere\r\n\r\n".encode())


@pytest.mark.parametrize(
    ("talk", "status", "error"),
    [
        (respond(OK), 200, None),
        (_status("200 Fine"), 200, None),
        (_status("201 Created"), 201, "only 200 counts as success"),
        (_status("204 No Content"), 204, "only 200 counts as success"),
        (_status("302 Found"), 302, "redirects are not followed: only 200 counts as success"),
        (_status("404 Not Found"), 404, "only 200 counts as success"),
        (_status("500 Oops"), 500, "only 200 counts as success"),
        (respond(b"SMTP ready\r\n\r\n"), None, "the response is not valid HTTP"),
        (respond(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n"), None, "the response is not valid HTTP"),
        (reset, None, "the connection was reset before a response"),
        (close, None, "the connection was reset before a response"),
        # The status determines the result, even if the rest cannot be read.
        (respond(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", b"ok"), 200, None),
        (respond(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok"), 200, None),
        (respond(b"HTTP/1.1 200 OK\r\n\r\n", *[b"x" * 65_536] * 100), 200, None),
    ],
)
async def test_result_of_every_response_and_connection_failure(
    talk: Talk, status: int | None, error: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every response, valid or not, and every lost connection has its status or a clear error."""
    monkeypatch.setattr(poster, "RESPONSE_TIMEOUT", 0.5)
    async with serve(talk) as address, open_poster() as http_poster:
        result = await http_poster.post(f"http://{address}/cb?key=secret", b"{}")
        assert (result.status, result.error) == (status, error)
        assert 0 <= result.duration_ms < 5_000


@pytest.mark.parametrize(
    "url", ["http://[::1", "http://host:99999/", "http://a.test:port/", "http://user@/", "http://a..b/", "http://0/"]
)
async def test_url_that_cannot_be_called_is_an_error(url: str) -> None:
    """A URL that is accepted in a flow but cannot be called is an error of the attempt."""
    async with open_poster() as http_poster:
        result = await http_poster.post(url, b"{}")
        assert (result.status, result.error) == (None, "the URL is not valid")


async def test_refused_connection_is_an_error() -> None:
    """A port that nothing listens on refuses the connection."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        async with open_poster() as http_poster:
            result = await http_poster.post(f"http://127.0.0.1:{bound.getsockname()[1]}/", b"{}")
            assert (result.status, result.error) == (None, "the connection was refused")


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "the host name was not found"),
        (UnicodeError("label too long"), "the URL is not valid"),
    ],
)
async def test_unresolvable_host_name_is_an_error(
    fault: Exception, error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host name that is not found or not valid is an error of the attempt."""

    async def getaddrinfo(*_args: object, **_kwargs: object) -> None:
        raise fault

    async with open_poster() as http_poster:
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
        assert (await http_poster.post("http://nowhere.test/", b"{}")).error == error


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (OSError(errno.EHOSTUNREACH, "somewhere:1 secret"), "no connection: No route to host"),
        (OSError("two addresses, two faults"), "no connection"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "secret"), "the connection was refused"),
    ],
)
async def test_connection_errors_are_described_without_the_url(
    fault: OSError, error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Errors of the operating system are described in its own words, without the URL."""

    async def connect(*_args: object, **_kwargs: object) -> None:
        raise fault

    monkeypatch.setattr("aiohttp.connector.aiohappyeyeballs.start_connection", connect)
    async with open_poster() as http_poster:
        assert (await http_poster.post("http://127.0.0.1:1/", b"{}")).error == error


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    """Return a certificate authority that no system trusts."""
    return trustme.CA()


async def test_untrusted_certificate_and_missing_tls_have_different_errors(ca: trustme.CA) -> None:
    """An untrusted certificate has another error than a receiver that does not speak TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(context)
    async with serve(respond(OK), context) as address, open_poster() as http_poster:
        assert (await http_poster.post(f"https://{address}/", b"{}")).error == "the certificate is not trusted"
    async with serve(speak_first) as address, open_poster() as http_poster:
        assert (await http_poster.post(f"https://{address}/", b"{}")).error == "no TLS connection could be made"


async def test_trusted_certificate_is_accepted(ca: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> None:
    """A receiver with a certificate that this machine trusts is called by https."""
    server_context, client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    ca.issue_cert("localhost").configure_cert(server_context)
    ca.configure_trust(client_context)
    monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", client_context)
    async with serve(respond(OK), server_context) as address, open_poster() as http_poster:
        assert (await http_poster.post(f"https://{address}/", b"{}")).error is None


async def test_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy in the environment is not used: callbacks mostly stay on this machine."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    async with Receiver() as receiver, open_poster() as http_poster:
        assert (await http_poster.post(receiver.url, b"{}")).status == 200


async def test_sequential_posts_reuse_the_connection() -> None:
    """Consecutive callbacks to one receiver share a connection."""
    connections = 0

    async def count_connections(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await respond(OK)(reader, writer)

    async with serve(count_connections) as address, open_poster() as http_poster:
        for _ in range(5):
            assert (await http_poster.post(f"http://{address}/", b"{}")).status == 200
    assert connections == 1


async def test_slow_receiver_does_not_hold_up_others() -> None:
    """One receiver gets ten posts at a time; meanwhile another one gets its own."""
    async with Receiver() as slow, Receiver() as other, open_poster() as http_poster:
        slow.always = slow.hold
        posts = [asyncio.create_task(http_poster.post(slow.url, b"{}")) for _ in range(30)]
        await slow.received(poster.MAX_CONCURRENT_POSTS_PER_ORIGIN)
        assert [(await http_poster.post(other.url, b"{}")).status for _ in range(5)] == [200] * 5
        assert len(slow.bodies) == slow.max_concurrent == poster.MAX_CONCURRENT_POSTS_PER_ORIGIN
        slow.release.set()
        assert [(await post).status for post in posts] == [200] * 30
        assert slow.max_concurrent == poster.MAX_CONCURRENT_POSTS_PER_ORIGIN


async def test_keyed_semaphore_forgets_unused_keys() -> None:
    """A key exists as long as it is waited for or held, and a cancelled waiter does not block others."""
    semaphores = KeyedSemaphore(1)
    started = asyncio.Event()

    async def hold(key: str) -> None:
        async with semaphores.acquire(key):
            started.set()
            await asyncio.Event().wait()

    tasks = [asyncio.create_task(hold("a")) for _ in range(3)]
    await started.wait()
    assert len(semaphores) == 1
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert len(semaphores) == 0
    async with semaphores.acquire("a"), semaphores.acquire("b"):
        assert len(semaphores) == 2


async def test_closed_poster_can_be_used_again() -> None:
    """A closed poster opens new connections; one that was never used has none to close."""
    async with Receiver() as receiver, open_poster() as http_poster:
        await http_poster.close()
        assert (await http_poster.post(receiver.url, b"{}")).status == 200
        await http_poster.close()
        assert (await http_poster.post(receiver.url, b"{}")).status == 200
