"""One POST and what came of it in words, whatever the receiver does; and how many are made at once."""

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
    """A poster, closed at the end."""
    one = Poster()
    try:
        yield one
    finally:
        await one.close()


@asynccontextmanager
async def serving(talk: Talk, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server that does this with each connection, and then closes it; gives host and port."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls) as server:
        yield f"localhost:{server.sockets[0].getsockname()[1]}"


def answering(*parts: bytes) -> Talk:
    """Read a request, and write this."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(2)
            for part in parts:
                writer.write(part)
                await writer.drain()

    return talk


async def resets(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Reset the connection."""
    writer.transport.abort()


async def greets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Speak first, and not TLS."""
    writer.write(b"220 ready\r\n")
    await reader.read()


async def closes(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Close the connection after the request."""
    await reader.readuntil(b"\r\n\r\n")


def _status(line: str) -> Talk:
    return answering(f"HTTP/1.1 {line}\r\nContent-Length: 0\r\nLocation: /elsewhere\r\n\r\n".encode())


@pytest.mark.parametrize(
    ("talk", "status", "error"),
    [
        (answering(OK), 200, None),
        (_status("200 Fine"), 200, None),
        (_status("201 Created"), 201, "only 200 counts"),
        (_status("204 No Content"), 204, "only 200 counts"),
        (_status("302 Found"), 302, "a redirect is not followed: only 200 counts"),
        (_status("404 Not Found"), 404, "only 200 counts"),
        (_status("500 Oops"), 500, "only 200 counts"),
        (answering(b"SMTP ready\r\n\r\n"), None, "the answer is no HTTP"),
        (answering(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n"), None, "the answer is no HTTP"),
        (resets, None, "the connection was reset before an answer"),
        (closes, None, "the connection was reset before an answer"),
        # The status decides, whatever becomes of the rest.
        (answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", b"ok"), 200, None),
        (answering(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok"), 200, None),
        (answering(b"HTTP/1.1 200 OK\r\n\r\n", *[b"x" * 65_536] * 100), 200, None),
    ],
)
async def test_in_words(talk: Talk, status: int | None, error: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every answer, and everything that is none, is told by its status or in words that everybody understands."""
    monkeypatch.setattr(poster, "RESPONSE_TIMEOUT", 0.5)
    async with serving(talk) as place, open_poster() as one:
        answer = await one.post(f"http://{place}/cb?key=secret", b"{}")
        assert (answer.status, answer.error) == (status, error)
        assert 0 <= answer.duration_ms < 5_000


@pytest.mark.parametrize(
    "url", ["http://[::1", "http://host:99999/", "http://a.test:port/", "http://user@/", "http://a..b/", "http://0/"]
)
async def test_what_is_no_address(url: str) -> None:
    """An address that passes for one in a flow but cannot be called is told as such."""
    async with open_poster() as one:
        answer = await one.post(url, b"{}")
        assert (answer.status, answer.error) == (None, "this is no address that could be called")


async def test_nobody_there() -> None:
    """A port that nobody listens on refuses the connection."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        async with open_poster() as one:
            answer = await one.post(f"http://127.0.0.1:{bound.getsockname()[1]}/", b"{}")
            assert (answer.status, answer.error) == (None, "the connection was refused")


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "the name was not found"),
        (UnicodeError("label too long"), "this is no address that could be called"),
    ],
)
async def test_a_name_that_leads_nowhere(fault: Exception, error: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is not found, or can be none, is told."""

    async def look_up(*_args: object, **_kwargs: object) -> None:
        raise fault

    async with open_poster() as one:
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look_up)
        assert (await one.post("http://nowhere.test/", b"{}")).error == error


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (OSError(errno.EHOSTUNREACH, "somewhere:1 secret"), "no connection: No route to host"),
        (OSError("two addresses, two faults"), "no connection"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "secret"), "the connection was refused"),
    ],
)
async def test_no_way_there(fault: OSError, error: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the machine says of a connection that cannot be made is told in its own words, without the address."""

    async def connect(*_args: object, **_kwargs: object) -> None:
        raise fault

    monkeypatch.setattr("aiohttp.connector.aiohappyeyeballs.start_connection", connect)
    async with open_poster() as one:
        assert (await one.post("http://127.0.0.1:1/", b"{}")).error == error


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    """An authority that no system knows."""
    return trustme.CA()


async def test_certificates_are_verified(ca: trustme.CA) -> None:
    """A receiver with a certificate that nobody vouches for is told from one that speaks no TLS at all."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(context)
    async with serving(answering(OK), context) as place, open_poster() as one:
        assert (await one.post(f"https://{place}/", b"{}")).error == "the certificate is not trusted"
    async with serving(greets) as place, open_poster() as one:
        assert (await one.post(f"https://{place}/", b"{}")).error == "no TLS connection could be made"


async def test_a_trusted_certificate(ca: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> None:
    """A receiver with a certificate that this machine trusts is called by https."""
    serves, trusts = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    ca.issue_cert("localhost").configure_cert(serves)
    ca.configure_trust(trusts)
    monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", trusts)
    async with serving(answering(OK), serves) as place, open_poster() as one:
        assert (await one.post(f"https://{place}/", b"{}")).error is None


async def test_the_environment_is_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that the environment names is not used: callbacks mostly stay on this machine."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    async with Receiver() as receiver, open_poster() as one:
        assert (await one.post(receiver.url, b"{}")).status == 200


async def test_a_connection_is_used_again() -> None:
    """Callbacks to one receiver share a connection as long as one follows the other."""
    connections = 0

    async def counted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await answering(OK)(reader, writer)

    async with serving(counted) as place, open_poster() as one:
        for _ in range(5):
            assert (await one.post(f"http://{place}/", b"{}")).status == 200
    assert connections == 1


async def test_a_slow_receiver_holds_up_no_other() -> None:
    """One receiver has ten at once and no more; meanwhile another one has its own."""
    async with Receiver() as slow, Receiver() as other, open_poster() as one:
        slow.always = slow.hold
        waiting = [asyncio.create_task(one.post(slow.url, b"{}")) for _ in range(30)]
        await slow.received(poster.MAX_CONCURRENT_POSTS_PER_ORIGIN)
        assert [(await one.post(other.url, b"{}")).status for _ in range(5)] == [200] * 5
        assert len(slow.bodies) == slow.most_at_once == poster.MAX_CONCURRENT_POSTS_PER_ORIGIN
        slow.let_go.set()
        assert [(await post).status for post in waiting] == [200] * 30
        assert slow.most_at_once == poster.MAX_CONCURRENT_POSTS_PER_ORIGIN


async def test_turns_are_forgotten() -> None:
    """A key is known as long as somebody waits for it or has it, and one who leaves early holds up nobody."""
    turns = KeyedSemaphore(1)
    begun = asyncio.Event()

    async def take(key: str) -> None:
        async with turns.acquire(key):
            begun.set()
            await asyncio.Event().wait()

    tasks = [asyncio.create_task(take("a")) for _ in range(3)]
    await begun.wait()
    assert len(turns) == 1
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert len(turns) == 0
    async with turns.acquire("a"), turns.acquire("b"):
        assert len(turns) == 2


async def test_closed_and_used_again() -> None:
    """A poster that was closed opens connections anew; one that was never used has none to close."""
    async with Receiver() as receiver, open_poster() as one:
        await one.close()
        assert (await one.post(receiver.url, b"{}")).status == 200
        await one.close()
        assert (await one.post(receiver.url, b"{}")).status == 200
