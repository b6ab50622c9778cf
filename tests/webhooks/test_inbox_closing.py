"""Closing an inbox: pending callbacks are handled until the shutdown timeout, and the rest is dropped and reported."""

import asyncio
from datetime import timedelta

import pytest

from routee_failover import CallbackEvent, CallbackInbox, FlowRecord, ReceiveResult

from .payloads import flow
from .recorders import RecordingHandler, RecordingObserver

SHORT = timedelta(seconds=0.05)


async def test_close_waits_for_pending_callbacks() -> None:
    """Closing waits for handlers, the slow one and the callbacks behind it, and accepts nothing more."""
    inbox, recorder = CallbackInbox(concurrency=1), RecordingHandler()

    @inbox.on_flow
    async def slow(event: CallbackEvent[FlowRecord]) -> None:
        await asyncio.sleep(0.01)
        await recorder(event)

    for number in range(3):
        inbox.receive(flow(tracking_id=str(number)))
    closing = asyncio.create_task(inbox.aclose())
    await asyncio.sleep(0)
    assert inbox.receive(flow(tracking_id="late")) is ReceiveResult.UNAVAILABLE
    assert inbox.receive(flow(tracking_id="0")) is ReceiveResult.DUPLICATE
    await closing
    assert [event.tracking_id for event in recorder.events] == ["0", "1", "2"]


async def test_close_cancels_handlers_after_the_timeout() -> None:
    """After the timeout, handlers are cancelled and the callbacks behind them are dropped; each is emitted."""
    observer = RecordingObserver()
    inbox = CallbackInbox(concurrency=1, shutdown_timeout=SHORT, observers=[observer])

    @inbox.on_flow
    async def never(_event: CallbackEvent[FlowRecord]) -> None:
        await asyncio.Event().wait()

    for name in ("a", "b", "b", "c"):
        inbox.receive(flow(tracking_id=name))
    inbox.receive(flow("InProgress", 5, tracking_id="a"))
    await asyncio.sleep(0)
    await inbox.aclose()
    assert [error for _, error in observer.failed] == ["CancelledError"]
    lost = sorted(str(tracking_id) for tracking_id, _, lost in observer.dropped if lost)
    assert lost == ["a", "b", "c"]
    assert inbox.pending == 0


async def test_close_abandons_a_handler_that_ignores_its_cancellation() -> None:
    """A handler that ignores its cancellation delays the shutdown by one more timeout at most."""
    inbox, proceed = CallbackInbox(shutdown_timeout=SHORT), asyncio.Event()

    @inbox.on_flow
    async def stubborn(_event: CallbackEvent[FlowRecord]) -> None:
        while not proceed.is_set():
            try:
                await proceed.wait()
            except asyncio.CancelledError:
                continue

    inbox.receive(flow())
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await inbox.aclose()
    proceed.set()
    await asyncio.wait(list(inbox._tasks))


async def test_close_without_a_consumer_does_not_wait() -> None:
    """Events without a consumer do not delay the shutdown; their loss is emitted."""
    observer = RecordingObserver()
    inbox = CallbackInbox(observers=[observer], shutdown_timeout=timedelta(hours=1))
    inbox.receive(flow())
    async with asyncio.timeout(10):
        await inbox.aclose()
    assert [lost for _, _, lost in observer.dropped] == [True]


async def test_close_dispatches_to_a_loop_that_is_about_to_start() -> None:
    """A loop whose task was only just started gets the pending events."""
    inbox = CallbackInbox()

    async def iterate() -> list[str | None]:
        return [event.tracking_id async for event in inbox]

    iteration = asyncio.create_task(iterate())
    inbox.receive(flow())
    await inbox.aclose()
    assert await iteration == ["t-1"]


async def test_close_waits_for_an_abandoned_loop_until_the_timeout() -> None:
    """A loop that stopped iterating is waited for until the timeout, and no longer."""
    inbox = CallbackInbox(shutdown_timeout=SHORT)
    inbox.receive(flow(tracking_id="a"))
    async for event in inbox:
        assert event.tracking_id == "a"
        break
    inbox.receive(flow(tracking_id="b"))
    await inbox.aclose()
    assert inbox.pending == 0


async def test_cancelled_close_cancels_the_handlers() -> None:
    """A cancelled `aclose` leaves no handler running."""
    inbox, finished = CallbackInbox(), asyncio.Event()

    @inbox.on_flow
    async def never(_event: CallbackEvent[FlowRecord]) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            finished.set()

    inbox.receive(flow())
    closing = asyncio.create_task(inbox.aclose())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    await asyncio.wait_for(finished.wait(), 10)


async def test_reopened_inbox_remembers_what_it_dispatched() -> None:
    """A closed inbox is reopened by `async with`, and still recognizes duplicates."""
    inbox = CallbackInbox()
    handler = RecordingHandler(inbox)
    async with inbox:
        inbox.receive(flow())
    await inbox.aclose()
    assert inbox.receive(flow(tracking_id="other")) is ReceiveResult.UNAVAILABLE
    async with inbox:
        assert inbox.receive(flow()) is ReceiveResult.DUPLICATE
        assert inbox.receive(flow(tracking_id="other")) is ReceiveResult.NEW
        await handler.wait_for(2)
