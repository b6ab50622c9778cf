"""Reference cycles: what a finished send held is freed at once, its message too, and not when a collector runs."""

import asyncio
import gc
import weakref
from collections.abc import Callable, Iterator
from datetime import timedelta

import aiohttp
import pytest

from tests.client.fake_routee import until

from .raw_server import (
    ACCEPTED,
    POST,
    AttemptRunner,
    Handler,
    PausableHandler,
    RawServer,
    attempt_runner,
    loop_transport_of,
    open_transport,
    responding,
)

SESSIONS = pytest.mark.parametrize("session_factory", [None, aiohttp.ClientSession], ids=["own", "session"])


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    """Let nothing be freed by the garbage collector."""
    gc.disable()
    yield
    gc.enable()


@SESSIONS
@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize(
    "handler",
    [
        responding(ACCEPTED),
        responding(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", after=lambda writer: writer.close()),
        responding(b"no HTTP\r\n\r\n"),
        responding(b"", after=lambda writer: writer.close()),
        PausableHandler(paused=True),
    ],
    ids=["accepted", "cut off", "garbage", "closed", "expired"],
)
async def test_attempt_that_has_ended_is_freed(
    handler: Handler, method: str, session_factory: type[aiohttp.ClientSession] | None
) -> None:
    """An attempt is freed as soon as it has ended, whatever ended it."""
    async with RawServer(handler) as server:
        config = server.config(session_factory=session_factory, total_timeout=timedelta(seconds=0.2))
        async with attempt_runner(config) as runner:
            attempt = runner.new_attempt(server.url, method=method)
            await runner.run_attempt(attempt)
            freed = weakref.ref(attempt)
            del attempt
            await _until_freed(freed)


@SESSIONS
@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize("steps", [1, None], ids=["before", "after"])
async def test_attempt_whose_caller_was_cancelled_is_freed(
    steps: int | None, method: str, session_factory: type[aiohttp.ClientSession] | None
) -> None:
    """An attempt whose caller was cancelled, before its first byte or after it, is freed as soon as it has ended."""
    handler = PausableHandler(paused=True)
    async with (
        RawServer(handler) as server,
        attempt_runner(server.config(session_factory=session_factory)) as runner,
    ):
        freed = await _cancel(runner, server.url, method, handler, steps)
        handler.resumed.set()
        await _until_freed(freed)


async def _cancel(
    runner: AttemptRunner, url: str, method: str, handler: PausableHandler, steps: int | None
) -> Callable[[], object]:
    """Cancel the caller of an attempt after some steps, or once the server has the request."""
    attempt = runner.new_attempt(url, method=method)
    caller = asyncio.create_task(runner.run_attempt(attempt))
    if steps is None:
        await until(lambda: handler.seen)
    for _ in range(steps or 0):
        await asyncio.sleep(0)
    caller.cancel()
    await asyncio.wait([caller])
    return weakref.ref(attempt)


async def _until_freed(freed: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        await until(lambda: freed() is None)


@SESSIONS
async def test_transport_that_was_closed_is_freed(session_factory: type[aiohttp.ClientSession] | None) -> None:
    """A program that opens and closes a client many times does not keep the closed ones."""
    async with RawServer(responding(ACCEPTED)) as server:
        async with open_transport(server, session_factory=session_factory) as transport:
            await transport.send_request(POST)
            freed = weakref.ref(loop_transport_of(transport)._executor)
        del transport
        gc.collect()  # a client that is kept for long may hold cycles
        assert freed() is None
