"""A server of bare sockets that behaves as badly as a test tells it to, and counts what reached it."""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from types import TracebackType
from typing import Any, Self, TypeAlias, TypeVar

import aiohttp
from yarl import URL

from routee_failover import Config
from routee_failover._transport import ApiRequest, Transport
from routee_failover._transport.attempt import Attempt
from routee_failover._transport.executor import execute
from routee_failover._transport.headers import Headers
from routee_failover._transport.in_flight import InFlight
from routee_failover._transport.loop_transport import LoopTransport
from routee_failover._transport.session import open_session
from routee_failover.events import Event
from routee_failover.outcomes import AttemptResult
from routee_failover.secret import Secret, SecretBytes
from tests.client.fake_routee import until

PIN = "739164"
KEY = "canary-token"
BODY = f'{{"pin":"{PIN}"}}'.encode()

Reader: TypeAlias = asyncio.StreamReader
Writer: TypeAlias = asyncio.StreamWriter
Behaving = Callable[[Reader, Writer], Awaitable[None]]
_Kind = TypeVar("_Kind")
TOKEN_PATH = b"/oauth/token"


def http(status: str = "200 OK", body: bytes = b"{}", *headers: str) -> bytes:
    """A whole answer."""
    lines = (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers)
    return "\r\n".join((*lines, "", "")).encode() + body


TOKEN_ANSWER = http("200 OK", b'{"access_token":"canary-token","expires_in":3600}')
ACCEPTED = http("200 OK", b'{"trackingId":"t"}')
POST = ApiRequest("POST", "/failover", SecretBytes(BODY))
GET = ApiRequest("GET", "/failover/tracking/x", safe=True)


async def read_request(reader: Reader) -> bytes:
    """A whole request; empty when the caller has left."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        return head + (await reader.readexactly(int(lengths[0].partition(b":")[2])) if lengths else b"")
    except (asyncio.IncompleteReadError, OSError):
        return b""


def reset(writer: Writer) -> None:
    """Close with a RST instead of a FIN."""
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class RawServer:
    """Counts connections; `behave` gets each of them."""

    def __init__(self, behave: Behaving, tls: ssl.SSLContext | None = None) -> None:
        self._behave, self._tls = behave, tls
        self._tasks: set[asyncio.Task[None]] = set()
        self.connections = 0
        self.url = ""

    async def _serve(self, reader: Reader, writer: Writer) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(OSError):
                await self._behave(reader, writer)
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            self._tasks.discard(task)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls, backlog=256)
        scheme = "http" if self._tls is None else "https"
        self.url = f"{scheme}://localhost:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await asyncio.sleep(0)

    def config(self, **changes: Any) -> Config:
        """Settings for this server."""
        settings: dict[str, Any] = {
            "application_id": "application",
            "application_secret": "canary-key",
            "api_url": self.url,
            "auth_url": self.url,
        }
        return Config(**(settings | changes))


def answering(
    *answers: bytes, seen: list[bytes] | None = None, after: Callable[[Writer], None] | None = None
) -> Behaving:
    """Answer token requests well, and each other request with the next of the answers, the last again and again."""
    left = list(answers)

    async def behave(reader: Reader, writer: Writer) -> None:
        while request := await read_request(reader):
            if TOKEN_PATH in request.partition(b"\r\n")[0]:
                writer.write(TOKEN_ANSWER)
                continue
            if seen is not None:
                seen.append(request)
            writer.write(left.pop(0) if len(left) > 1 else left[0])
            if after is not None:
                await writer.drain()
                after(writer)
                return

    return behave


async def hang(reader: Reader, writer: Writer) -> None:
    """Read everything and say nothing."""
    await reader.read(-1)


def tokens_and(seen: list[bytes], breaks: Behaving) -> Behaving:
    """Give tokens, count everything else, and then break in the given way."""

    async def behave(reader: Reader, writer: Writer) -> None:
        while request := await read_request(reader):
            if TOKEN_PATH in request.partition(b"\r\n")[0]:
                writer.write(TOKEN_ANSWER)
                continue
            seen.append(request)
            await breaks(reader, writer)
            return

    return behave


class Door:
    """Behaves well, but answers only as long as it is open; counts what came whole, and what came at all."""

    def __init__(self, answer: bytes = ACCEPTED, *, shut: bool = False, no_tokens: bool = False) -> None:
        self._answer = answer
        self.open, self.gives_tokens = asyncio.Event(), asyncio.Event()
        if not shut:
            self.open.set()
        if not no_tokens:
            self.gives_tokens.set()
        self.seen: list[bytes] = []
        self.begun = 0
        """Of how many requests, token requests apart, at least a byte came."""
        self.tokens = 0

    async def __call__(self, reader: Reader, writer: Writer) -> None:
        """Serve one connection."""
        while first := await reader.read(1):
            self.begun += 1
            request = first + await read_request(reader)
            if TOKEN_PATH in request.partition(b"\r\n")[0]:
                self.begun -= 1
                self.tokens += 1
                await self.gives_tokens.wait()
                writer.write(TOKEN_ANSWER)
            elif len(request) > 1:
                self.seen.append(request)
                await self.open.wait()
                writer.write(self._answer)


class Notes:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def observe(self, event: Event, /) -> None:
        """Keep an event."""
        self.events.append(event)

    def of(self, kind: type[_Kind]) -> list[_Kind]:
        """The events of a kind, in their order."""
        return [event for event in self.events if isinstance(event, kind)]


@asynccontextmanager
async def opened(server: RawServer, **settings: Any) -> AsyncIterator[Transport]:
    """A transport to a server, closed in the end."""
    transport = Transport(server.config(**settings))
    try:
        yield transport
    finally:
        await transport.aclose()


class Bench:
    """What attempts are made with, and nothing above it: a session, and the clock that ends them in time."""

    def __init__(self, config: Config) -> None:
        self.session = open_session(config)
        self.total = config.total_timeout.total_seconds()
        self.client_timeout = aiohttp.ClientTimeout(total=None, connect=config.connect_timeout.total_seconds())
        self.max_response_size = config.max_response_size
        self.in_flight = InFlight(self._make, lambda _exchange, _evidence: None)

    async def _make(self, exchange: Attempt) -> AttemptResult:
        return await execute(
            self.session, exchange, timeout=self.client_timeout, max_response_size=self.max_response_size
        )

    def new_attempt(self, url: str, *, method: str = "POST") -> Attempt:
        """An exchange with a body and a key that nothing may show."""
        loop = asyncio.get_running_loop()
        headers = Headers(Secret(f"Bearer {KEY}"), "application/json")
        call = ApiRequest(method, "/failover", SecretBytes(BODY))
        now = loop.time()
        exchange = Attempt(call, URL(url), headers, now, now + self.total, loop.create_future(), 1, 1)
        exchange.body = call.body
        return exchange

    async def tried(self, url: str, *, method: str = "POST") -> AttemptResult:
        """One attempt."""
        exchange = self.new_attempt(url, method=method)
        self.in_flight.start(exchange)
        return await exchange.result


@asynccontextmanager
async def bench(config: Config) -> AsyncIterator[Bench]:
    """A bench that is cleared in the end."""
    made = Bench(config)
    try:
        yield made
    finally:
        await made.in_flight.drain(0)
        await made.session.close()


async def attempt_once(behave: Behaving, **settings: Any) -> tuple[AttemptResult, RawServer]:
    """One attempt at a server that behaves like that."""
    async with RawServer(behave) as server:
        settings = {"total_timeout": timedelta(seconds=1)} | settings
        async with bench(server.config(**settings)) as made:
            return await made.tried(f"{server.url}/failover"), server


def loop_transport_of(transport: Transport) -> LoopTransport:
    """What a transport holds in this loop."""
    return transport._loop_transports[asyncio.get_running_loop()]


def slots_in_use(transport: Transport) -> int:
    """How many turns are taken."""
    return loop_transport_of(transport)._limiter._admission._all.in_flight


async def until_idle(transport: Transport) -> None:
    """Wait until nothing is under way."""
    await until(lambda: not loop_transport_of(transport)._in_flight._tasks)


async def cancelled(running: Awaitable[Any], *, once: Callable[[], object]) -> None:
    """Cancel a call as soon as something holds."""
    task = asyncio.ensure_future(running)
    await until(once)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
