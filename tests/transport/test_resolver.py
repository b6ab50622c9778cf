"""Custom resolvers: which names they resolve, in which event loop they are created, and what their failures prove."""

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


class RecordingResolver(AbstractResolver):
    """Resolver that maps every name to this machine, and records the names and its event loop."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.names: list[str] = []
        self.closed = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Resolve a name."""
        self.names.append(host)
        return [ResolveResult(hostname=host, host="127.0.0.1", port=port, family=socket.AF_INET, proto=0, flags=0)]

    async def close(self) -> None:
        """Count the calls."""
        self.closed += 1


class ResolverFactory:
    """Factory that keeps the resolvers it has created."""

    def __init__(self, make: Callable[[], AbstractResolver] = RecordingResolver) -> None:
        self._make = make
        self.resolvers: list[Any] = []

    def __call__(self) -> AbstractResolver:
        """Create a resolver."""
        self.resolvers.append(self._make())
        resolver: AbstractResolver = self.resolvers[-1]
        return resolver


def _config_for(server: RawServer, host: str = "routee.test", **settings: Any) -> Config:
    """Return a config for a server under another host name."""
    url = server.url.replace("localhost", host)
    return server.config(api_url=url, auth_url=url, **settings)


@on_every_loop
async def test_custom_resolver_resolves_the_host_name() -> None:
    """A host name that only the custom resolver knows is reached, with https and under that name."""
    factory = ResolverFactory()
    async with (
        RawServer(responding(ACCEPTED), server_context("routee.test")) as server,
        RouteeClient(_config_for(server, tls=client_context(), resolver=factory)) as client,
    ):
        assert (await client.send(sms())).tracking_id == "t"
        (resolver,) = factory.resolvers
        assert resolver.closed == 0
    assert (resolver.names, resolver.closed) == (["routee.test"], 1)
    assert resolver.loop is asyncio.get_running_loop()


@on_every_loop
async def test_localhost_subdomain_is_resolved_and_may_use_http() -> None:
    """`*.localhost` is resolved like any other name, and may use http."""
    factory = ResolverFactory()
    async with (
        RawServer(responding(ACCEPTED)) as server,
        RouteeClient(_config_for(server, "routee.localhost", resolver=factory)) as client,
    ):
        assert (await client.send(sms())).tracking_id == "t"
    assert factory.resolvers[0].names == ["routee.localhost"]


def test_each_event_loop_has_its_own_resolver() -> None:
    """A client in several event loops creates a resolver in each, and closes each with its loop."""
    factory = ResolverFactory()

    async def send_once() -> None:
        async with RawServer(responding(ACCEPTED)) as server:
            client = RouteeClient(_config_for(server, "routee.localhost", resolver=factory))
            await client.send(sms())

    for new_loop in LOOPS.values():
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(send_once())
    assert len({id(resolver.loop) for resolver in factory.resolvers}) == len(LOOPS)
    assert [resolver.closed for resolver in factory.resolvers] == [1] * len(LOOPS)


@on_every_loop
async def test_unneeded_resolver_is_not_created() -> None:
    """An IP address needs no resolver, so none is created."""
    factory = ResolverFactory()
    async with (
        RawServer(responding(ACCEPTED)) as server,
        RouteeClient(_config_for(server, "127.0.0.1", resolver=factory)) as client,
    ):
        await client.send(sms())
    assert factory.resolvers == []


@on_every_loop
async def test_only_the_name_of_the_proxy_is_resolved() -> None:
    """The custom resolver resolves the proxy; the proxy resolves the server."""
    factory = ResolverFactory()
    async with RawServer(responding(ACCEPTED), server_context("routee.test")) as server, Proxy() as proxy:
        proxy_url = proxy.url.replace("localhost", "proxy.test")
        async with RouteeClient(_config_for(server, tls=client_context(), resolver=factory, proxy=proxy_url)) as client:
            assert (await client.send(sms())).tracking_id == "t"
    assert factory.resolvers[0].names == ["proxy.test"]
    assert proxy.request_lines[0].startswith("CONNECT routee.test:")


class FailingResolver(RecordingResolver):
    """Resolver that fails in the given way."""

    def __init__(self, fail: Callable[[], list[ResolveResult]]) -> None:
        super().__init__()
        self._fail = fail

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Fail."""
        return self._fail()


def _os_error() -> list[ResolveResult]:
    raise OSError(2, "canary")


def _own_error() -> list[ResolveResult]:
    raise LookupError("canary")


def _nothing() -> list[ResolveResult]:
    return []


@pytest.mark.parametrize("fail", [_os_error, _own_error, _nothing])
@on_every_loop
async def test_failed_resolution_sends_nothing_and_is_not_permanent(fail: Callable[[], list[ResolveResult]]) -> None:
    """However a resolver fails, the name could not be resolved, and a retry may succeed."""
    factory = ResolverFactory(lambda: FailingResolver(fail))
    async with RawServer(never_respond) as server, attempt_runner(server.config(resolver=factory)) as runner:
        result = await runner.run("https://routee.test/failover")
    assert (outcome_of(result), result.permanent) == (Outcome.NOT_SENT, False)
    assert result.reason == "the host name routee.test could not be resolved"
    assert factory.resolvers[0].closed == 1


def _time_out() -> list[ResolveResult]:
    raise TimeoutError("canary")


@on_every_loop
async def test_resolver_timeout_sends_nothing() -> None:
    """A resolution that times out counts as a connection that was not made within connect_timeout."""
    async with (
        RawServer(never_respond) as server,
        attempt_runner(server.config(resolver=lambda: FailingResolver(_time_out))) as runner,
    ):
        result = await runner.run("https://routee.test/failover")
    assert outcome_of(result) is Outcome.NOT_SENT
    assert result.reason == "no connection could be made within connect_timeout"


def _raise() -> AbstractResolver:
    raise ValueError("canary")


@pytest.mark.parametrize(
    ("make_resolver", "reason"),
    [
        (_raise, "resolver raised ValueError"),
        (lambda: "127.0.0.1", "resolver must make an aiohttp.abc.AbstractResolver, not str"),
    ],
    ids=["raises", "no resolver"],
)
@on_every_loop
async def test_factory_without_a_resolver_is_a_permanent_failure(
    make_resolver: Callable[[], AbstractResolver], reason: str
) -> None:
    """A factory that returns no resolver sends nothing, and is not called again for the same message."""
    async with RawServer(never_respond) as server, attempt_runner(server.config(resolver=make_resolver)) as runner:
        result = await runner.run("https://routee.test/failover")
    assert (outcome_of(result), result.permanent, result.reason) == (Outcome.NOT_SENT, True, reason)
