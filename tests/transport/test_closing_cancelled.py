"""Closing under cancellation: sends that have begun get their outcome, and nothing is left, whatever is cancelled."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

import aiohttp
import anyio
import pytest

from routee_failover import DeliveryUnknown, FlowReceipt, Outcome, RouteeClient
from routee_failover.events import AttemptEnded
from tests.client.fake_routee import until
from tests.client.sample_flows import sms

from .event_loops import on_every_loop
from .raw_server import PausableHandler, RawServer, RecordingObserver, connector_of, loop_transport_of

LONG = timedelta(hours=1)
Visit = Callable[[], Coroutine[Any, Any, None]]


async def in_cancel_scope(visit: Visit, begun: Callable[[], object]) -> None:
    """Cancel by a scope of anyio, which cancels again and again until the scope is left."""
    async with anyio.create_task_group() as group:
        group.start_soon(visit)
        await until(begun)
        group.cancel_scope.cancel()


async def in_timeout(visit: Visit, begun: Callable[[], object]) -> None:
    """Cancel by a timeout of asyncio."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(None) as timeout:
            watching = asyncio.create_task(until(begun))
            watching.add_done_callback(lambda _: timeout.reschedule(0))
            await visit()


async def in_task(visit: Visit, begun: Callable[[], object], *, times: int = 1) -> None:
    """Cancel the task."""
    task = asyncio.ensure_future(visit())
    await until(begun)
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0)
    await asyncio.wait([task])
    assert task.cancelled()


async def repeatedly(visit: Visit, begun: Callable[[], object]) -> None:
    """Cancel the task in each iteration of the loop."""
    await in_task(visit, begun, times=20)


CANCELLERS = [in_cancel_scope, in_timeout, in_task, repeatedly]
FACTORIES: dict[str, Any] = {"pool": None, "session": aiohttp.ClientSession}
with_every_canceller = pytest.mark.parametrize("cancel", CANCELLERS)
with_every_executor = pytest.mark.parametrize("session_factory", FACTORIES.values(), ids=FACTORIES)


class Visitor:
    """Leaves `async with` while a message of it is in flight, and remembers what was open."""

    def __init__(self, client: RouteeClient, handler: PausableHandler) -> None:
        self.client, self.handler = client, handler
        self.connector: aiohttp.BaseConnector | None = None
        self.sending: asyncio.Future[FlowReceipt] | None = None

    async def __call__(self) -> None:
        """Begin to send a message, and leave."""
        async with self.client:
            self.sending = asyncio.ensure_future(self.client.send(sms()))
            await until(lambda: self.handler.seen)
            self.connector = connector_of(self.client._transport)

    def is_leaving(self) -> bool:
        """Return whether it is about to leave."""
        return self.connector is not None and loop_transport_of(self.client._transport).closing.is_set()

    @property
    def closed(self) -> bool:
        """Whether its connections are closed."""
        return self.connector is not None and self.connector.closed


@with_every_canceller
@with_every_executor
@on_every_loop
async def test_cancelled_exit_still_gets_the_outcome_and_closes(cancel: Any, session_factory: Any) -> None:
    """However `async with` is cancelled, a send that has begun gets its response, and then the connections close."""
    handler, observer = PausableHandler(paused=True), RecordingObserver()
    async with RawServer(handler) as server:
        config = server.config(shutdown_timeout=LONG, session_factory=session_factory, observers=[observer])
        visitor = Visitor(RouteeClient(config), handler)
        await cancel(visitor, visitor.is_leaving)
        assert not visitor.closed
        assert visitor.sending is not None
        handler.resumed.set()
        assert (await visitor.sending).tracking_id == "t"
        await until(lambda: visitor.closed)
        assert (observer.of(AttemptEnded)[-1].outcome, handler.request_count) == (Outcome.ACCEPTED, 1)


@with_every_canceller
@with_every_executor
@on_every_loop
async def test_cancelled_exit_without_a_response_is_unknown_and_closes(cancel: Any, session_factory: Any) -> None:
    """A send without a response within shutdown_timeout is reported as UNKNOWN, and nothing stays open."""
    handler, observer = PausableHandler(paused=True), RecordingObserver()
    async with RawServer(handler) as server:
        config = server.config(
            shutdown_timeout=timedelta(seconds=1), session_factory=session_factory, observers=[observer]
        )
        visitor = Visitor(RouteeClient(config), handler)
        await cancel(visitor, visitor.is_leaving)
        assert visitor.sending is not None
        with pytest.raises(DeliveryUnknown):
            await visitor.sending
        await until(lambda: visitor.closed)
        assert observer.of(AttemptEnded)[-1].outcome is Outcome.UNKNOWN


@with_every_executor
@on_every_loop
async def test_cancelled_send_in_a_scope_is_reported_and_closes(session_factory: Any) -> None:
    """A scope around the whole visit cancels sending and closing: observers still get the outcome of what was sent."""
    handler, observer = PausableHandler(paused=True), RecordingObserver()
    async with RawServer(handler) as server:
        config = server.config(shutdown_timeout=LONG, session_factory=session_factory, observers=[observer])
        client, connectors = RouteeClient(config), list[aiohttp.BaseConnector]()

        async def visit() -> None:
            async with client, asyncio.TaskGroup() as group:
                group.create_task(client.send(sms()))
                waiting = group.create_task(client.wait("a-flow", timeout=60))
                await until(lambda: len(handler.seen) == 2)
                connectors.append(connector_of(client._transport))
                await waiting

        await in_cancel_scope(visit, lambda: connectors)
        handler.resumed.set()
        await until(lambda: connectors[0].closed)
        (event,) = (event for event in observer.of(AttemptEnded) if event.path == "/failover")
        assert (event.outcome, event.abandoned) == (Outcome.ACCEPTED, True)


@on_every_loop
async def test_client_can_be_entered_again_while_it_still_closes() -> None:
    """`async with` after a cancelled one gets connections of its own, which the closing of the first leaves open."""
    handler = PausableHandler(paused=True)
    async with RawServer(handler) as server:
        client = RouteeClient(server.config(shutdown_timeout=LONG))
        visitor = Visitor(client, handler)
        await in_cancel_scope(visitor, visitor.is_leaving)
        async with client:
            handler.resumed.set()
            await client.send(sms())
            await until(lambda: visitor.closed)
            await client.send(sms())
            assert not connector_of(client._transport).closed
        assert handler.request_count == 3


@with_every_executor
@on_every_loop
async def test_closing_survives_the_cancellation_of_all_tasks(session_factory: Any) -> None:
    """A program that cancels all tasks of the loop at its end cancels closing, too: the connections still close."""
    handler, observer = PausableHandler(paused=True), RecordingObserver()
    async with RawServer(handler) as server:
        before = {asyncio.current_task()}
        config = server.config(shutdown_timeout=LONG, session_factory=session_factory, observers=[observer])
        visitor = Visitor(RouteeClient(config), handler)
        await in_task(visitor, visitor.is_leaving)
        own = [task for task in asyncio.all_tasks() - before if "RawServer" not in repr(task.get_coro())]
        for task in own:
            task.cancel()
        await asyncio.wait(own)
        assert visitor.closed
        assert observer.of(AttemptEnded)[-1].outcome is Outcome.UNKNOWN
