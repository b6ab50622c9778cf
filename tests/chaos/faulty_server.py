"""A Routee that misbehaves as it is told, and whose own count of what it took is the judge of the tests."""

import asyncio
import ssl
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

from routee_failover import Config

from .faults import ALL_BUT_ONE_BYTE, NO_FAULT, WHOLE_REQUEST, End, Fault, Request, http
from .sample_flows import PATHS, SEARCH, number_in
from .server_loop import Connection, Listener, ServerLoop

TOTAL_TIMEOUT = timedelta(milliseconds=300)
"""The total_timeout of a client that meets servers that hang: what it waits for in vain, every test waits for."""
FaultSource = Callable[[], Fault]


def always(fault: Fault) -> FaultSource:
    """The same for every request."""
    return lambda: fault


def first(*faults: Fault, then: Fault = NO_FAULT) -> FaultSource:
    """These for the first requests, one each, and another one from then on."""
    left = list(faults)
    return lambda: left.pop(0) if left else then


class FaultyServer:
    """Takes messages, gives tokens, and does to each request what `fate` says; `next_token_fault` is for token requests.

    What happens to a request is drawn when its connection is accepted, or, on a connection that has been used, when
    its first byte comes. `read` counts the whole requests of each message and `taken` how often it was taken.
    """

    def __init__(self, server_loop: ServerLoop, tls: ssl.SSLContext | None = None) -> None:
        self._stage = server_loop
        self.api = Listener(self._serve_api, tls)
        self.auth = Listener(self._serve_auth)
        self.next_fault: FaultSource = always(NO_FAULT)
        self.next_token_fault: FaultSource = always(NO_FAULT)
        self.faults_by_recipient: dict[str, Fault] = {}
        """What is done to the messages to some recipients, whatever was drawn."""
        self.request_counts: Counter[str] = Counter()
        self.accepted: Counter[str] = Counter()
        self.read_call_count = 0
        """How many reading calls were read."""
        self.arrivals: dict[str, list[float]] = defaultdict(list)
        """When each message was read, by the clock of `time.monotonic()`."""
        self.token_requests = 0
        self.refused_tokens = 0
        self.stray_count = 0
        """How many answers were given that nobody had asked for."""
        self.token_number = 1
        """The number of the token that is good; whoever comes with another is refused with 401."""
        self._scheme = "http" if tls is None else "https"
        self._gate = asyncio.Event()
        self._gate.set()
        self._going_on = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self._stage.wait(self._open())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stage.wait(self._close())

    async def _open(self) -> None:
        await self.api.open()
        await self.auth.open()

    async def _close(self) -> None:
        await self.api.close()
        await self.auth.close()

    async def drained(self) -> None:
        """Wait until everything that was ever sent here has been read: to be called when the clients are closed."""
        await self._stage.wait(self.api.drained())

    def store(self, number: str, request: Request) -> None:
        """A message was taken; nothing more is made of it here."""

    def respond(self, request: Request) -> bytes:
        """The answer to a question: a receipt, which no question is satisfied with."""
        return NO_FAULT.response(request)

    async def drop_connections(self) -> None:
        """Break off every connection."""
        await self._stage.wait(self.api.drop_connections())

    async def hold(self) -> None:
        """Answer nobody, token requests included, until `release()`."""
        await self._stage.wait(_done(self._gate.clear))

    async def release(self) -> None:
        """Answer again."""
        await self._stage.wait(_done(self._gate.set))

    def resume(self) -> None:
        """Have a fault that lingers on its connection go on."""
        self._stage.call_soon(self._going_on.set)

    @property
    def accepted_twice(self) -> list[str]:
        """The messages that were taken more than once."""
        return [number for number, times in self.accepted.items() if times > 1]

    def reset_counts(self) -> None:
        """Start counting anew."""
        self.arrivals.clear()
        self.request_counts.clear()
        self.accepted.clear()

    def config(self, **changes: Any) -> Config:
        """A client's settings for this server, without the breaker, which would hide what is tested."""
        settings: dict[str, Any] = {
            "application_id": "application",
            "application_secret": "canary-key",
            "api_url": f"{self._scheme}://localhost:{self.api.port}",
            "auth_url": f"http://localhost:{self.auth.port}",
            "circuit_breaker": False,
        }
        return Config(**(settings | changes))

    async def _serve_api(self, link: Connection) -> None:
        while await self._exchange(link, "next_fault"):
            link.used = True

    async def _serve_auth(self, link: Connection) -> None:
        while await self._exchange(link, "next_token_fault"):
            link.used = True

    async def _exchange(self, link: Connection, source: str) -> bool:
        if link.used and not await link.wait_for_request():
            return False
        fault: Fault = getattr(self, source)()  # now: who waits for a first byte waits for what is planned by then
        if fault.half_closed:
            link.half_close()
        if fault.read_limit == WHOLE_REQUEST:
            request = Request(*await link.read_request())
            if not await self._answer(link, request, fault):
                return True
        else:
            await (
                link.read_request(short=1)
                if fault.read_limit == ALL_BUT_ONE_BYTE
                else link.read_bytes(fault.read_limit)
            )
            await _say(link, fault.response(Request(b"", b"")), fault)
        match fault.end:
            case End.FIN:
                link.close()
            case End.VANISH:
                link.vanish()
            case End.RST:
                link.reset()
            case End.SILENCE:
                await link.hang()
        return fault.end is End.STAY

    async def _answer(self, link: Connection, request: Request, fault: Fault) -> bool:
        """Take the message, or not, and say what is to be said; False if the request is answered without the fault."""
        if b"\xff" in request.head or b"\xff" in request.body:
            await link.write(http("400 Bad Request", b"", "Connection: close"))
            raise EOFError
        if b" /oauth/token " in request.head:
            return await self._give_token(link, fault)
        if b"\r\nAuthorization: Bearer canary-token-%d\r\n" % self.token_number not in request.head:
            self.refused_tokens += 1
            await self._gate.wait()
            await link.write(http("401 Unauthorized"))
            return False
        path = request.head.split(b" ")[1]
        number = None if path.startswith(SEARCH) else number_in(request.body)
        fault = self.faults_by_recipient.get(number or "", fault)
        if number is not None and path not in PATHS:
            await link.write(http("404 Not Found"))
            return False
        if number is None:
            self.read_call_count += 1
        else:
            self.arrivals[number].append(time.monotonic())
            self.request_counts[number] += 1
            self.accepted[number] += fault.accepts
            if fault.accepts:
                self.store(number, request)
        await self._gate.wait()
        await _say(
            link, self.respond(request) if fault is NO_FAULT and number is None else fault.response(request), fault
        )
        if fault.waits_for_resume:
            await self._going_on.wait()
            self._going_on.clear()
        if fault.stray_data:
            await link.write(fault.stray_data)
            self.stray_count += 1
        return True

    async def _give_token(self, link: Connection, fault: Fault) -> bool:
        self.token_requests += 1
        await self._gate.wait()
        if fault is NO_FAULT:
            await link.write(
                http("200 OK", b'{"access_token":"canary-token-%d","expires_in":3600}' % self.token_number)
            )
            return False
        await _say(link, fault.response(Request(b"", b"")), fault)
        return True


async def _done(act: Callable[[], object]) -> None:
    act()


async def _say(link: Connection, answer: bytes, fault: Fault) -> None:
    if not fault.chunk_size:
        await link.write(answer)
        return
    for start in range(0, len(answer), fault.chunk_size):
        await link.write(answer[start : start + fault.chunk_size])
        await asyncio.sleep(fault.chunk_delay)
