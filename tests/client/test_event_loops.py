"""One client in several event loops, opened and closed in every order, with nothing left behind."""

import asyncio
import gc
from typing import Any

import pytest

from routee_failover import ClientClosed, NotSent, Outcome, RouteeClient
from routee_failover.sandbox import Sandbox

from .fake_routee import FakeRoutee, Seen, token, until
from .sample_flows import sms
from .subprocess_program import run_fresh


async def test_a_closed_client_says_so() -> None:
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


async def test_a_client_that_was_closed_before_its_first_use_says_so() -> None:
    """`async with` around no send closes the client as well as around one."""
    async with Sandbox() as sandbox:
        client = RouteeClient(sandbox.config())
        async with client:
            pass
        try:
            with pytest.raises(ClientClosed):
                await client.send(sms())
        finally:
            await client.aclose()


async def test_a_closed_client_is_opened_again_by_async_with() -> None:
    """`async with` works as often as it is written, and plain sends work inside it."""
    async with Sandbox() as sandbox:
        client = RouteeClient(sandbox.config())
        for _ in range(3):
            async with client as entered:
                assert entered is client
                await client.send(sms())
        assert (sandbox.counts.accepted, sandbox.counts.connections) == (3, 3)


async def test_entering_an_open_client_keeps_its_connections() -> None:
    """`async with` on a client that is in use opens nothing anew."""
    async with Sandbox() as sandbox:
        client = RouteeClient(sandbox.config())
        await client.send(sms())
        async with client:
            await client.send(sms())
        assert (sandbox.counts.token_requests, sandbox.counts.connections) == (1, 1)


async def test_two_clients_in_one_loop_share_nothing() -> None:
    """Closing one client leaves another with the same settings untouched; each has a token of its own."""
    async with Sandbox() as sandbox:
        one, two = RouteeClient(sandbox.config()), RouteeClient(sandbox.config())
        async with one, two:
            await one.send(sms())
            await two.send(sms())
            await one.aclose()
            await two.send(sms())
        assert (sandbox.counts.token_requests, sandbox.counts.connections) == (2, 2)


async def test_closing_ends_a_send_that_waits_for_its_turn() -> None:
    """A message that waits for a connection while the client is closed is not sent, and its caller is told."""
    async with FakeRoutee() as server:
        server.pause = 0.1
        client = RouteeClient(server.config(pool_size=1))
        first = asyncio.create_task(client.send(sms()))
        await until(lambda: server.requests)
        second = asyncio.create_task(client.send(sms()))
        await asyncio.sleep(0.005)
        await client.aclose()
        with pytest.raises(ClientClosed, match="the client was closed while the message waited for a slot"):
            await second
        assert (await first).tracking_id == "t-1"
        assert len(server.requests) == 1


async def test_closing_ends_a_send_that_waits_for_a_token() -> None:
    """A message that waits for its token while the client is closed is not sent; its caller is not 'cancelled'."""
    release = asyncio.Event()

    async def slow(_seen: Seen) -> object:
        await release.wait()
        return token("late")

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


async def test_closing_twice_at_once_is_harmless() -> None:
    """Two tasks may close the same client at the same time."""
    async with FakeRoutee() as server:
        server.pause = 0.05
        client = RouteeClient(server.config())
        sending = asyncio.create_task(client.send(sms()))
        await until(lambda: server.requests)
        ends = await asyncio.gather(*(client.aclose() for _ in range(3)), return_exceptions=True)
        await asyncio.wait([sending])
        sending.exception()
        assert ends == [None, None, None]


async def test_a_client_dropped_without_closing_leaves_no_warning_at_the_loops_end() -> None:
    """A client that is never closed is closed when the loop's generators are, with its connections."""
    async with Sandbox() as sandbox:
        client = RouteeClient(sandbox.config())
        await client.send(sms())
        session = next(iter(client._transport._loop_transports.values()))._session
        await asyncio.get_running_loop().shutdown_asyncgens()
        assert session.closed
        with pytest.raises(ClientClosed):
            await client.send(sms())


PLAIN = "await client.send(flow)"
ENDINGS = {
    "never closed": PLAIN,
    "closed": f"{PLAIN}\nawait client.aclose()",
    "async with": f"async with client:\n    {PLAIN}",
    "many, never closed": "await asyncio.gather(*(client.send(flow) for _ in range(20)))",
    "a task left running": f"{PLAIN}\ntask = asyncio.create_task(client.send(flow))\nawait asyncio.sleep(0)",
    "an error on the way": f"{PLAIN}\ntry:\n    await client.track('none')\nexcept LookupError:\n    pass\n"
    "except Exception as error:\n    assert type(error).__name__ == 'NotFound', error",
    "send_all left early": "async for sent in client.send_all([flow] * 9, concurrency=2):\n    break",
    "send_all closed early": "sending = client.send_all([flow] * 9, concurrency=2)\nawait anext(sending)\n"
    "await sending.aclose()",
}


@pytest.mark.parametrize("main", ENDINGS.values(), ids=ENDINGS)
async def test_a_client_made_at_import_time_serves_several_loops(main: str) -> None:
    """A client of a module works in one asyncio.run after the other, closed or not, without a word on stderr."""
    async with Sandbox() as sandbox:
        assert await run_fresh(main, sandbox.url) == ("sent\n", "")
        assert sandbox.counts.accepted >= 3


@pytest.mark.parametrize("main", [PLAIN, ENDINGS["async with"]], ids=["never closed", "async with"])
async def test_a_client_serves_uvloop(main: str) -> None:
    """The same holds in uvloop's event loops."""
    pytest.importorskip("uvloop")
    async with Sandbox() as sandbox:
        assert await run_fresh(main, sandbox.url, prelude="import uvloop", run="uvloop.run") == ("sent\n", "")
        assert sandbox.counts.accepted == 3


async def test_loops_that_have_ended_are_forgotten() -> None:
    """A client keeps nothing of a loop that has been closed, however many there were."""
    async with Sandbox() as sandbox:
        client = RouteeClient(sandbox.config())

        def elsewhere() -> None:
            asyncio.run(_once(client))

        for _ in range(3):
            await asyncio.to_thread(elsewhere)
        await client.send(sms())
        assert len(client._transport._loop_transports) == 1
        await client.aclose()
        gc.collect()


async def _once(client: RouteeClient) -> None:
    await client.send(sms())


async def test_threads_may_open_and_forget_loops_at_once() -> None:
    """While one thread forgets loops that have ended, another may open a loop of its own or forget the same."""
    async with FakeRoutee() as server:
        client = RouteeClient(server.config())
        lines: Any = client._transport._loop_transports

        class Ended:
            def is_closed(self) -> bool:
                lines.pop(self, None)
                lines[object()] = None  # what another thread does in the meantime
                return True

        lines[Ended()] = lines[Ended()] = None
        await client.send(sms())
        await client.aclose()
