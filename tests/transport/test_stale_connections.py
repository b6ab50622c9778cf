"""Connections that the server closes while they lie in the pool: a message that meets one is sent once all the same."""

import asyncio
import socket
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, Self

import aiohttp
import pytest

from routee_failover import Config, Outcome
from routee_failover._transport import Transport
from routee_failover._transport.attempt import unread_check_for
from routee_failover.outcomes import Response, outcome_of

from .raw_server import (
    ACCEPTED,
    BODY,
    POST,
    TOKEN_PATH,
    TOKEN_RESPONSE,
    RawServer,
    Reader,
    Writer,
    http,
    open_transport,
    read_request,
    reset,
    responding,
)

pytestmark = pytest.mark.usefixtures("no_jitter")


async def test_a_fin_that_has_come_costs_no_message() -> None:
    """50 messages over connections that the server closes after each answer: each is accepted exactly once."""
    seen: list[bytes] = []
    async with RawServer(responding(ACCEPTED, seen=seen, after=Writer.close)) as server:
        transport = Transport(server.config())
        for _ in range(50):
            _, result = await transport.send_request(POST)
            assert outcome_of(result) is Outcome.ACCEPTED
        await transport.aclose()
        assert len(seen) == 50


async def test_a_rst_that_has_come_costs_no_message() -> None:
    """The same for connections that the server resets."""
    seen: list[bytes] = []
    gone = asyncio.Event()

    async def handler(reader: Reader, writer: Writer) -> None:
        await responding(ACCEPTED, seen=seen, after=lambda _writer: None)(reader, writer)
        await asyncio.sleep(0.002)  # the answer has to be read before a RST overtakes it
        reset(writer)
        gone.set()

    async with RawServer(handler) as server:
        transport = Transport(server.config())
        for _ in range(50):
            gone.clear()
            _, result = await transport.send_request(POST)
            assert outcome_of(result) is Outcome.ACCEPTED
            await gone.wait()
            await asyncio.sleep(0.001)
        await transport.aclose()
        assert len(seen) == 50


class ElsewhereServer:
    """A server in a thread of its own, which closes each connection while the client's loop is busy."""

    def __enter__(self) -> Self:
        self.accepted = 0
        self.closed = threading.Semaphore(0)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        return self

    def __exit__(self, *_exc: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()

    def _connections(self) -> Iterator[socket.socket]:
        while True:
            try:
                yield self._socket.accept()[0]
            except OSError:
                return

    def _serve(self) -> None:
        for connection in self._connections():
            with connection:
                while request := connection.recv(65_536):
                    if b"/oauth/token" in request:
                        connection.sendall(TOKEN_RESPONSE)
                        continue
                    while not request.endswith(BODY):
                        request += connection.recv(65_536)
                    self.accepted += 1
                    connection.sendall(ACCEPTED)
                    time.sleep(0.002)
                    break
            self.closed.release()


async def test_a_fin_that_comes_while_the_loop_is_busy_costs_no_message() -> None:
    """A loop that computes while the server closes its connection still notices before it writes."""
    with ElsewhereServer() as server:
        config = Config(application_id="a", application_secret="b", api_url=server.url, auth_url=server.url)
        transport = Transport(config)
        outcomes = []
        for _ in range(10):
            outcomes.append((await transport.send_request(POST))[0])
            assert server.closed.acquire(timeout=5)  # a busy loop is what this is about
        await transport.aclose()
    assert outcomes == [Outcome.ACCEPTED] * 10
    assert server.accepted == 10


UNASKED = {
    "a second answer": http("200 OK", b"unasked"),
    "the end of an idle connection": http("408 Request Timeout", b"unasked", "Connection: close"),
    "a refusal": http("400 Bad Request", b"unasked"),
    "the head of an answer": b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nunasked",
    "no HTTP": b"unasked\r\n\r\n",
}


@pytest.mark.parametrize("unasked", UNASKED.values(), ids=UNASKED)
async def test_what_nobody_asked_for_is_nobodys_answer(unasked: bytes) -> None:
    """What a server says on a connection that lies in the pool is not taken for the answer to the next message."""
    seen: list[bytes] = []

    async def handler(reader: Reader, writer: Writer) -> None:
        first = True
        while request := await read_request(reader):
            if TOKEN_PATH in request.partition(b"\r\n")[0]:
                writer.write(TOKEN_RESPONSE)
                continue
            seen.append(request)
            writer.write(http("200 OK", b"answer %d" % len(seen)))
            if first:
                first = False
                await writer.drain()
                await asyncio.sleep(0.005)  # the answer has been read, and the connection is back in the pool
                writer.write(unasked)

    async with RawServer(handler) as server, open_transport(server) as transport:
        for number in range(1, 5):
            outcome, result = await transport.send_request(POST)
            assert (outcome, len(seen)) == (Outcome.ACCEPTED, number)
            assert result.response is not None
            assert result.response.body == b"answer %d" % number
            assert result.bytes_written > 0
            await asyncio.sleep(0.02)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="a message is written in the moment of the last look")
async def test_what_comes_between_the_last_look_and_the_first_byte_is_nobodys_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An answer that is there before anything was written is none: the message goes out on another connection."""
    send, seen = aiohttp.ClientRequest.send, list[bytes]()
    unasked = [http("200 OK", b"unasked")]

    async def told_before(self: aiohttp.ClientRequest, conn: Any) -> aiohttp.ClientResponse:
        response = await send(self, conn)
        if self.url.path == "/failover" and unasked:
            conn.protocol.data_received(unasked.pop())
        return response

    monkeypatch.setattr(aiohttp.ClientRequest, "send", told_before)
    async with RawServer(responding(ACCEPTED, seen=seen)) as server, open_transport(server) as transport:
        _, result = await transport.send_request(POST)
    assert (result.response, len(seen), unasked) == (Response(200, b'{"trackingId":"t"}'), 1, [])


def test_a_connection_is_new_once() -> None:
    """A connection is new for its first request; its socket says whether its end has come; without one it is quiet."""

    class Protocol(asyncio.Protocol):
        """One that can be referred to weakly, as aiohttp's can."""

    ours, theirs = socket.socketpair()
    transport: Any = SimpleNamespace(get_extra_info=lambda _name: ours)
    protocol = Protocol()
    transport.get_protocol = lambda: protocol
    has_unread, new = unread_check_for(transport)
    assert (has_unread(), new) == (False, True)
    theirs.close()
    has_unread, new = unread_check_for(transport)
    assert (has_unread(), new) == (True, False)
    ours.close()
    assert has_unread()
    other = Protocol()
    transport.get_protocol = lambda: other
    assert not unread_check_for(transport)[0]()
    assert not unread_check_for(None)[0]()


async def test_a_server_that_closes_new_connections_at_once_is_not_asked_a_hundred_times() -> None:
    """A new connection that is closed before anything was written is no connection: as many tries as for a refusal."""

    async def handler(reader: Reader, writer: Writer) -> None:
        if server.connections > 1:
            writer.close()
            return
        await responding(ACCEPTED)(reader, writer)

    async with (
        RawServer(handler) as server,
        open_transport(server, keepalive_expiry=timedelta(microseconds=1)) as transport,
    ):
        outcome, _ = await transport.send_request(POST)
    assert outcome in {Outcome.NOT_SENT, Outcome.UNKNOWN}
    assert server.connections <= 4
