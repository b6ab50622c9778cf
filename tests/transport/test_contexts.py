"""Contexts: work for several callers runs in no caller's context, and an attempt of a message in that of its caller."""

import asyncio
import contextlib
from contextvars import ContextVar
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from routee_failover import CircuitOpen, RouteeClient, RouteeError
from routee_failover.events import AttemptEnded, AttemptStarted, CircuitBreakerChanged, Event, TokenRenewed
from routee_failover.webhooks import CallbackEvent, CallbackInbox
from tests.client.fake_routee import until
from tests.client.sample_flows import sms

from .event_loops import on_every_loop
from .raw_server import PausableHandler, RawServer, http

visitor: ContextVar[str] = ContextVar("visitor", default="no visitor")


class ContextObserver:
    """Observer that records in whose context it gets each event."""

    def __init__(self) -> None:
        self.seen: list[tuple[Event, str]] = []

    def observe(self, event: Event, /) -> None:
        """Record an event and its context."""
        self.seen.append((event, visitor.get()))

    def of(self, *kinds: type[Event], path: str = "") -> set[str]:
        """Return in whose context the events of some classes came, of requests whose path begins so."""
        return {
            who for event, who in self.seen if isinstance(event, kinds) and getattr(event, "path", "").startswith(path)
        }


async def _visit(who: str, client: RouteeClient) -> None:
    visitor.set(who)
    with contextlib.suppress(RouteeError):
        await client.send(sms())


@on_every_loop
async def test_token_request_belongs_to_no_visitor_and_messages_to_their_callers() -> None:
    """The token request that two visitors share is observed in neither's context; each message in its own visitor's."""
    observer = ContextObserver()
    async with RawServer(PausableHandler()) as server, RouteeClient(server.config(observers=[observer])) as client:
        await asyncio.gather(_visit("A", client), _visit("B", client))
    assert observer.of(AttemptStarted, AttemptEnded, path="/oauth") == {"no visitor"}
    assert observer.of(TokenRenewed) == {"no visitor"}
    assert observer.of(AttemptStarted, path="/failover") == observer.of(AttemptEnded, path="/failover") == {"A", "B"}


@on_every_loop
async def test_polls_belong_to_no_visitor_and_conditions_to_their_callers() -> None:
    """The polls of the shared poller are observed in no visitor's context; `until` runs in that of its own visitor."""
    observer, conditions = ContextObserver(), set[tuple[str, str]]()
    handler = PausableHandler(http("200 OK", b'{"trackingId":"x","status":"Running"}'))
    async with RawServer(handler) as server, RouteeClient(server.config(observers=[observer])) as client:

        async def wait(who: str) -> None:
            visitor.set(who)

            def until(_record: object) -> bool:
                conditions.add((who, visitor.get()))
                return True

            await client.wait(f"flow-{who}", timeout=60, until=until)

        await asyncio.gather(wait("A"), wait("B"), wait("C"))
    assert observer.of(AttemptStarted, AttemptEnded) == {"no visitor"}
    assert conditions == {("A", "A"), ("B", "B"), ("C", "C")}


@on_every_loop
async def test_probe_of_the_circuit_breaker_belongs_to_no_visitor(monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe decides for all visitors, and is observed in no visitor's context."""
    monkeypatch.setattr("routee_failover._transport.circuit_breaker.INITIAL_OPEN_SECONDS", 0.0)
    monkeypatch.setattr("routee_failover._transport.circuit_breaker.MIN_CALLS", 1)
    observer = ContextObserver()
    async with (
        RawServer(PausableHandler(http("503 Down"))) as server,
        RouteeClient(server.config(observers=[observer], max_attempts=1)) as client,
    ):
        await _visit("A", client)
        visitor.set("B")
        with pytest.raises(CircuitOpen):
            await client.send(sms())
    assert observer.of(AttemptStarted, path="/failover-otp/health") == {"no visitor"}
    assert [who for event, who in observer.seen if isinstance(event, CircuitBreakerChanged)][-1] == "no visitor"


class ContextResolver(AbstractResolver):
    """Resolver that records in whose context it is made and asked."""

    def __init__(self, seen: set[str]) -> None:
        self._seen, self._resolver = seen, ThreadedResolver()
        seen.add(visitor.get())

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        """Resolve a host name."""
        self._seen.add(visitor.get())
        return await self._resolver.resolve(host, port, family)

    async def close(self) -> None:
        """Close it."""


@on_every_loop
async def test_pool_and_resolver_belong_to_no_visitor() -> None:
    """The pool, its factory and the resolver serve all visitors, and see no visitor's context."""
    seen: set[str] = set()

    def connector_factory(**options: Any) -> aiohttp.BaseConnector:
        seen.add(visitor.get())
        return aiohttp.TCPConnector(**options)

    async with RawServer(PausableHandler()) as server:
        config = server.config(resolver=lambda: ContextResolver(seen), connector_factory=connector_factory)
        async with RouteeClient(config) as client:
            await asyncio.gather(_visit("A", client), _visit("B", client))
    assert seen == {"no visitor"}


@on_every_loop
async def test_session_and_trace_hooks_see_the_caller_of_their_message() -> None:
    """A session is made in no visitor's context; hooks on a message run in that of its visitor, on a token in none."""
    made, hooks = set[str](), set[tuple[str, str]]()

    async def on_start(_session: Any, _context: Any, params: aiohttp.TraceRequestStartParams) -> None:
        hooks.add((params.url.path, visitor.get()))

    def session_factory(*, trace_configs: list[aiohttp.TraceConfig], **options: Any) -> aiohttp.ClientSession:
        made.add(visitor.get())
        trace = aiohttp.TraceConfig()
        trace.on_request_start.append(on_start)
        return aiohttp.ClientSession(trace_configs=[*trace_configs, trace], **options)

    async with (
        RawServer(PausableHandler()) as server,
        RouteeClient(server.config(session_factory=session_factory)) as client,
    ):
        await asyncio.gather(_visit("A", client), _visit("B", client))
    assert made == {"no visitor"}
    assert {who for path, who in hooks if path == "/oauth/token"} == {"no visitor"}
    assert {who for path, who in hooks if path == "/failover"} == {"A", "B"}


@on_every_loop
async def test_callback_handlers_belong_to_no_visitor() -> None:
    """A handler runs in no context of a request that delivered a callback: it may be that of another callback."""
    inbox, seen = CallbackInbox(concurrency=1), list[str]()

    @inbox.on_flow
    async def handle(_event: CallbackEvent[Any]) -> None:
        seen.append(visitor.get())

    async with inbox:
        for who in "AB":
            visitor.set(who)
            inbox.receive({"trackingId": f"flow-{who}", "status": "Running"})
        await until(lambda: len(seen) == 2)
    assert seen == ["no visitor", "no visitor"]
