"""Names that one's own resolver knows: whom it is asked for, in which loop it lives, and what its failures prove."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from routee_failover import Config, Outcome, RouteeClient
from routee_failover.outcomes import outcome_of
from tests.client.sample_flows import sms

from .event_loops import LOOPS, on_every_loop
from .proxies import Proxy
from .raw_server import RawServer, attempt_runner, http, never_respond, responding
from .tls_server import client_context, server_context

ACCEPTED = http("200 OK", b'{"trackingId":"t"}')


class Book(AbstractResolver):
    """Sends every name to this machine, and remembers what it was asked and where it lives."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.requests: list[str] = []
        self.closed = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Look a name up."""
        self.requests.append(host)
        return [ResolveResult(hostname=host, host="127.0.0.1", port=port, family=socket.AF_INET, proto=0, flags=0)]

    async def close(self) -> None:
        """Count how often it is closed."""
        self.closed += 1


class Shelf:
    """Makes books, and keeps them to be looked at."""

    def __init__(self, make: Callable[[], AbstractResolver] = Book) -> None:
        self._make = make
        self.books: list[Any] = []

    def __call__(self) -> AbstractResolver:
        """Make one more."""
        self.books.append(self._make())
        made: AbstractResolver = self.books[-1]
        return made


def _named(server: RawServer, host: str = "routee.test", **settings: Any) -> Config:
    """Settings for a server under another name."""
    url = server.url.replace("localhost", host)
    return server.config(api_url=url, auth_url=url, **settings)


@on_every_loop
async def test_a_name_is_looked_up_by_ones_own_resolver() -> None:
    """A name that only one's own resolver knows is reached, by https and with the name that was asked for."""
    shelf = Shelf()
    async with (
        RawServer(responding(ACCEPTED), server_context("routee.test")) as server,
        RouteeClient(_named(server, tls=client_context(), resolver=shelf)) as client,
    ):
        assert (await client.send(sms())).tracking_id == "t"
        (book,) = shelf.books
        assert book.closed == 0
    assert (book.requests, book.closed) == (["routee.test"], 1)
    assert book.loop is asyncio.get_running_loop()


@on_every_loop
async def test_a_name_of_this_machine_may_use_http() -> None:
    """`*.localhost` is looked up like any other name, and may be http."""
    shelf = Shelf()
    async with (
        RawServer(responding(ACCEPTED)) as server,
        RouteeClient(_named(server, "routee.localhost", resolver=shelf)) as client,
    ):
        assert (await client.send(sms())).tracking_id == "t"
    assert shelf.books[0].requests == ["routee.localhost"]


def test_each_loop_has_a_resolver_of_its_own() -> None:
    """A client that serves several loops makes a resolver in each, and closes each with its loop."""
    shelf = Shelf()

    async def once() -> None:
        async with RawServer(responding(ACCEPTED)) as server:
            client = RouteeClient(_named(server, "routee.localhost", resolver=shelf))
            await client.send(sms())

    for make in LOOPS.values():
        with asyncio.Runner(loop_factory=make) as runner:
            runner.run(once())
    assert len({id(book.loop) for book in shelf.books}) == len(LOOPS)
    assert [book.closed for book in shelf.books] == [1] * len(LOOPS)


@on_every_loop
async def test_a_resolver_that_is_not_needed_is_not_made() -> None:
    """An address that is a number needs no resolver, and there is none to close."""
    shelf = Shelf()
    async with (
        RawServer(responding(ACCEPTED)) as server,
        RouteeClient(_named(server, "127.0.0.1", resolver=shelf)) as client,
    ):
        await client.send(sms())
    assert shelf.books == []


@on_every_loop
async def test_behind_a_proxy_only_its_name_is_looked_up() -> None:
    """The proxy is found by one's own resolver; what lies behind it is the proxy's to find."""
    shelf = Shelf()
    async with RawServer(responding(ACCEPTED), server_context("routee.test")) as server, Proxy() as proxy:
        through = proxy.url.replace("localhost", "proxy.test")
        async with RouteeClient(_named(server, tls=client_context(), resolver=shelf, proxy=through)) as client:
            assert (await client.send(sms())).tracking_id == "t"
    assert shelf.books[0].requests == ["proxy.test"]
    assert proxy.request_lines[0].startswith("CONNECT routee.test:")


class Torn(Book):
    """Fails in a given way."""

    def __init__(self, fails: Callable[[], list[ResolveResult]]) -> None:
        super().__init__()
        self._fails = fails

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Fail."""
        return self._fails()


def _os_error() -> list[ResolveResult]:
    raise OSError(2, "canary")


def _own_error() -> list[ResolveResult]:
    raise LookupError("canary")


def _nothing() -> list[ResolveResult]:
    return []


@pytest.mark.parametrize("fails", [_os_error, _own_error, _nothing])
@on_every_loop
async def test_a_name_that_is_not_found_sends_nothing(fails: Callable[[], list[ResolveResult]]) -> None:
    """However a resolver fails, the name could not be resolved, and another try may find it."""
    shelf = Shelf(lambda: Torn(fails))
    async with RawServer(never_respond) as server, attempt_runner(server.config(resolver=shelf)) as made:
        result = await made.run("https://routee.test/failover")
    assert (outcome_of(result), result.permanent) == (Outcome.NOT_SENT, False)
    assert result.reason == "the host name routee.test could not be resolved"
    assert shelf.books[0].closed == 1


def _late() -> list[ResolveResult]:
    raise TimeoutError("canary")


@on_every_loop
async def test_a_resolver_that_takes_too_long_sends_nothing() -> None:
    """A look-up that times out is a connection that could not be made in time."""
    async with RawServer(never_respond) as server, attempt_runner(server.config(resolver=lambda: Torn(_late))) as made:
        result = await made.run("https://routee.test/failover")
    assert outcome_of(result) is Outcome.NOT_SENT
    assert result.reason == "no connection could be made within connect_timeout"


def _broken() -> AbstractResolver:
    raise ValueError("canary")


@pytest.mark.parametrize(
    ("make", "cause"),
    [
        (_broken, "resolver raised ValueError"),
        (lambda: "127.0.0.1", "resolver must make an aiohttp.abc.AbstractResolver, not str"),
    ],
    ids=["raises", "no resolver"],
)
@on_every_loop
async def test_what_makes_no_resolver_is_told(make: Callable[[], AbstractResolver], cause: str) -> None:
    """A callable that makes no resolver sends nothing, and is not called again for the same message."""
    async with RawServer(never_respond) as server, attempt_runner(server.config(resolver=make)) as made:
        result = await made.run("https://routee.test/failover")
    assert (outcome_of(result), result.permanent, result.reason) == (Outcome.NOT_SENT, True, cause)
