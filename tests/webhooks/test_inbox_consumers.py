"""The ways out of an inbox: loops, and handlers of every form; and the event loops that it serves."""

import asyncio
import functools
import gc
from typing import Any
from unittest.mock import AsyncMock

import pytest

from routee_failover import CallbackEvent, CallbackInbox, FlowRecord, InvalidCallback, InvalidConfig

from .payloads import flow
from .recorders import Heard


async def test_iteration() -> None:
    """Several loops share the events; each ends when the inbox is closed, after the last event."""
    inbox = CallbackInbox()

    async def loop() -> list[str]:
        return [str(event.tracking_id) async for event in inbox]

    loops = [asyncio.create_task(loop()) for _ in range(3)]
    await asyncio.sleep(0)
    for number in range(10):
        inbox.receive(flow(identity=str(number)))
    await asyncio.sleep(0)
    inbox.receive(flow(identity="last"))
    await inbox.aclose()
    found = sum(await asyncio.gather(*loops), list[str]())  # three of them
    assert sorted(found) == sorted([*map(str, range(10)), "last"])


async def test_a_loop_that_is_cancelled_takes_nothing_with_it() -> None:
    """Whoever is cancelled while waiting leaves the next event to the others."""
    inbox = CallbackInbox()
    waits = [asyncio.ensure_future(anext(inbox)) for _ in range(2)]
    await asyncio.sleep(0)
    inbox.receive(flow())
    waits[0].cancel()
    assert (await asyncio.wait_for(waits[1], 10)).tracking_id == "t-1"
    await inbox.aclose()


def test_refused_bodies_raise() -> None:
    """A body that is no callback is refused to whoever calls `receive`, which needs no loop for that."""
    inbox = CallbackInbox()
    with pytest.raises(InvalidCallback):
        inbox.receive(b"{")
    assert repr(inbox) == "<CallbackInbox: 0 waiting>"


def _sync(_event: object) -> None:
    """A handler that would block."""


class _Sync:
    __call__ = staticmethod(_sync)


@pytest.mark.parametrize(
    "handler",
    [_sync, _Sync(), functools.partial(_sync), lambda event: None, 7],
    ids=["function", "object", "partial", "lambda", "number"],
)
def test_sync_handlers_are_refused(handler: Any) -> None:
    """A handler that is no `async def` is refused when it is given, because it would hold up every callback."""
    for on in ("on_flow", "on_otp", "on_inbound"):
        with pytest.raises(InvalidConfig, match="must be an async def"):
            getattr(CallbackInbox(), on)(handler)


async def test_forms_of_handlers() -> None:
    """A method, a partial, an object that is called and a mock are handlers as good as a function."""
    mock, heard = AsyncMock(), Heard()
    async with CallbackInbox() as inbox:
        for handler in (mock, heard, heard.__call__, functools.partial(heard)):
            assert inbox.on_flow(handler) is handler
        inbox.receive(flow())
    assert len(heard.events) == 3
    mock.assert_awaited_once()


async def test_handlers_or_iteration() -> None:
    """Events go one way: handlers and a loop over the same inbox are refused, whichever comes second."""
    inbox = CallbackInbox()
    Heard(inbox)
    with pytest.raises(InvalidConfig, match="has handlers"):
        aiter(inbox)
    with pytest.raises(InvalidConfig, match="has handlers"):
        await anext(inbox)
    other = CallbackInbox()
    aiter(other)
    with pytest.raises(InvalidConfig, match="iterated over"):
        Heard(other)


def test_one_loop_after_another() -> None:
    """An inbox made at import time serves one loop after another, without leaving anything behind in them."""
    inbox = CallbackInbox()
    heard: list[str | None] = []

    @inbox.on_flow
    async def keep(event: CallbackEvent[FlowRecord]) -> None:
        heard.append(event.tracking_id)

    async def serve(name: str) -> None:
        async with inbox:
            inbox.receive(flow(identity=name))

    for name in "ab":
        asyncio.run(serve(name))
    assert heard == ["a", "b"]


def test_a_loop_that_ends_without_a_close() -> None:
    """A program that ends with callbacks waiting leaves no task behind that complains."""

    async def never(_event: CallbackEvent[FlowRecord]) -> None:
        await asyncio.Event().wait()

    async def serve() -> None:
        inbox = CallbackInbox(concurrency=1)
        inbox.on_flow(never)
        for number in range(3):
            inbox.receive(flow(identity=str(number)))
        await asyncio.sleep(0)

    asyncio.run(serve())
    gc.collect()


async def test_a_loop_beside_tell() -> None:
    """With `tell`, what comes before the loop begins is told and done; from then on it is told and handed out."""
    told: list[Any] = []
    async with CallbackInbox(notify=told.append) as inbox:
        inbox.receive(flow(identity="early"))
        assert inbox.pending == 0
        events = aiter(inbox)
        inbox.receive(flow(identity="later"))
        assert (await anext(events)).tracking_id == "later"
    assert [record.tracking_id for record in told] == ["early", "later"]
