"""Raw socket server for tests: it misbehaves as instructed and records what reached it; and helpers to send to it."""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from types import TracebackType
from typing import Any, Self, TypeAlias, TypeVar

from aiohttp import BaseConnector
from yarl import URL

from routee_failover import Config
from routee_failover._transport import ApiRequest, Transport
from routee_failover._transport.attempt import Attempt
from routee_failover._transport.executor import Executor
from routee_failover._transport.headers import Headers
from routee_failover._transport.in_flight import InFlight
from routee_failover._transport.loop_transport import LoopTransport
from routee_failover._transport.session_executor import SessionExecutor
from routee_failover.events import Event
from routee_failover.outcomes import AttemptResult
from routee_failover.secret import Secret, SecretBytes
from tests.client.fake_routee import config_for, until

PIN = "739164"
KEY = "canary-token"
BODY = f'{{"pin":"{PIN}"}}'.encode()

Reader: TypeAlias = asyncio.StreamReader
Writer: TypeAlias = asyncio.StreamWriter
Handler = Callable[[Reader, Writer], Awaitable[None]]
_Kind = TypeVar("_Kind")
TOKEN_PATH = b"/oauth/token"


def http(status: str = "200 OK", body: bytes = b"{}", *headers: str) -> bytes:
    """Return a complete HTTP response."""
    lines = (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers)
    return "\r\n".join((*lines, "", "")).encode() + body


TOKEN_RESPONSE = http("200 OK", b'{"access_token":"canary-token","expires_in":3600}')
ACCEPTED = http("200 OK", b'{"trackingId":"t"}')
POST = ApiRequest("POST", "/failover", SecretBytes(BODY))
GET = ApiRequest("GET", "/failover/tracking/x", safe=True)


async def read_request(reader: Reader) -> bytes:
    """Read a complete request; return b"" if the client disconnects first."""
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
    """Socket server that passes each connection to `handler`, and counts the connections."""

    def __init__(self, handler: Handler, tls: ssl.SSLContext | None = None) -> None:
        self._handler, self._tls = handler, tls
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
                await self._handler(reader, writer)
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
        """Return a config for this server."""
        return config_for(self.url, **changes)


def accepted_connections(listener: socket.socket) -> Iterator[socket.socket]:
    """Yield the connections that a blocking socket accepts, until it is closed."""
    while True:
        try:
            yield listener.accept()[0]
        except OSError:
            return


def responding(
    *responses: bytes, seen: list[bytes] | None = None, after: Callable[[Writer], None] | None = None
) -> Handler:
    """Serve tokens, and respond to each other request with the next response; the last one is repeated.

    `seen` collects these requests. `after` is called after each response, which ends the connection.
    """
    remaining = list(responses)

    async def handler(reader: Reader, writer: Writer) -> None:
        while request := await read_request(reader):
            if TOKEN_PATH in request.partition(b"\r\n")[0]:
                writer.write(TOKEN_RESPONSE)
                continue
            if seen is not None:
                seen.append(request)
            writer.write(remaining.pop(0) if len(remaining) > 1 else remaining[0])
            if after is not None:
                await writer.drain()
                after(writer)
                return

    return handler


async def never_respond(reader: Reader, writer: Writer) -> None:
    """Read everything and never respond."""
    await reader.read(-1)


def after_token(seen: list[bytes], failure: Handler) -> Handler:
    """Serve tokens, record each other request in `seen`, and hand its connection to `failure`."""

    async def handler(reader: Reader, writer: Writer) -> None:
        while request := await read_request(reader):
            if TOKEN_PATH in request.partition(b"\r\n")[0]:
                writer.write(TOKEN_RESPONSE)
                continue
            seen.append(request)
            await failure(reader, writer)
            return

    return handler


class PausableHandler:
    """Handler whose responses can be paused until a test resumes them; it records what arrived.

    `seen` holds the complete requests, without token requests. Responses are sent while `resumed` is set, those to
    token requests while `tokens_resumed` is set.
    """

    def __init__(self, response: bytes = ACCEPTED, *, paused: bool = False, tokens_paused: bool = False) -> None:
        self._response = response
        self.resumed, self.tokens_resumed = asyncio.Event(), asyncio.Event()
        if not paused:
            self.resumed.set()
        if not tokens_paused:
            self.tokens_resumed.set()
        self.seen: list[bytes] = []
        self.request_count = 0
        """Number of requests, without token requests, of which at least one byte arrived."""
        self.tokens = 0
        """Number of token requests."""

    async def __call__(self, reader: Reader, writer: Writer) -> None:
        """Serve one connection."""
        while first := await reader.read(1):
            self.request_count += 1
            request = first + await read_request(reader)
            if TOKEN_PATH in request.partition(b"\r\n")[0]:
                self.request_count -= 1
                self.tokens += 1
                await self.tokens_resumed.wait()
                writer.write(TOKEN_RESPONSE)
            elif len(request) > 1:
                self.seen.append(request)
                await self.resumed.wait()
                writer.write(self._response)


class RecordingObserver:
    """Observer that records every event."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def observe(self, event: Event, /) -> None:
        """Record an event."""
        self.events.append(event)

    def of(self, kind: type[_Kind]) -> list[_Kind]:
        """Return the recorded events of a class, in order."""
        return [event for event in self.events if isinstance(event, kind)]


@asynccontextmanager
async def open_transport(server: RawServer, **settings: Any) -> AsyncIterator[Transport]:
    """Open a transport to a server, and close it at the end."""
    transport = Transport(server.config(**settings))
    try:
        yield transport
    finally:
        await transport.aclose()


class AttemptRunner:
    """Runs single attempts with the two things they need: an executor, and `InFlight`, which ends them in time."""

    def __init__(self, config: Config) -> None:
        self.config = config
        factory = config.session_factory
        self.executor = Executor(config) if factory is None else SessionExecutor(config, factory)
        self.total_timeout = config.total_timeout.total_seconds()
        self.in_flight = InFlight(self.executor.execute, lambda _attempt, _result: None)

    def new_attempt(self, url: str, *, method: str = "POST") -> Attempt:
        """Return an attempt whose body and token must not appear anywhere."""
        loop = asyncio.get_running_loop()
        base_url = str(URL(url).origin())
        headers = Headers(self.config, base_url, authorization=Secret(f"Bearer {KEY}"), content_type="application/json")
        request = ApiRequest(method, "/failover", SecretBytes(BODY), safe=method == "GET")
        now = loop.time()
        expires_at, result = now + self.total_timeout, loop.create_future()
        return Attempt(request, URL(url), headers, now, expires_at, result, 1, 1, request.body)

    async def run(self, url: str, *, method: str = "POST") -> AttemptResult:
        """Run one attempt and return its result."""
        return await self.run_attempt(self.new_attempt(url, method=method))

    async def run_attempt(self, attempt: Attempt) -> AttemptResult:
        """Run an attempt and return its result."""
        self.in_flight.start(attempt)
        try:
            return await attempt.result
        except asyncio.CancelledError:
            attempt.abandon()
            raise


@asynccontextmanager
async def attempt_runner(config: Config) -> AsyncIterator[AttemptRunner]:
    """Open an attempt runner, and drain and close it at the end."""
    runner = AttemptRunner(config)
    try:
        yield runner
    finally:
        await runner.in_flight.drain(0)
        await runner.executor.aclose()


async def attempt_once(handler: Handler, **settings: Any) -> tuple[AttemptResult, RawServer]:
    """Run one attempt against a server with this handler; return the result and the server."""
    async with RawServer(handler) as server:
        settings = {"total_timeout": timedelta(seconds=1)} | settings
        async with attempt_runner(server.config(**settings)) as runner:
            return await runner.run(f"{server.url}/failover"), server


def loop_transport_of(transport: Transport) -> LoopTransport:
    """Return the loop transport of the running loop."""
    loop_transport = transport._loop_transports[asyncio.get_running_loop()]
    assert loop_transport is not None
    return loop_transport


def connector_of(transport: Transport) -> BaseConnector:
    """Return the connection pool of the running loop."""
    return loop_transport_of(transport)._executor.connector


def slots_in_use(transport: Transport) -> int:
    """Return how many slots of the limiter are in use."""
    return loop_transport_of(transport)._limiter._admission._all.in_flight


async def until_idle(transport: Transport) -> None:
    """Wait until no attempt is in flight."""
    await until(lambda: not loop_transport_of(transport)._in_flight._tasks)


async def cancel_when(running: Awaitable[Any], *, condition: Callable[[], object]) -> None:
    """Cancel an awaitable as soon as a condition holds."""
    task = asyncio.ensure_future(running)
    await until(condition)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
