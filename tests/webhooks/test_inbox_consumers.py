"""Consumers of an inbox: loops, handlers of every form, and the event loops that it serves."""

import asyncio
import functools
import gc
from typing import Any
from unittest.mock import AsyncMock

import pytest

from routee_failover import CallbackEvent, CallbackInbox, FlowRecord, InvalidCallback, InvalidConfig

from .payloads import flow
from .recorders import RecordingHandler


async def test_several_loops_share_the_events_and_end_on_close() -> None:
    """Several loops share the events; each ends when the inbox is closed, after the last event."""
    inbox = CallbackInbox()

    async def iterate() -> list[str]:
        return [str(event.tracking_id) async for event in inbox]

    iterations = [asyncio.create_task(iterate()) for _ in range(3)]
    await asyncio.sleep(0)
    for number in range(10):
        inbox.receive(flow(tracking_id=str(number)))
    await asyncio.sleep(0)
    inbox.receive(flow(tracking_id="last"))
    await inbox.aclose()
    received = sum(await asyncio.gather(*iterations), list[str]())  # three of them
    assert sorted(received) == sorted([*map(str, range(10)), "last"])


async def test_cancelled_loop_loses_no_event() -> None:
    """A loop that is cancelled while it waits leaves the next event to the others."""
    inbox = CallbackInbox()
    waiting = [asyncio.ensure_future(anext(inbox)) for _ in range(2)]
    await asyncio.sleep(0)
    inbox.receive(flow())
    waiting[0].cancel()
    assert (await asyncio.wait_for(waiting[1], 10)).tracking_id == "t-1"
    await inbox.aclose()


def test_invalid_body_raises_without_an_event_loop() -> None:
    """A body that is not a callback raises in `receive`, which needs no event loop for that."""
    inbox = CallbackInbox()
    with pytest.raises(InvalidCallback):
        inbox.receive(b"{")
    assert repr(inbox) == "<CallbackInbox: 0 pending>"


def _sync(_event: object) -> None:
    """Handler that would block."""


class _Sync:
    __call__ = staticmethod(_sync)


@pytest.mark.parametrize(
    "handler",
    [_sync, _Sync(), functools.partial(_sync), lambda event: None, 7],
    ids=["function", "object", "partial", "lambda", "number"],
)
def test_sync_handler_raises_invalid_config(handler: Any) -> None:
    """A handler that is not an `async def` is refused when it is registered, because it would block every callback."""
    for on in ("on_flow", "on_otp", "on_viber_otp", "on_inbound"):
        with pytest.raises(InvalidConfig, match="must be an async def"):
            getattr(CallbackInbox(), on)(handler)


async def test_any_async_callable_is_a_handler() -> None:
    """A method, a partial, a callable object and a mock are handlers like a function."""
    mock, recorder = AsyncMock(), RecordingHandler()
    async with CallbackInbox() as inbox:
        for handler in (mock, recorder, recorder.__call__, functools.partial(recorder)):
            assert inbox.on_flow(handler) is handler
        inbox.receive(flow())
    assert len(recorder.events) == 3
    mock.assert_awaited_once()


async def test_handlers_and_iteration_exclude_each_other() -> None:
    """Handlers and a loop over the same inbox are refused, whichever comes second."""
    inbox = CallbackInbox()
    RecordingHandler(inbox)
    with pytest.raises(InvalidConfig, match="has handlers"):
        aiter(inbox)
    with pytest.raises(InvalidConfig, match="has handlers"):
        await anext(inbox)
    other = CallbackInbox()
    aiter(other)
    with pytest.raises(InvalidConfig, match="iterated over"):
        RecordingHandler(other)


def test_inbox_serves_one_event_loop_after_another() -> None:
    """An inbox made at import time serves one event loop after another, without leaving anything behind in them."""
    inbox = CallbackInbox()
    received: list[str | None] = []

    @inbox.on_flow
    async def record(event: CallbackEvent[FlowRecord]) -> None:
        received.append(event.tracking_id)

    async def serve(name: str) -> None:
        async with inbox:
            inbox.receive(flow(tracking_id=name))

    for name in "ab":
        asyncio.run(serve(name))
    assert received == ["a", "b"]


def test_event_loop_that_ends_without_a_close_leaves_no_warnings() -> None:
    """A program that ends with pending callbacks leaves no task behind that warns."""

    async def never(_event: CallbackEvent[FlowRecord]) -> None:
        await asyncio.Event().wait()

    async def serve() -> None:
        inbox = CallbackInbox(concurrency=1)
        inbox.on_flow(never)
        for number in range(3):
            inbox.receive(flow(tracking_id=str(number)))
        await asyncio.sleep(0)

    asyncio.run(serve())
    gc.collect()


async def test_loop_with_notify_gets_events_from_its_start() -> None:
    """With `notify`, callbacks before the start of a loop are done once notified; the loop gets the later ones."""
    notified: list[Any] = []
    async with CallbackInbox(notify=notified.append) as inbox:
        inbox.receive(flow(tracking_id="early"))
        assert inbox.pending == 0
        events = aiter(inbox)
        inbox.receive(flow(tracking_id="later"))
        assert (await anext(events)).tracking_id == "later"
    assert [record.tracking_id for record in notified] == ["early", "later"]
