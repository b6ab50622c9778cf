"""Connections that the server closes while they lie in the pool: a message that meets one is sent once all the same."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from typing import Self

import pytest

from routee_failover import Config, Outcome
from routee_failover.evidence import outcome_of
from routee_failover.transport import Transport

from .raw import ACCEPTED, BODY, POST, TOKEN_ANSWER, RawServer, Reader, Writer, answering, reset


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow each other at once."""
    monkeypatch.setattr("routee_failover.transport.retry.full_jitter", lambda _bound: 0.0)


async def test_a_fin_that_has_come_costs_no_message() -> None:
    """50 messages over connections that the server closes after each answer: each is accepted exactly once."""
    seen: list[bytes] = []
    async with RawServer(answering(ACCEPTED, seen=seen, after=Writer.close)) as server:
        transport = Transport(server.config())
        for _ in range(50):
            _, evidence = await transport.call(POST)
            assert outcome_of(evidence) is Outcome.ACCEPTED
        await transport.aclose()
        assert len(seen) == 50


async def test_a_rst_that_has_come_costs_no_message() -> None:
    """The same for connections that the server resets."""
    seen: list[bytes] = []
    gone = asyncio.Event()

    async def behave(reader: Reader, writer: Writer) -> None:
        await answering(ACCEPTED, seen=seen, after=lambda _writer: None)(reader, writer)
        await asyncio.sleep(0.002)  # the answer has to be read before a RST overtakes it
        reset(writer)
        gone.set()

    async with RawServer(behave) as server:
        transport = Transport(server.config())
        for _ in range(50):
            gone.clear()
            _, evidence = await transport.call(POST)
            assert outcome_of(evidence) is Outcome.ACCEPTED
            await gone.wait()
            await asyncio.sleep(0.001)
        await transport.aclose()
        assert len(seen) == 50


class ElsewhereServer:
    """A server in a thread of its own, which closes each connection while the client's loop is busy."""

    def __enter__(self) -> Self:
        self.accepted = 0
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
                        connection.sendall(TOKEN_ANSWER)
                        continue
                    while not request.endswith(BODY):
                        request += connection.recv(65_536)
                    self.accepted += 1
                    connection.sendall(ACCEPTED)
                    time.sleep(0.002)
                    break


async def test_a_fin_that_comes_while_the_loop_is_busy_costs_no_message() -> None:
    """A loop that computes while the server closes its connection still notices before it writes."""
    with ElsewhereServer() as server:
        config = Config(application_id="a", application_secret="b", api_url=server.url, auth_url=server.url)
        transport = Transport(config)
        outcomes = []
        for _ in range(10):
            outcomes.append((await transport.call(POST))[0])
            time.sleep(0.01)  # noqa: ASYNC251  # a busy loop is what this is about
        await transport.aclose()
    assert outcomes == [Outcome.ACCEPTED] * 10
    assert server.accepted == 10
