"""Callbacks of many flows, callbacks that were kept from an earlier run, and how the clock waits for them."""

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

from ..raw_http import calling
from .callback_receiver import Receiver, accepted, single, statuses

HOUR = timedelta(hours=1)
FLOWS = 1_000


async def test_a_thousand_flows_and_a_slow_receiver() -> None:
    """A receiver that takes its time is called by a few at once, and gets what every flow has to tell."""
    async with calling(speed=0, max_flows=FLOWS) as caller, Receiver() as slow, Receiver() as quick:
        slow.always = slow.hold
        body = single(slow.url, strategy="OnCompletion")
        for batch in range(10):
            await asyncio.gather(*(caller.send("sendFailover", body) for _ in range(FLOWS // 10 - (batch == 0))))
        await accepted(caller, "sendFailover", single(quick.url, strategy="OnCompletion"))
        advancing = asyncio.create_task(caller.sandbox.advance(HOUR))
        await slow.received(poster.MAX_CONCURRENT_POSTS_PER_ORIGIN)
        await quick.received(1)  # the last one in the row, and not held up
        assert len(slow.bodies) == poster.MAX_CONCURRENT_POSTS_PER_ORIGIN
        slow.let_go.set()
        await advancing
        assert slow.most_at_once == poster.MAX_CONCURRENT_POSTS_PER_ORIGIN
        assert {body["trackingId"] for body in slow.bodies + quick.bodies} == {
            one.id for one in caller.sandbox.accepted
        }
        late = [one for one in caller.sandbox.callbacks if len(one.attempts) != 1]
        assert (late, len(caller.sandbox.callbacks)) == ([], FLOWS)


class _PreloadedStore(MemoryStore):
    """A store that has these documents from before."""

    def __init__(self, written: Sequence[str]) -> None:
        self._written = written

    def load(self, kind: str, type_: type[T]) -> list[T]:
        return [serialization.deserialize(text, type_) for text in self._written]


async def test_taken_up_again() -> None:
    """What an earlier run left waiting is posted in its time, what it was about to post at once, the rest never."""
    async with calling(speed=0) as caller, Receiver(500, 500) as receiver:
        await accepted(caller, "sendFailover", single(receiver.url, "400"))
        await caller.sandbox.advance(timedelta(seconds=10))
        (flow,), kept = caller.sandbox.accepted, caller.sandbox.callbacks
        assert [(one.state, one.next_at) for one in kept] == [("pending", 31.0), ("pending", 33.0), ("delivered", None)]
        interrupted = attrs.evolve(kept[0], next_at=None)
        forgotten = attrs.evolve(kept[1], id="?", flow_id="?")
        async with Sandbox(speed=0) as later:
            later._flow_store.add(attrs.evolve(flow, accepted_at=-10.0))
            written = [serialization.serialize(one) for one in (interrupted, kept[1], kept[2], forgotten)]
            later._callback_dispatcher.attach_store(_PreloadedStore(written))
            await later.advance(HOUR)
            assert [[attempt.at for attempt in one.attempts] for one in later.callbacks] == [[1, 10], [3, 33], [6]]
            assert {one.state for one in later.callbacks} == {"delivered"}
            assert [one.id for one in later.callbacks] == [one.id for one in kept]
        assert statuses(receiver.bodies) == ["QUEUED", "DELIVERED", "SEEN", "QUEUED", "DELIVERED"]


async def test_what_is_due_now_is_done_on_a_standing_clock() -> None:
    """On a frozen clock, what is due has its turn at once, and what is due later has to wait."""
    clock = VirtualClock(speed=0)
    agenda = Scheduler(clock)
    agenda.start()
    done = asyncio.Event()
    agenda.call_at(1.0, lambda _due: done.clear())
    agenda.call_at(0.0, lambda _due: done.set())
    await done.wait()
    await asyncio.sleep(0)
    assert (done.is_set(), clock.now()) == (True, 0.0)
    await agenda.stop()


async def test_the_clock_waits_for_what_is_under_way() -> None:
    """`advance` lets what began before it, or meanwhile on a standing clock, come to its end before time goes on."""
    clock = VirtualClock(speed=0)
    agenda = Scheduler(clock)
    agenda.start()
    begun, go = asyncio.Event(), asyncio.Event()
    ended_at: list[float] = []

    async def take_time() -> None:
        begun.set()
        await go.wait()
        ended_at.append(clock.now())

    agenda.call_at(0.0, lambda _due: take_time())
    await begun.wait()
    advancing = asyncio.create_task(agenda.advance(10.0))
    await asyncio.sleep(0)
    agenda.call_at(0.0, lambda _due: take_time())
    await asyncio.sleep(0.01)  # a timer has fired by then
    assert clock.now() == 0.0
    go.set()
    await advancing
    assert (ended_at, clock.now()) == ([0.0, 0.0], 10.0)
    await agenda.stop()
