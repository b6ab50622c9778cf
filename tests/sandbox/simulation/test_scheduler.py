"""What is due is done in order and at its own moment, however time passes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest

from routee_failover.sandbox.simulation import scheduler as agenda_module
from routee_failover.sandbox.simulation.scheduler import Scheduler
from routee_failover.sandbox.simulation.virtual_clock import VirtualClock


class ManualClock:
    """A clock's hand that one turns."""

    def __init__(self) -> None:
        self.real = 100.0

    def __call__(self) -> float:
        """The real time."""
        return self.real


class CallRecorder:
    """What was done, with the moment it was told and what the clock said."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.done: list[tuple[str, float, float]] = []
        self.more = asyncio.Event()

    def deed(self, name: str) -> Callable[[float], None]:
        """Something to do."""

        def do(due: float) -> None:
            self.done.append((name, due, self._clock.now()))
            self.more.set()

        return do

    async def wait_for(self, count: int) -> None:
        """Wait until so many things were done."""
        while len(self.done) < count:
            self.more.clear()
            await asyncio.wait_for(self.more.wait(), 5)


@asynccontextmanager
async def running(speed: float, **how: Any) -> AsyncIterator[tuple[VirtualClock, Scheduler, CallRecorder]]:
    """An agenda that runs at this speed."""
    clock = VirtualClock(speed, **how)
    agenda = Scheduler(clock)
    agenda.start()
    try:
        yield clock, agenda, CallRecorder(clock)
    finally:
        await agenda.stop()


@contextmanager
def broken_callbacks() -> Iterator[list[BaseException]]:
    """What went wrong in the loop's own callbacks."""
    loop, broken = asyncio.get_running_loop(), list[BaseException]()
    loop.set_exception_handler(lambda _, context: broken.append(context["exception"]))
    yield broken
    loop.set_exception_handler(None)


async def test_in_order_and_each_at_its_moment() -> None:
    """Put forward at once, the clock stops wherever something is due; what is due together is done in turn."""
    async with running(0) as (clock, agenda, seen):
        for due, name in ((5.0, "c"), (2.0, "a"), (5.0, "d"), (2.5, "b"), (9.1, "late")):
            agenda.call_at(due, seen.deed(name))
        assert agenda.next_due == 2.0
        await agenda.advance(9.0)
        assert seen.done == [("a", 2.0, 2.0), ("b", 2.5, 2.5), ("c", 5.0, 5.0), ("d", 5.0, 5.0)]
        assert (clock.now(), agenda.next_due) == (9.0, 9.1)


async def test_what_it_starts_ends_before_the_clock_moves_on() -> None:
    """A deed that takes its time is waited for, and what it puts down for later is done in the same advance."""
    async with running(0) as (clock, agenda, seen):

        async def slow() -> None:
            for _ in range(5):
                await asyncio.sleep(0)
            seen.deed("slow")(clock.now())
            agenda.call_at(clock.now() + 1.0, seen.deed("next"))

        agenda.call_at(1.0, lambda _due: slow())
        agenda.call_at(1.5, seen.deed("other"))
        await agenda.advance(10.0)
    assert [(name, now) for name, _, now in seen.done] == [("slow", 1.0), ("other", 1.5), ("next", 2.0)]


async def test_what_is_under_way_already_is_waited_for() -> None:
    """What began before an advance ends before the clock moves, too."""
    async with running(1.0) as (clock, agenda, seen):
        gate = asyncio.Event()

        async def slow() -> None:
            await gate.wait()
            seen.deed("slow")(0.0)

        agenda.call_at(0.0, lambda _due: slow())
        await asyncio.sleep(0.01)
        advancing = asyncio.create_task(agenda.advance(1000.0))
        await asyncio.sleep(0.01)
        assert clock.now() < 1000.0
        gate.set()
        await advancing
        assert clock.now() >= 1000.0


async def test_time_passes_of_itself() -> None:
    """On a clock that runs, what is due is done when its time has come, in whatever order it was put down."""
    async with running(1_000.0) as (_, agenda, seen):
        agenda.call_at(60.0, seen.deed("second"))
        agenda.call_at(90.0, seen.deed("third"))
        agenda.call_at(30.0, seen.deed("first"))
        await seen.wait_for(3)
    assert [(name, due) for name, due, _ in seen.done] == [("first", 30.0), ("second", 60.0), ("third", 90.0)]
    assert all(due <= now for _, due, now in seen.done)


async def test_a_moment_that_has_passed() -> None:
    """What is due by now is done at once, on a clock that stands still as on one that runs."""
    for speed in (0.0, 1.0):
        for due in (2.0, 5.0):
            async with running(speed, monotonic=ManualClock()) as (clock, agenda, seen):
                clock.advance(5.0)
                agenda.call_at(due, seen.deed("of itself"))
                await seen.wait_for(1)
                agenda.call_at(due, seen.deed("asked for"))
                agenda.run_due_jobs()
                assert len(seen.done) == 2


async def test_another_speed() -> None:
    """A change of speed moves what is due with it: frozen it waits, and goes on with the time that was left."""
    hand = ManualClock()
    async with running(1.0, monotonic=hand) as (clock, agenda, seen):
        agenda.call_at(10.0, seen.deed("due"))
        hand.real += 4.0
        agenda.set_speed(0.0)
        assert agenda._timer is None
        hand.real += 1_000.0
        agenda.set_speed(100_000.0)
        assert clock.now() == 4.0
        hand.real += 0.0001
        await seen.wait_for(1)
        with pytest.raises(ValueError, match="speed"):
            agenda.set_speed(-1.0)


async def test_a_far_moment() -> None:
    """No loop takes a timer of any length: what is due in a thousand years is looked at again tomorrow."""
    async with running(1.0) as (_, agenda, seen):
        agenda.call_at(1e12, seen.deed("far"))
        assert agenda._timer is not None
        assert agenda._timer.when() - asyncio.get_running_loop().time() <= 24 * 3600 + 1
        agenda._timer.cancel()
        agenda._tick()
        assert agenda._timer is not None
    assert seen.done == []


async def test_stop_ends_what_is_under_way() -> None:
    """Nothing is done after a stop, what is under way is cancelled, and an advance comes to its end."""
    async with running(0) as (clock, agenda, seen):
        begun = asyncio.Event()
        agenda.call_at(1.0, lambda _due: _waited(begun, asyncio.Event()))
        agenda.call_at(2.0, seen.deed("never"))
        advancing = asyncio.create_task(agenda.advance(10.0))
        await begun.wait()
        await agenda.stop()
        await advancing
        assert (seen.done, agenda.next_due, clock.now()) == ([], 2.0, 1.0)
        agenda.start()
        await agenda.advance(1.0)
        assert seen.done == [("never", 2.0, 2.0)]


async def test_before_the_start_nothing_is_done_of_itself() -> None:
    """An agenda that was not started is put forward all the same."""
    clock = VirtualClock(1e6)
    agenda, seen = Scheduler(clock), CallRecorder(clock)
    agenda.call_at(0.0, seen.deed("due"))
    await asyncio.sleep(0.001)
    assert seen.done == []
    await agenda.advance(0.0)
    assert len(seen.done) == 1
    agenda.call_at(clock.now() + 1e9, seen.deed("gone"))
    agenda.clear()
    assert agenda.next_due is None


async def test_advances_take_turns() -> None:
    """Two who put the clock forward at once put it forward by the sum."""
    async with running(0) as (clock, agenda, seen):
        for due in (1.0, 3.0):
            agenda.call_at(due, lambda _due: asyncio.sleep(0))
        agenda.call_at(3.0, seen.deed("due"))
        await asyncio.gather(agenda.advance(2.0), agenda.advance(2.0))
        assert clock.now() == 4.0
        assert seen.done == [("due", 3.0, 3.0)]
        with pytest.raises(ValueError, match="never back"):
            await agenda.advance(-1.0)


async def test_while_a_frozen_clock_is_put_forward_nobody_else_does_what_is_due() -> None:
    """What is put down for now during an advance is the advance's to do, in order, and not a timer's."""
    async with running(0) as (_, agenda, seen):
        begun, gate = asyncio.Event(), asyncio.Event()
        agenda.call_at(1.0, lambda _due: _waited(begun, gate))
        agenda.call_at(2.0, seen.deed("later"))
        advancing = asyncio.create_task(agenda.advance(5.0))
        await begun.wait()
        agenda.call_at(0.5, seen.deed("earlier"))
        await asyncio.sleep(0.01)
        assert seen.done == []
        gate.set()
        await advancing
    assert [(name, now) for name, _, now in seen.done] == [("earlier", 1.0), ("later", 2.0)]


async def _waited(begun: asyncio.Event, gate: asyncio.Event) -> None:
    begun.set()
    await gate.wait()


async def test_a_mistake_keeps_nobody_waiting() -> None:
    """A deed that goes wrong is told to the loop, or to whoever advances, and the next ones are done."""
    async with running(1.0) as (_, agenda, seen):

        def wrong(_due: float) -> None:
            raise LookupError

        with broken_callbacks() as broken:
            agenda.call_at(0.0, wrong)
            agenda.call_at(0.0, seen.deed("next"))
            await seen.wait_for(1)
        assert [type(one) for one in broken] == [LookupError]
        agenda.call_at(10.0, wrong)
        with pytest.raises(LookupError):
            await agenda.advance(20.0)
        await agenda.advance(0.0)


async def test_many_at_once_leave_others_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """However much is due at one moment, the loop turns in between; whoever has to be up to date does it all."""
    monkeypatch.setattr(agenda_module, "_MAX_JOBS_PER_TURN", 10)
    async with running(1.0) as (clock, agenda, seen):
        for number in range(35):
            agenda.call_at(0.0, seen.deed(str(number)))
        await asyncio.sleep(0)
        assert len(seen.done) < 35
        await seen.wait_for(35)
        for number in range(35):
            agenda.call_at(clock.now(), seen.deed(str(number)))
        agenda.run_due_jobs()
        assert [name for name, _, _ in seen.done] == [str(number) for number in range(35)] * 2


async def test_what_is_forgotten_takes_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was to be done for something that is forgotten is let go of in time; what others have to do is done."""
    monkeypatch.setattr(agenda_module, "_PURGE_THRESHOLD", 10)
    async with running(0) as (_, agenda, seen):
        agenda.call_at(5.0, seen.deed("nobody's"))
        for number in range(100):
            agenda.call_at(1e6 + number, seen.deed(str(number)), str(number))
            agenda.call_at(2e6 + number, seen.deed(str(number)), str(number))
        for number in range(95):
            agenda.cancel(str(number))
        assert len(agenda._due) == 1 + 2 * 10
        await agenda.advance(3e6)
        assert {name for name, _, _ in seen.done} >= {"nobody's", *map(str, range(95, 100))}
        assert len(seen.done) == 1 + 2 * 10


async def test_what_is_under_way_for_the_forgotten_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was begun for something that is forgotten is ended in time, and does not hold up the clock."""
    monkeypatch.setattr(agenda_module, "_PURGE_THRESHOLD", 2)
    async with running(0) as (clock, agenda, _):
        forgotten, kept, gate = asyncio.Event(), asyncio.Event(), asyncio.Event()
        agenda.call_at(0.0, lambda _due: _waited(forgotten, asyncio.Event()), "forgotten")
        agenda.call_at(0.0, lambda _due: _waited(kept, gate), "kept")
        advancing = asyncio.create_task(agenda.advance(5.0))
        await asyncio.gather(forgotten.wait(), kept.wait())
        ended, goes_on = agenda._running
        agenda.cancel("forgotten")
        agenda.cancel("nobody")
        await asyncio.wait([ended])
        assert (ended.cancelled(), goes_on.done()) == (True, False)
        gate.set()
        await advancing
        assert clock.now() == 5.0


async def test_a_moment_that_no_sum_hits() -> None:
    """Put forward from a crooked moment, the clock stands at the due moment itself, not a last bit before it."""
    clock = VirtualClock(0)
    clock.advance(3.2514292876116)
    agenda, done = Scheduler(clock), list[float]()
    agenda.call_at(156.69739298646667, done.append)
    async with asyncio.timeout(30):
        await agenda.advance(5000)
    assert done == [pytest.approx(156.697393)]
    assert clock.now() == pytest.approx(5003.251429)


async def test_small_steps_add_up() -> None:
    """Ten tenths of a second are a second: what is due then is done."""
    clock = VirtualClock(0)
    agenda, done = Scheduler(clock), list[float]()
    agenda.call_at(1.0, done.append)
    for _ in range(10):
        await agenda.advance(0.1)
    assert (clock.now(), done) == (1.0, [1.0])
