"""Closing an inbox: what waits is handled for a while, and what is not is told of."""

import asyncio
from datetime import timedelta

import pytest

from routee_failover import CallbackEvent, CallbackInbox, FlowRecord, ReceiveResult

from .payloads import flow
from .recorders import Heard, Notes

SHORT = timedelta(seconds=0.05)


async def test_what_waits_is_handled() -> None:
    """Closing waits for handlers, the slow one and those behind it, and takes nothing more."""
    inbox, heard = CallbackInbox(concurrency=1), Heard()

    @inbox.on_flow
    async def slow(event: CallbackEvent[FlowRecord]) -> None:
        await asyncio.sleep(0.01)
        await heard(event)

    for number in range(3):
        inbox.receive(flow(identity=str(number)))
    closing = asyncio.create_task(inbox.aclose())
    await asyncio.sleep(0)
    assert inbox.receive(flow(identity="late")) is ReceiveResult.UNAVAILABLE
    assert inbox.receive(flow(identity="0")) is ReceiveResult.DUPLICATE
    await closing
    assert [event.tracking_id for event in heard.events] == ["0", "1", "2"]


async def test_what_takes_too_long() -> None:
    """After the grace, handlers are cancelled and what waits behind them is dropped; each is told of."""
    notes = Notes()
    inbox = CallbackInbox(concurrency=1, shutdown_timeout=SHORT, observers=[notes])

    @inbox.on_flow
    async def never(_event: CallbackEvent[FlowRecord]) -> None:
        await asyncio.Event().wait()

    for name in ("a", "b", "b", "c"):
        inbox.receive(flow(identity=name))
    inbox.receive(flow("InProgress", 5, identity="a"))
    await asyncio.sleep(0)
    await inbox.aclose()
    assert [error for _, error in notes.failed] == ["CancelledError"]
    lost = sorted(str(identity) for identity, _, lost in notes.dropped if lost)
    assert lost == ["a", "b", "c"]
    assert inbox.pending == 0


async def test_a_handler_that_will_not_end() -> None:
    """A handler that ignores its cancellation holds the shutdown up for another grace at most."""
    inbox, go = CallbackInbox(shutdown_timeout=SHORT), asyncio.Event()

    @inbox.on_flow
    async def stubborn(_event: CallbackEvent[FlowRecord]) -> None:
        while not go.is_set():
            try:
                await go.wait()
            except asyncio.CancelledError:
                continue

    inbox.receive(flow())
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await inbox.aclose()
    go.set()
    await asyncio.wait(inbox._tasks)


async def test_nobody_is_waited_for_who_is_not_there() -> None:
    """Events that nobody asked for hold no shutdown up; they are told of."""
    notes = Notes()
    inbox = CallbackInbox(observers=[notes], shutdown_timeout=timedelta(hours=1))
    inbox.receive(flow())
    async with asyncio.timeout(10):
        await inbox.aclose()
    assert [lost for _, _, lost in notes.dropped] == [True]


async def test_a_loop_that_has_not_begun() -> None:
    """A loop whose task was only just started gets what waits."""
    inbox = CallbackInbox()

    async def loop() -> list[str | None]:
        return [event.tracking_id async for event in inbox]

    looping = asyncio.create_task(loop())
    inbox.receive(flow())
    await inbox.aclose()
    assert await looping == ["t-1"]


async def test_a_loop_that_went_away() -> None:
    """A loop that stopped asking is waited for as long as the grace, and no longer."""
    inbox = CallbackInbox(shutdown_timeout=SHORT)
    inbox.receive(flow(identity="a"))
    async for event in inbox:
        assert event.tracking_id == "a"
        break
    inbox.receive(flow(identity="b"))
    await inbox.aclose()
    assert inbox.pending == 0


async def test_a_close_that_is_cancelled() -> None:
    """Whoever is cancelled in `aclose` leaves no handler running."""
    inbox, ended = CallbackInbox(), asyncio.Event()

    @inbox.on_flow
    async def never(_event: CallbackEvent[FlowRecord]) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    inbox.receive(flow())
    closing = asyncio.create_task(inbox.aclose())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    await asyncio.wait_for(ended.wait(), 10)


async def test_open_again() -> None:
    """A closed inbox is opened again by `async with`, and remembers what it handed out."""
    inbox = CallbackInbox()
    heard = Heard(inbox)
    async with inbox:
        inbox.receive(flow())
    await inbox.aclose()
    assert inbox.receive(flow(identity="other")) is ReceiveResult.UNAVAILABLE
    async with inbox:
        assert inbox.receive(flow()) is ReceiveResult.DUPLICATE
        assert inbox.receive(flow(identity="other")) is ReceiveResult.NEW
        await heard.count(2)
