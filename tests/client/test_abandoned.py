"""Clients that are never closed: nothing is logged, and their connections are closed, however loop and client end."""

import asyncio
import gc
import os
import sys
import textwrap
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from routee_failover import RouteeClient
from tests.transport.event_loops import on_every_loop
from tests.transport.raw_server import PausableHandler, RawServer, Reader, Writer

from .fake_routee import until
from .sample_flows import sms

# The loop's own warnings about transports, which are off by default, are the business of the program that closed it.
PROGRAM = """
import asyncio, gc, logging, sys
from datetime import timedelta
import aiohttp
from routee_failover import RouteeClient, SmsStep, StandardFlow
if sys.argv[1] == "uvloop":
    from uvloop import new_event_loop
else:
    from asyncio import new_event_loop
logging.basicConfig(level=logging.WARNING)
factory = aiohttp.ClientSession if sys.argv[2] == "session" else None
flow = StandardFlow(steps=[SmsStep(from_="Demo", to="+306900000001", message="Hi")])

def new_client():
    return RouteeClient.from_env(session_factory=factory, total_timeout=timedelta(seconds=1), observers=[])

{main}
print("sent", flush=True)
"""
PROGRAMS = {
    "loop closed, client held": """
        client, loop = new_client(), new_event_loop()
        loop.run_until_complete(client.send(flow))
        loop.close()
        """,
    "loop closed twice": """
        client = new_client()
        for _ in range(2):
            loop = new_event_loop()
            loop.run_until_complete(client.send(flow))
            loop.close()
            gc.collect()
        """,
    "client let go, then loop closed": """
        client, loop = new_client(), new_event_loop()
        loop.run_until_complete(client.send(flow))
        del client
        gc.collect()
        loop.close()
        gc.collect()
        """,
    "loop closed, then client let go": """
        client, loop = new_client(), new_event_loop()
        loop.run_until_complete(client.send(flow))
        loop.close()
        del client, loop
        gc.collect()
        """,
    "loop never closed": """
        client, loop = new_client(), new_event_loop()
        loop.run_until_complete(client.send(flow))
        """,
    "client let go, loop never closed": """
        client, loop = new_client(), new_event_loop()
        loop.run_until_complete(client.send(flow))
        del client
        gc.collect()
        """,
    "client let go while the loop runs": """
        async def main():
            client = new_client()
            await client.send(flow)
            del client
            await asyncio.sleep(1.5)
            gc.collect()
            await asyncio.sleep(0.1)
        loop = new_event_loop()
        loop.run_until_complete(main())
        loop.close()
        """,
}


@pytest.mark.parametrize("executor", ["pool", "session"])
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("main", PROGRAMS.values(), ids=PROGRAMS)
async def test_program_that_closes_nothing_prints_nothing(main: str, loop: str, executor: str) -> None:
    """A client that is let go, or whose loop is closed without shutdown_asyncgens, is closed without a word."""
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    async with RawServer(PausableHandler()) as server:
        settings = {"ROUTEE_API_URL": server.url, "ROUTEE_AUTH_URL": server.url}
        settings |= {"ROUTEE_APPLICATION_ID": "a", "ROUTEE_APPLICATION_SECRET": "b"}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-c", PROGRAM.format(main=textwrap.dedent(main)), loop, executor),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=os.environ | settings,
        )
        out, err = await process.communicate()
    assert (out.decode(), err.decode()) == ("sent\n", "")


class ConnectionCounter:
    """Handler that counts the connections which are open."""

    def __init__(self) -> None:
        self._handler, self.opened, self.open = PausableHandler(), 0, 0

    async def __call__(self, reader: Reader, writer: Writer) -> None:
        """Serve one connection."""
        self.opened += 1
        self.open += 1
        try:
            await self._handler(reader, writer)
        finally:
            self.open -= 1


FACTORIES: dict[str, Any] = {"pool": None, "session": aiohttp.ClientSession}


@pytest.mark.parametrize("session_factory", FACTORIES.values(), ids=FACTORIES)
@on_every_loop
async def test_client_that_is_let_go_closes_its_connections(
    session_factory: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A client without references closes its connections, after total_timeout at the latest, and logs nothing."""
    handler = ConnectionCounter()
    async with RawServer(handler) as server:
        client = RouteeClient(
            server.config(total_timeout=timedelta(seconds=1), session_factory=session_factory, observers=[])
        )
        await client.send(sms())
        assert handler.open == handler.opened > 0
        del client
        await until(lambda: (gc.collect(), handler.open == 0)[1])
    assert caplog.records == []


class Owner:
    """Object that holds its client, and is its observer."""

    def __init__(self, server: RawServer, session_factory: Any) -> None:
        config = server.config(total_timeout=timedelta(seconds=1), session_factory=session_factory, observers=[self])
        self.client = RouteeClient(config)

    def observe(self, _event: object, /) -> None:
        """Ignore an event."""


@pytest.mark.parametrize("session_factory", FACTORIES.values(), ids=FACTORIES)
@on_every_loop
async def test_client_whose_observer_holds_it_closes_its_connections(session_factory: Any) -> None:
    """What closes the connections holds none of the settings, which may refer to the client."""
    handler = ConnectionCounter()
    async with RawServer(handler) as server:
        owner = Owner(server, session_factory)
        await owner.client.send(sms())
        del owner
        await until(lambda: (gc.collect(), handler.open == 0)[1])


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # of the loop itself, about its transports
@pytest.mark.parametrize("session_factory", FACTORIES.values(), ids=FACTORIES)
@on_every_loop
async def test_loop_that_is_closed_closes_the_connections_of_a_client_that_is_held(session_factory: Any) -> None:
    """After `loop.close()` the connections are closed, although the client is still there for another loop."""
    handler = ConnectionCounter()
    async with RawServer(handler) as server:
        client = RouteeClient(server.config(session_factory=session_factory, observers=[]))
        new_loop = type(asyncio.get_running_loop())

        def run_in_another_loop() -> None:
            loop = new_loop()
            loop.run_until_complete(client.send(sms()))
            loop.close()

        await asyncio.to_thread(run_in_another_loop)
        assert handler.opened > 0
        await until(lambda: (gc.collect(), handler.open == 0)[1])
        await client.send(sms())
        await client.aclose()
