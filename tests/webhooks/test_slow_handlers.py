"""Handlers that run long are reported: enough of them stop an inbox."""

import asyncio
import logging
from datetime import timedelta
from typing import Any

import pytest

from routee_failover import CallbackEvent, CallbackInbox, FlowRecord, LoggingObserver
from routee_failover.events import HandlerSlow

from .payloads import PHONE, PIN, WORDS, flow, inbound
from .recorders import RecordingHandler, RecordingObserver

SHORT = timedelta(seconds=0.02)


def slow_events(observer: RecordingObserver) -> list[HandlerSlow]:
    """Return the events about slow handlers."""
    return [event for event in observer.events if isinstance(event, HandlerSlow)]


async def wait_for_slow(observer: RecordingObserver, number: int) -> list[HandlerSlow]:
    """Wait for a number of events about slow handlers."""
    async with asyncio.timeout(10):
        while len(slow_events(observer)) < number:
            observer.received.clear()
            await observer.received.wait()
    return slow_events(observer)


async def test_handlers_that_hang_are_each_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    """Ten handlers that hang, and so stop all others, are each reported once by name, without anything secret."""
    observer, proceed, recorder = RecordingObserver(), asyncio.Event(), RecordingHandler()
    async with CallbackInbox(slow_handler_after=SHORT, observers=[observer, LoggingObserver()]) as inbox:

        @inbox.on_flow
        async def hang(event: CallbackEvent[FlowRecord]) -> None:
            await proceed.wait()
            await recorder(event)

        @inbox.on_inbound
        async def hang_too(_event: Any) -> None:
            await proceed.wait()

        inbox.receive(inbound(WORDS), reference="a reference")
        for number in range(12):
            inbox.receive(flow(tracking_id=str(number), message=WORDS, to=PHONE), reference="a reference")
        events = await wait_for_slow(observer, 10)
        assert sorted(str(event.tracking_id) for event in events) == sorted([*map(str, range(9)), "None"])
        assert {event.handler.rpartition(".")[2] for event in events} == {"hang", "hang_too"}
        assert all(event.seconds >= SHORT.total_seconds() - 0.001 for event in events)
        await asyncio.sleep(2 * SHORT.total_seconds())
        assert len(slow_events(observer)) == 10
        proceed.set()
        await recorder.wait_for(12)
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len([line for line in lines if "has been running for" in line]) >= 10
    for secret in (PIN, PHONE, PHONE[1:], WORDS, "a reference"):
        assert secret not in caplog.text + repr(observer.events)


async def test_second_handler_and_later_callback_are_watched_as_well() -> None:
    """Each handler of a callback is watched by itself, and so is each callback after a quiet time."""
    observer, proceed = RecordingObserver(), asyncio.Semaphore(0)
    async with CallbackInbox(slow_handler_after=SHORT, observers=[observer]) as inbox:

        @inbox.on_flow
        async def first(_event: CallbackEvent[FlowRecord]) -> None:
            await proceed.acquire()

        @inbox.on_flow
        async def second(_event: CallbackEvent[FlowRecord]) -> None:
            await proceed.acquire()

        recorder = RecordingHandler(inbox)
        for number in range(2):
            inbox.receive(flow(tracking_id=str(number)))
            for handler in (1, 2):
                await wait_for_slow(observer, 2 * number + handler)
                proceed.release()
            await recorder.wait_for(number + 1)
    assert [event.handler.rpartition(".")[2] for event in slow_events(observer)] == ["first", "second"] * 2


async def test_quick_handlers_are_not_reported_and_no_timer_is_left() -> None:
    """Handlers that are quick are not reported, and a closed inbox leaves no timer in the event loop."""
    observer, loop = RecordingObserver(), asyncio.get_running_loop()
    timers = len(loop._scheduled)  # type: ignore[attr-defined]
    async with CallbackInbox(observers=[observer]) as inbox:
        handler = RecordingHandler(inbox)
        for number in range(50):
            inbox.receive(flow(tracking_id=str(number)))
        await handler.wait_for(50)
    assert slow_events(observer) == []
    left = [timer for timer in loop._scheduled if not timer.cancelled()]  # type: ignore[attr-defined]
    assert len(left) <= timers
