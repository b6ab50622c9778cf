"""Callbacks of many flows, callbacks that were stored by an earlier run, and how the clock waits for them."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import attrs

from routee_failover.sandbox import Sandbox
from routee_failover.sandbox.callbacks import poster
from routee_failover.sandbox.simulation.scheduler import Scheduler
from routee_failover.sandbox.simulation.virtual_clock import VirtualClock
from routee_failover.sandbox.store import serialization
from routee_failover.sandbox.store.base import MemoryStore, T

from ..raw_http import open_caller
from .callback_receiver import Receiver, accept, single_viber, statuses

HOUR = timedelta(hours=1)
FLOWS = 1_000


async def test_slow_receiver_of_a_thousand_flows_gets_every_callback() -> None:
    """A slow receiver gets a limited number of callbacks at a time, and in the end those of all flows."""
    async with open_caller(speed=0, max_flows=FLOWS) as caller, Receiver() as slow, Receiver() as quick:
        slow.always = slow.hold
        body = single_viber(slow.url, strategy="OnCompletion")
        for batch in range(10):
            await asyncio.gather(*(caller.send("sendFailover", body) for _ in range(FLOWS // 10 - (batch == 0))))
        await accept(caller, "sendFailover", single_viber(quick.url, strategy="OnCompletion"))
        advancing = asyncio.create_task(caller.sandbox.advance(HOUR))
        await slow.received(poster.MAX_CONCURRENT_POSTS_PER_ORIGIN)
        await quick.received(1)  # scheduled last, and not held up
        assert len(slow.bodies) == poster.MAX_CONCURRENT_POSTS_PER_ORIGIN
        slow.release.set()
        await advancing
        assert slow.max_concurrent == poster.MAX_CONCURRENT_POSTS_PER_ORIGIN
        assert {body["trackingId"] for body in slow.bodies + quick.bodies} == {
            flow.id for flow in caller.sandbox.accepted
        }
        late = [record for record in caller.sandbox.callbacks if len(record.attempts) != 1]
        assert (late, len(caller.sandbox.callbacks)) == ([], FLOWS)


class _PreloadedStore(MemoryStore):
    """Store that contains these documents."""

    def __init__(self, documents: Sequence[str]) -> None:
        self._documents = documents

    def load(self, kind: str, type_: type[T]) -> list[T]:
        return [serialization.deserialize(text, type_) for text in self._documents]


async def test_callbacks_of_an_earlier_run_are_resumed() -> None:
    """Pending callbacks are posted when they are due, interrupted ones at once, those of unknown flows never."""
    async with open_caller(speed=0) as caller, Receiver(500, 500) as receiver:
        await accept(caller, "sendFailover", single_viber(receiver.url, "400"))
        await caller.sandbox.advance(timedelta(seconds=10))
        (flow,), stored = caller.sandbox.accepted, caller.sandbox.callbacks
        assert [(record.state, record.next_at) for record in stored] == [
            ("pending", 31.0),
            ("pending", 33.0),
            ("delivered", None),
        ]
        interrupted = attrs.evolve(stored[0], next_at=None)
        orphaned = attrs.evolve(stored[1], id="?", flow_id="?")
        async with Sandbox(speed=0) as later:
            later._flow_store.add(attrs.evolve(flow, accepted_at=-10.0))
            documents = [serialization.serialize(record) for record in (interrupted, stored[1], stored[2], orphaned)]
            later._callback_dispatcher.attach_store(_PreloadedStore(documents))
            await later.advance(HOUR)
            assert [[attempt.at for attempt in record.attempts] for record in later.callbacks] == [
                [1, 10],
                [3, 33],
                [6],
            ]
            assert {record.state for record in later.callbacks} == {"delivered"}
            assert [record.id for record in later.callbacks] == [record.id for record in stored]
        assert statuses(receiver.bodies) == ["QUEUED", "DELIVERED", "SEEN", "QUEUED", "DELIVERED"]


async def test_due_jobs_run_on_a_stopped_clock() -> None:
    """On a stopped clock, jobs that are due run at once, and later ones do not."""
    clock = VirtualClock(speed=0)
    scheduler = Scheduler(clock)
    scheduler.start()
    done = asyncio.Event()
    scheduler.call_at(1.0, lambda _due: done.clear())
    scheduler.call_at(0.0, lambda _due: done.set())
    await done.wait()
    await asyncio.sleep(0)
    assert (done.is_set(), clock.now()) == (True, 0.0)
    await scheduler.stop()


async def test_advance_waits_for_running_jobs() -> None:
    """`advance` waits for jobs that started before it, or meanwhile on a stopped clock, before the clock moves on."""
    clock = VirtualClock(speed=0)
    scheduler = Scheduler(clock)
    scheduler.start()
    started, may_finish = asyncio.Event(), asyncio.Event()
    ended_at: list[float] = []

    async def run_until_allowed() -> None:
        started.set()
        await may_finish.wait()
        ended_at.append(clock.now())

    scheduler.call_at(0.0, lambda _due: run_until_allowed())
    await started.wait()
    advancing = asyncio.create_task(scheduler.advance(10.0))
    await asyncio.sleep(0)
    scheduler.call_at(0.0, lambda _due: run_until_allowed())
    await asyncio.sleep(0.01)  # a timer has fired by then
    assert clock.now() == 0.0
    may_finish.set()
    await advancing
    assert (ended_at, clock.now()) == ([0.0, 0.0], 10.0)
    await scheduler.stop()
