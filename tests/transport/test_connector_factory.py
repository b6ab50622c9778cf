"""Connectors of `connector_factory`: when it is called, with what, and which connectors are refused."""

import asyncio
import functools
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from routee_failover import NotSent, RouteeClient
from tests.client.fake_routee import config_for
from tests.client.rendered_errors import shown
from tests.client.sample_flows import sms

from .event_loops import LOOPS, on_every_loop
from .raw_server import KEY, PIN, RawServer, Reader, Writer, http, responding
from .test_resolver import RecordingResolver

ACCEPTED = http("200 OK", b'{"trackingId":"t"}')


class RecordingFactory:
    """Factory of TCP connectors that keeps its arguments and its connectors."""

    def __init__(self) -> None:
        self.arguments: list[dict[str, Any]] = []
        self.connectors: list[aiohttp.TCPConnector] = []

    def __call__(self, **arguments: Any) -> aiohttp.TCPConnector:
        """Make a connector."""
        self.arguments.append(arguments)
        self.connectors.append(aiohttp.TCPConnector(**arguments))
        return self.connectors[-1]


SESSIONS = {"no session": {}, "a session": {"session_factory": aiohttp.ClientSession}}
with_and_without_session = pytest.mark.parametrize("session", SESSIONS.values(), ids=SESSIONS)


@with_and_without_session
@pytest.mark.parametrize("loop_of", LOOPS)
def test_connector_factory_is_called_once_in_each_event_loop(session: dict[str, Any], loop_of: str) -> None:
    """Token requests and messages use its connector, which is closed with the client."""
    factory = RecordingFactory()

    async def send_two() -> None:
        async with (
            RawServer(responding(ACCEPTED)) as server,
            RouteeClient(server.config(connector_factory=factory, **session)) as client,
        ):
            for _ in range(2):
                assert (await client.send(sms())).tracking_id == "t"
            assert server.connections == 1

    for _ in range(2):
        with asyncio.Runner(loop_factory=LOOPS[loop_of]) as runner:
            runner.run(send_two())
    assert [connector.closed for connector in factory.connectors] == [True, True]
    assert [sorted(arguments) for arguments in factory.arguments] == [["keepalive_timeout", "limit", "ssl"]] * 2


@on_every_loop
async def test_connector_factory_gets_the_resolver_if_there_is_one() -> None:
    """The resolver of the settings is among the arguments, so that the connector can use it."""
    factory = RecordingFactory()
    async with RawServer(responding(ACCEPTED)) as server:
        url = server.url.replace("localhost", "routee.localhost")
        config = server.config(api_url=url, auth_url=url, connector_factory=factory, resolver=RecordingResolver)
        async with RouteeClient(config) as client:
            assert (await client.send(sms())).tracking_id == "t"
    assert "resolver" in factory.arguments[0]


@asynccontextmanager
async def _unix_server(path: Path) -> AsyncIterator[None]:
    ended = asyncio.Event()

    async def serve(reader: Reader, writer: Writer) -> None:
        await responding(ACCEPTED)(reader, writer)
        writer.close()
        await writer.wait_closed()
        ended.set()

    async with await asyncio.start_unix_server(serve, str(path)):
        yield
        await ended.wait()


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder whose path is short: that of a Unix socket may have about a hundred bytes."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no Unix sockets")
@with_and_without_session
@on_every_loop
async def test_message_is_sent_over_a_unix_socket(session: dict[str, Any], short_path: Path) -> None:
    """The connector of the documentation reaches a server that listens on a Unix socket."""
    path = short_path / "gateway.sock"

    def unix_socket(*, limit: int, keepalive_timeout: float, **_: Any) -> aiohttp.UnixConnector:
        return aiohttp.UnixConnector(str(path), limit=limit, keepalive_timeout=keepalive_timeout)

    config = config_for("http://localhost", connector_factory=unix_socket, **session)
    async with _unix_server(path), RouteeClient(config) as client:
        assert (await client.send(sms())).tracking_id == "t"


def _raises(**_arguments: Any) -> aiohttp.BaseConnector:
    raise LookupError("canary")


def _limited(**limits: int) -> Callable[..., aiohttp.BaseConnector]:
    return lambda **arguments: aiohttp.TCPConnector(**arguments | limits)


TOO_LOW = "below pool_size (5): pass limit on as it is given, or lower pool_size"
UNUSABLE: dict[str, tuple[Callable[..., Any], str]] = {
    "raises": (_raises, "connector_factory raised LookupError"),
    "no connector": (lambda **_arguments: "canary", "connector_factory must make an aiohttp connector, not str"),
    "limit": (_limited(limit=4), f"connector_factory made a connector whose limit is 4, {TOO_LOW}"),
    "limit_per_host": (
        _limited(limit_per_host=4),
        f"connector_factory made a connector whose limit_per_host is 4, {TOO_LOW}",
    ),
}


@with_and_without_session
@pytest.mark.parametrize(("factory", "text"), UNUSABLE.values(), ids=UNUSABLE)
@on_every_loop
async def test_unusable_connector_sends_nothing(
    factory: Callable[..., Any], text: str, session: dict[str, Any]
) -> None:
    """Each send raises the problem of the connector before anything is sent, and the error quotes nothing."""
    async with (
        RawServer(responding(ACCEPTED)) as server,
        RouteeClient(server.config(connector_factory=factory, pool_size=5, **session)) as client,
    ):
        for _ in range(2):
            with pytest.raises(NotSent) as caught:
                await client.send(sms())
            assert type(caught.value) is NotSent
            assert str(caught.value) == f"{text}; nothing was sent"
            assert not any(secret in shown(caught.value) for secret in (PIN, KEY))
    assert server.connections == 0


@pytest.mark.parametrize("limit", [5, 6])
@on_every_loop
async def test_limit_of_pool_size_or_more_is_accepted(limit: int) -> None:
    """The limiter admits no more requests than that, so none of them waits for a connection."""
    factory = functools.partial(_limited(limit=limit))
    async with (
        RawServer(responding(ACCEPTED)) as server,
        RouteeClient(server.config(connector_factory=factory, pool_size=5)) as client,
    ):
        assert (await client.send(sms())).tracking_id == "t"


@with_and_without_session
async def test_connector_is_closed_once(session: dict[str, Any]) -> None:
    """A connector whose `close` must not be called twice is closed once, with the client."""
    closed: list[object] = []

    class Connector(aiohttp.TCPConnector):
        async def close(self, *, abort_ssl: bool = False) -> None:
            closed.append(self)
            await super().close(abort_ssl=abort_ssl)

    async with (
        RawServer(responding(ACCEPTED)) as server,
        RouteeClient(server.config(connector_factory=Connector, **session)) as client,
    ):
        await client.send(sms())
    assert len(closed) == 1


@on_every_loop
async def test_resolver_of_a_connector_factory_is_closed_with_the_client() -> None:
    """The resolver that a factory passes to its connector is closed once, together with the connections."""
    resolvers: list[RecordingResolver] = []

    def make_resolver() -> RecordingResolver:
        resolvers.append(RecordingResolver())
        return resolvers[-1]

    async with RawServer(responding(ACCEPTED)) as server:
        url = server.url.replace("localhost", "routee.localhost")
        settings: dict[str, Any] = {"resolver": make_resolver, "connector_factory": aiohttp.TCPConnector}
        async with RouteeClient(server.config(api_url=url, auth_url=url, **settings)) as client:
            assert (await client.send(sms())).tracking_id == "t"
    assert [resolver.closed for resolver in resolvers] == [1]
