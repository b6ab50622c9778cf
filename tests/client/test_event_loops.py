"""One client in several event loops, opened and closed in every order, without leaks."""

import asyncio
import gc
from typing import Any

import pytest

from routee_failover import ClientClosed, NotSent, Outcome, RouteeClient
from routee_failover.sandbox import Sandbox
from tests.transport.raw_server import connector_of

from .fake_routee import FakeRoutee, ReceivedRequest, token_response, until
from .sample_flows import sms
from .subprocess_program import run_fresh


async def test_send_after_aclose_raises_client_closed() -> None:
    """After aclose() a send in this loop is not sent, and the error says why."""
    async with Sandbox() as sandbox:
        client = RouteeClient(sandbox.config())
        await client.send(sms())
        await client.aclose()
        with pytest.raises(ClientClosed, match="nothing was sent") as caught:
            await client.send(sms())
        assert caught.value.outcome is Outcome.NOT_SENT
        await client.aclose()
        assert sandbox.counts.accepted == 1


async def test_unused_client_is_closed_by_async_with() -> None:
    """`async with` without a send closes the client as well."""
    async with Sandbox() as sandbox:
        client = RouteeClient(sandbox.config())
        async with client:
            pass
        try:
            with pytest.raises(ClientClosed):
                await client.send(sms())
        finally:
            await client.aclose()


async def test_async_with_reopens_a_closed_client() -> None:
    """`async with` can be repeated, and sends work inside it."""
    async with Sandbox() as sandbox:
        client = RouteeClient(sandbox.config())
        for _ in range(3):
            async with client as entered:
                assert entered is client
                await client.send(sms())
        assert (sandbox.counts.accepted, sandbox.counts.connections) == (3, 3)


async def test_async_with_on_an_open_client_keeps_its_connections() -> None:
    """`async with` on a client that is in use opens no new connection."""
    async with Sandbox() as sandbox:
        client = RouteeClient(sandbox.config())
        await client.send(sms())
        async with client:
            await client.send(sms())
        assert (sandbox.counts.token_requests, sandbox.counts.connections) == (1, 1)


async def test_two_clients_in_one_loop_are_independent() -> None:
    """Closing one client does not affect another with the same settings; each has a token of its own."""
    async with Sandbox() as sandbox:
        one, two = RouteeClient(sandbox.config()), RouteeClient(sandbox.config())
        async with one, two:
            await one.send(sms())
            await two.send(sms())
            await one.aclose()
            await two.send(sms())
        assert (sandbox.counts.token_requests, sandbox.counts.connections) == (2, 2)


async def test_aclose_ends_a_send_that_waits_for_a_connection() -> None:
    """A message that waits for a connection while the client is closed is not sent, and raises ClientClosed."""
    async with FakeRoutee() as server:
        server.response_delay = 0.1
        client = RouteeClient(server.config(pool_size=1))
        first = asyncio.create_task(client.send(sms()))
        await until(lambda: server.requests)
        second = asyncio.create_task(client.send(sms()))
        await asyncio.sleep(0.005)
        await client.aclose()
        with pytest.raises(ClientClosed, match="the client was closed while the message waited; nothing was sent"):
            await second
        assert (await first).tracking_id == "t-1"
        assert len(server.requests) == 1


async def test_aclose_ends_a_send_that_waits_for_a_token() -> None:
    """A message that waits for its token while the client is closed raises NotSent; its task is not cancelled."""
    release = asyncio.Event()

    async def slow(_request: ReceivedRequest) -> object:
        await release.wait()
        return token_response("late")

    async with FakeRoutee(token=slow) as server:  # type: ignore[arg-type]
        client = RouteeClient(server.config())
        waiting = asyncio.create_task(client.send(sms()))
        await until(lambda: server.token_requests)
        await client.aclose()
        await asyncio.wait([waiting])
        release.set()
        assert not waiting.cancelled()
        with pytest.raises(NotSent):
            await waiting


async def test_concurrent_aclose_calls_succeed() -> None:
    """Several tasks may close the same client at the same time."""
    async with FakeRoutee() as server:
        server.response_delay = 0.05
        client = RouteeClient(server.config())
        sending = asyncio.create_task(client.send(sms()))
        await until(lambda: server.requests)
        results = await asyncio.gather(*(client.aclose() for _ in range(3)), return_exceptions=True)
        await asyncio.wait([sending])
        sending.exception()
        assert results == [None, None, None]


async def test_unclosed_client_is_closed_with_the_loops_async_generators() -> None:
    """A client that is never closed is closed with its connections when the loop shuts down its async generators."""
    async with Sandbox() as sandbox:
        client = RouteeClient(sandbox.config())
        await client.send(sms())
        connector = connector_of(client._transport)
        await asyncio.get_running_loop().shutdown_asyncgens()
        assert connector.closed
        with pytest.raises(ClientClosed):
            await client.send(sms())


SEND_ONCE = "await client.send(flow)"
PROGRAMS = {
    "never closed": SEND_ONCE,
    "closed": f"{SEND_ONCE}\nawait client.aclose()",
    "async with": f"async with client:\n    {SEND_ONCE}",
    "many, never closed": "await asyncio.gather(*(client.send(flow) for _ in range(20)))",
    "a task left running": f"{SEND_ONCE}\ntask = asyncio.create_task(client.send(flow))\nawait asyncio.sleep(0)",
    "an error of track": f"{SEND_ONCE}\ntry:\n    await client.track('none')\nexcept LookupError:\n    pass\n"
    "except Exception as error:\n    assert type(error).__name__ == 'NotFound', error",
    "send_all left early": "async for result in client.send_all([flow] * 9, concurrency=2):\n    break",
    "send_all closed early": "sending = client.send_all([flow] * 9, concurrency=2)\nawait anext(sending)\n"
    "await sending.aclose()",
}


@pytest.mark.parametrize("main", PROGRAMS.values(), ids=PROGRAMS)
async def test_module_level_client_works_in_several_loops(main: str) -> None:
    """A client of a module works in one asyncio.run after the other, closed or not, without output on stderr."""
    async with Sandbox() as sandbox:
        assert await run_fresh(main, sandbox.url) == ("sent\n", "")
        assert sandbox.counts.accepted >= 3


@pytest.mark.parametrize("main", [SEND_ONCE, PROGRAMS["async with"]], ids=["never closed", "async with"])
async def test_module_level_client_works_with_uvloop(main: str) -> None:
    """The same holds for uvloop's event loops."""
    pytest.importorskip("uvloop")
    async with Sandbox() as sandbox:
        assert await run_fresh(main, sandbox.url, prelude="import uvloop", run="uvloop.run") == ("sent\n", "")
        assert sandbox.counts.accepted == 3


async def test_closed_loops_are_forgotten() -> None:
    """A client keeps nothing of an event loop that has been closed."""
    async with Sandbox() as sandbox:
        client = RouteeClient(sandbox.config())

        def run_in_another_loop() -> None:
            asyncio.run(_send_once(client))

        for _ in range(3):
            await asyncio.to_thread(run_in_another_loop)
        await client.send(sms())
        assert len(client._transport._loop_transports) == 1
        await client.aclose()
        gc.collect()


async def _send_once(client: RouteeClient) -> None:
    await client.send(sms())


async def test_other_threads_may_change_the_loop_table_during_cleanup() -> None:
    """While one thread removes closed loops, another may add a loop of its own or remove the same."""
    async with FakeRoutee() as server:
        client = RouteeClient(server.config())
        transports: Any = client._transport._loop_transports

        class ClosedLoop:
            def is_closed(self) -> bool:
                transports.pop(self, None)
                transports[OpenLoop()] = None  # what another thread does in the meantime
                return True

        class OpenLoop:
            def is_closed(self) -> bool:
                return False

        transports[ClosedLoop()] = transports[ClosedLoop()] = None
        await client.send(sms())
        await client.aclose()
