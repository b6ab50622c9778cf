"""Stale pooled connections: a message that meets one is still sent exactly once."""

import asyncio
import socket
import threading
import time
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, Self

import aiohttp
import pytest
from aiohttp.client_proto import ResponseHandler

from routee_failover import Config, Outcome
from routee_failover._transport import Transport
from routee_failover._transport.connection_check import unread_check_for
from routee_failover.outcomes import outcome_of

from .raw_server import (
    ACCEPTED,
    BODY,
    POST,
    TOKEN_PATH,
    TOKEN_RESPONSE,
    RawServer,
    Reader,
    Writer,
    accepted_connections,
    http,
    open_transport,
    read_request,
    reset,
    responding,
)

pytestmark = pytest.mark.usefixtures("no_jitter")


async def test_connections_closed_with_fin_lose_no_message() -> None:
    """50 messages over connections that the server closes after each response: each is accepted exactly once."""
    seen: list[bytes] = []
    async with RawServer(responding(ACCEPTED, seen=seen, after=Writer.close)) as server:
        transport = Transport(server.config())
        for _ in range(50):
            _, result, _ = await transport.send_request(POST)
            assert outcome_of(result) is Outcome.ACCEPTED
        await transport.aclose()
        assert len(seen) == 50


async def test_connections_closed_with_rst_lose_no_message() -> None:
    """The same for connections that the server resets."""
    seen: list[bytes] = []
    was_reset = asyncio.Event()

    async def handler(reader: Reader, writer: Writer) -> None:
        await responding(ACCEPTED, seen=seen, after=lambda _writer: None)(reader, writer)
        await asyncio.sleep(0.002)  # the response has to be read before the RST arrives
        reset(writer)
        was_reset.set()

    async with RawServer(handler) as server:
        transport = Transport(server.config())
        for _ in range(50):
            was_reset.clear()
            _, result, _ = await transport.send_request(POST)
            assert outcome_of(result) is Outcome.ACCEPTED
            await was_reset.wait()
            await asyncio.sleep(0.001)
        await transport.aclose()
        assert len(seen) == 50


class ThreadedServer:
    """Server in its own thread that closes each connection while the client's event loop is busy."""

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

    def _serve(self) -> None:
        for connection in accepted_connections(self._socket):
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


async def test_fin_that_arrives_while_the_loop_is_busy_loses_no_message() -> None:
    """A loop that is busy while the server closes its connection still notices the FIN before it writes."""
    with ThreadedServer() as server:
        config = Config(application_id="a", application_secret="b", api_url=server.url, auth_url=server.url)
        transport = Transport(config)
        outcomes = []
        for _ in range(10):
            outcomes.append((await transport.send_request(POST))[0])
            assert server.closed.acquire(timeout=5)  # blocks the loop on purpose
        await transport.aclose()
    assert outcomes == [Outcome.ACCEPTED] * 10
    assert server.accepted == 10


UNSOLICITED = {
    "second response": http("200 OK", b"unasked"),
    "timeout of an idle connection": http("408 Request Timeout", b"unasked", "Connection: close"),
    "rejection": http("400 Bad Request", b"unasked"),
    "head of a response": b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nunasked",
    "half a response": b"HTTP/1.1 200 O",
    "not HTTP": b"unasked\r\n\r\n",
}


@pytest.mark.parametrize("session_factory", [None, aiohttp.ClientSession], ids=["", "session"])
@pytest.mark.parametrize("unsolicited", UNSOLICITED.values(), ids=UNSOLICITED)
async def test_unsolicited_data_is_not_taken_for_a_response(unsolicited: bytes, session_factory: Any) -> None:
    """Data that arrives on a pooled connection is not taken for the response to the next message."""
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
                await asyncio.sleep(0.005)  # the response has been read, and the connection is back in the pool
                writer.write(unsolicited)

    async with RawServer(handler) as server, open_transport(server, session_factory=session_factory) as transport:
        for number in range(1, 5):
            outcome, result, _ = await transport.send_request(POST)
            assert (outcome, len(seen)) == (Outcome.ACCEPTED, number)
            assert result.response is not None
            assert result.response.body == b"answer %d" % number
            assert (result.bytes_written > 0) is (session_factory is None)  # a session does not tell
            await asyncio.sleep(0.02)


async def test_data_that_arrives_before_the_first_byte_is_not_a_response(monkeypatch: pytest.MonkeyPatch) -> None:
    """A response that arrives before anything was written is discarded: another connection sends the message."""
    set_response_params, seen = ResponseHandler.set_response_params, list[bytes]()
    unsolicited = [http("200 OK", b"unasked")]

    def set_params_and_receive(protocol: ResponseHandler, **params: Any) -> None:
        set_response_params(protocol, **params)
        if seen and unsolicited:
            protocol.data_received(unsolicited.pop())

    monkeypatch.setattr(ResponseHandler, "set_response_params", set_params_and_receive)
    async with RawServer(responding(ACCEPTED, seen=seen)) as server, open_transport(server) as transport:
        for _ in range(2):
            _, result, _ = await transport.send_request(POST)
            assert result.response is not None
            assert result.response.body == b'{"trackingId":"t"}'
    assert (len(seen), unsolicited) == (2, [])


def test_unread_check_reports_new_connections_and_unread_data() -> None:
    """A connection is new for its first request; its socket shows a FIN; without a socket nothing is unread."""

    class Protocol(asyncio.Protocol):
        """A protocol that supports weak references, as that of aiohttp does."""

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


async def test_new_connections_closed_at_once_count_as_attempts() -> None:
    """A new connection that is closed before anything was written is not a stale one: it counts as a failed attempt."""

    async def handler(reader: Reader, writer: Writer) -> None:
        if server.connections > 1:
            writer.close()
            return
        await responding(ACCEPTED)(reader, writer)

    async with (
        RawServer(handler) as server,
        open_transport(server, keepalive_expiry=timedelta(microseconds=1)) as transport,
    ):
        outcome, *_ = await transport.send_request(POST)
    assert outcome in {Outcome.NOT_SENT, Outcome.UNKNOWN}
    assert server.connections <= 4
