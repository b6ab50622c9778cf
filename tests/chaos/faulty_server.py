"""Server like Routee's with faults that a test sets; the tests compare with its own count of accepted messages."""

import asyncio
import ssl
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

from routee_failover import Config
from tests.client.fake_routee import config_for

from .faults import ALL_BUT_ONE_BYTE, NO_FAULT, WHOLE_REQUEST, End, Fault, Request, http
from .sample_flows import PATHS, SEARCH, number_in
from .server_loop import Connection, Listener, ServerLoop

TOTAL_TIMEOUT = timedelta(milliseconds=300)
"""The total_timeout of a client whose servers may hang: tests take at least as long as their clients wait."""
FaultSource = Callable[[], Fault]


def always(fault: Fault) -> FaultSource:
    """Return a source of the same fault for every request."""
    return lambda: fault


def first(*faults: Fault, then: Fault = NO_FAULT) -> FaultSource:
    """Return a source of these faults for the first requests, one each, and another one from then on."""
    remaining = list(faults)
    return lambda: remaining.pop(0) if remaining else then


class FaultyServer:
    """Accepts messages, issues tokens, and applies `next_fault` to each request, to token requests `next_token_fault`.

    The fault of a request is chosen when its connection is accepted, or, on a connection that has been used, when its
    first byte comes. `request_counts` counts the complete requests of each message and `accepted` how often it was
    accepted.
    """

    def __init__(self, server_loop: ServerLoop, tls: ssl.SSLContext | None = None) -> None:
        self._server_loop = server_loop
        self.api = Listener(self._serve_api, tls)
        self.auth = Listener(self._serve_auth)
        self.next_fault: FaultSource = always(NO_FAULT)
        self.next_token_fault: FaultSource = always(NO_FAULT)
        self.faults_by_recipient: dict[str, Fault] = {}
        """Faults of the messages to some recipients, instead of `next_fault`."""
        self.request_counts: Counter[str] = Counter()
        self.accepted: Counter[str] = Counter()
        self.read_call_count = 0
        """Number of read calls received."""
        self.arrivals: dict[str, list[float]] = defaultdict(list)
        """When each message was read, by the clock of `time.monotonic()`."""
        self.token_requests = 0
        self.refused_tokens = 0
        self.stray_count = 0
        """Number of times that stray data was sent."""
        self.token_number = 1
        """Number of the valid token; a request with another one is rejected with 401."""
        self._scheme = "http" if tls is None else "https"
        self._responding = asyncio.Event()
        self._responding.set()
        self._resumed = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self._server_loop.wait(self._open())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._server_loop.wait(self._close())

    async def _open(self) -> None:
        await self.api.open()
        await self.auth.open()

    async def _close(self) -> None:
        await self.api.close()
        await self.auth.close()

    async def drained(self) -> None:
        """Wait until everything that was ever sent here has been read. Call it when the clients are closed."""
        await self._server_loop.wait(self.api.drained())

    def store(self, number: str, request: Request) -> None:
        """Store an accepted message; this server does nothing."""

    def respond(self, request: Request) -> bytes:
        """Respond to a reading call: with a receipt, which no reading call accepts."""
        return NO_FAULT.response(request)

    async def drop_connections(self) -> None:
        """Drop every connection."""
        await self._server_loop.wait(self.api.drop_connections())

    async def hold(self) -> None:
        """Hold back all responses, also to token requests, until `release()`."""
        await self._server_loop.wait(_call(self._responding.clear))

    async def release(self) -> None:
        """Respond again."""
        await self._server_loop.wait(_call(self._responding.set))

    def resume(self) -> None:
        """Continue a fault with `waits_for_resume`."""
        self._server_loop.call_soon(self._resumed.set)

    @property
    def accepted_twice(self) -> list[str]:
        """Messages that were accepted more than once."""
        return [number for number, count in self.accepted.items() if count > 1]

    def reset_counts(self) -> None:
        """Reset all counts."""
        self.arrivals.clear()
        self.request_counts.clear()
        self.accepted.clear()

    def config(self, **changes: Any) -> Config:
        """Return a client's settings for this server, without the circuit breaker, which would hide the faults."""
        settings: dict[str, Any] = {"auth_url": f"http://localhost:{self.auth.port}", "circuit_breaker": False}
        return config_for(f"{self._scheme}://localhost:{self.api.port}", **(settings | changes))

    async def _serve_api(self, connection: Connection) -> None:
        while await self._handle_request(connection, "next_fault"):
            connection.used = True

    async def _serve_auth(self, connection: Connection) -> None:
        while await self._handle_request(connection, "next_token_fault"):
            connection.used = True

    async def _handle_request(self, connection: Connection, source: str) -> bool:
        if connection.used and not await connection.wait_for_request():
            return False
        fault: Fault = getattr(self, source)()  # only now: the test may have set it while the connection was idle
        if fault.half_closed:
            connection.half_close()
        if fault.read_limit == WHOLE_REQUEST:
            request = Request(*await connection.read_request())
            if not await self._respond_to(connection, request, fault):
                return True
        else:
            await (
                connection.read_request(short=1)
                if fault.read_limit == ALL_BUT_ONE_BYTE
                else connection.read_bytes(fault.read_limit)
            )
            await _write_response(connection, fault.response(Request(b"", b"")), fault)
        match fault.end:
            case End.FIN:
                connection.close()
            case End.VANISH:
                connection.vanish()
            case End.RST:
                connection.reset()
            case End.SILENCE:
                await connection.hang()
        return fault.end is End.STAY

    async def _respond_to(self, connection: Connection, request: Request, fault: Fault) -> bool:
        """Accept the message, or not, and respond; return False if the response is one without the fault."""
        if b"\xff" in request.head or b"\xff" in request.body:
            await connection.write(http("400 Bad Request", b"", "Connection: close"))
            raise EOFError
        if b" /oauth/token " in request.head:
            return await self._respond_with_token(connection, fault)
        if b"\r\nAuthorization: Bearer canary-token-%d\r\n" % self.token_number not in request.head:
            self.refused_tokens += 1
            await self._responding.wait()
            await connection.write(http("401 Unauthorized"))
            return False
        path = request.head.split(b" ")[1]
        number = None if path.startswith(SEARCH) else number_in(request.body)
        fault = self.faults_by_recipient.get(number or "", fault)
        if number is not None and path not in PATHS:
            await connection.write(http("404 Not Found"))
            return False
        if number is None:
            self.read_call_count += 1
        else:
            self.arrivals[number].append(time.monotonic())
            self.request_counts[number] += 1
            self.accepted[number] += fault.accepts
            if fault.accepts:
                self.store(number, request)
        await self._responding.wait()
        await _write_response(
            connection,
            self.respond(request) if fault is NO_FAULT and number is None else fault.response(request),
            fault,
        )
        if fault.waits_for_resume:
            await self._resumed.wait()
            self._resumed.clear()
        if fault.stray_data:
            await connection.write(fault.stray_data)
            self.stray_count += 1
        return True

    async def _respond_with_token(self, connection: Connection, fault: Fault) -> bool:
        self.token_requests += 1
        await self._responding.wait()
        if fault is NO_FAULT:
            await connection.write(
                http("200 OK", b'{"access_token":"canary-token-%d","expires_in":3600}' % self.token_number)
            )
            return False
        await _write_response(connection, fault.response(Request(b"", b"")), fault)
        return True


async def _call(function: Callable[[], object]) -> None:
    function()


async def _write_response(connection: Connection, response: bytes, fault: Fault) -> None:
    if not fault.chunk_size:
        await connection.write(response)
        return
    for start in range(0, len(response), fault.chunk_size):
        await connection.write(response[start : start + fault.chunk_size])
        await asyncio.sleep(fault.chunk_delay)
