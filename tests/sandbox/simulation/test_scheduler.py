"""The scheduler: jobs run in order and at their own time, however the time passes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest

from routee_failover.sandbox.simulation import scheduler as scheduler_module
from routee_failover.sandbox.simulation.scheduler import Scheduler
from routee_failover.sandbox.simulation.virtual_clock import VirtualClock


class ManualClock:
    """Monotonic clock that a test sets by hand."""

    def __init__(self) -> None:
        self.real = 100.0

    def __call__(self) -> float:
        """Return the real time."""
        return self.real


class CallRecorder:
    """Records calls of jobs, with their due time and the reading of the clock."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.calls: list[tuple[str, float, float]] = []
        self.more = asyncio.Event()

    def job(self, name: str) -> Callable[[float], None]:
        """Return a job that records its call."""

        def record(due: float) -> None:
            self.calls.append((name, due, self._clock.now()))
            self.more.set()

        return record

    async def wait_for(self, count: int) -> None:
        """Wait for this many calls."""
        while len(self.calls) < count:
            self.more.clear()
            await asyncio.wait_for(self.more.wait(), 5)


@asynccontextmanager
async def run_scheduler(speed: float, **options: Any) -> AsyncIterator[tuple[VirtualClock, Scheduler, CallRecorder]]:
    """Run a scheduler at this speed."""
    clock = VirtualClock(speed, **options)
    scheduler = Scheduler(clock)
    scheduler.start()
    try:
        yield clock, scheduler, CallRecorder(clock)
    finally:
        await scheduler.stop()


@contextmanager
def collect_loop_errors() -> Iterator[list[BaseException]]:
    """Yield the exceptions in the loop's own callbacks."""
    loop, errors = asyncio.get_running_loop(), list[BaseException]()
    loop.set_exception_handler(lambda _, context: errors.append(context["exception"]))
    yield errors
    loop.set_exception_handler(None)


async def test_advance_runs_jobs_in_order_at_their_due_times() -> None:
    """When the clock is advanced, it stops at each due time; jobs with the same due time run in turn."""
    async with run_scheduler(0) as (clock, scheduler, recorder):
        for due, name in ((5.0, "c"), (2.0, "a"), (5.0, "d"), (2.5, "b"), (9.1, "late")):
            scheduler.call_at(due, recorder.job(name))
        assert scheduler.next_due == 2.0
        await scheduler.advance(9.0)
        assert recorder.calls == [("a", 2.0, 2.0), ("b", 2.5, 2.5), ("c", 5.0, 5.0), ("d", 5.0, 5.0)]
        assert (clock.now(), scheduler.next_due) == (9.0, 9.1)


async def test_advance_waits_for_coroutines_and_runs_what_they_schedule() -> None:
    """A coroutine is waited for, and jobs that it schedules run in the same advance."""
    async with run_scheduler(0) as (clock, scheduler, recorder):

        async def slow() -> None:
            for _ in range(5):
                await asyncio.sleep(0)
            recorder.job("slow")(clock.now())
            scheduler.call_at(clock.now() + 1.0, recorder.job("next"))

        scheduler.call_at(1.0, lambda _due: slow())
        scheduler.call_at(1.5, recorder.job("other"))
        await scheduler.advance(10.0)
    assert [(name, now) for name, _, now in recorder.calls] == [("slow", 1.0), ("other", 1.5), ("next", 2.0)]


async def test_advance_waits_for_jobs_that_started_before() -> None:
    """Jobs that started before an advance finish before the clock moves."""
    async with run_scheduler(1.0) as (clock, scheduler, recorder):
        may_finish = asyncio.Event()

        async def slow() -> None:
            await may_finish.wait()
            recorder.job("slow")(0.0)

        scheduler.call_at(0.0, lambda _due: slow())
        await asyncio.sleep(0.01)
        advancing = asyncio.create_task(scheduler.advance(1000.0))
        await asyncio.sleep(0.01)
        assert clock.now() < 1000.0
        may_finish.set()
        await advancing
        assert clock.now() >= 1000.0


async def test_jobs_run_as_the_clock_runs() -> None:
    """On a running clock, jobs run when they are due, in whatever order they were scheduled."""
    async with run_scheduler(1_000.0) as (_, scheduler, recorder):
        scheduler.call_at(60.0, recorder.job("second"))
        scheduler.call_at(90.0, recorder.job("third"))
        scheduler.call_at(30.0, recorder.job("first"))
        await recorder.wait_for(3)
    assert [(name, due) for name, due, _ in recorder.calls] == [("first", 30.0), ("second", 60.0), ("third", 90.0)]
    assert all(due <= now for _, due, now in recorder.calls)


async def test_job_due_in_the_past_runs_at_once() -> None:
    """A job that is already due runs at once, on a stopped clock as on a running one."""
    for speed in (0.0, 1.0):
        for due in (2.0, 5.0):
            async with run_scheduler(speed, monotonic=ManualClock()) as (clock, scheduler, recorder):
                clock.advance(5.0)
                scheduler.call_at(due, recorder.job("run by the timer"))
                await recorder.wait_for(1)
                scheduler.call_at(due, recorder.job("run by run_due_jobs"))
                scheduler.run_due_jobs()
                assert len(recorder.calls) == 2


async def test_speed_change_moves_the_due_time() -> None:
    """A change of speed moves the real time of due jobs: on a stopped clock they wait, and keep the remaining time."""
    manual_clock = ManualClock()
    async with run_scheduler(1.0, monotonic=manual_clock) as (clock, scheduler, recorder):
        scheduler.call_at(10.0, recorder.job("due"))
        manual_clock.real += 4.0
        scheduler.set_speed(0.0)
        assert scheduler._timer is None
        manual_clock.real += 1_000.0
        scheduler.set_speed(100_000.0)
        assert clock.now() == 4.0
        manual_clock.real += 0.0001
        await recorder.wait_for(1)
        with pytest.raises(ValueError, match="speed"):
            scheduler.set_speed(-1.0)


async def test_timer_delay_is_limited_for_distant_jobs() -> None:
    """An event loop does not accept timers of any length: a job due in a thousand years is checked again tomorrow."""
    async with run_scheduler(1.0) as (_, scheduler, recorder):
        scheduler.call_at(1e12, recorder.job("far"))
        assert scheduler._timer is not None
        assert scheduler._timer.when() - asyncio.get_running_loop().time() <= 24 * 3600 + 1
        scheduler._timer.cancel()
        scheduler._on_timer()
        assert scheduler._timer is not None
    assert recorder.calls == []


async def test_stop_cancels_running_jobs_and_ends_an_advance() -> None:
    """After a stop no job runs, running ones are cancelled, and an advance returns."""
    async with run_scheduler(0) as (clock, scheduler, recorder):
        started = asyncio.Event()
        scheduler.call_at(1.0, lambda _due: _wait(started, asyncio.Event()))
        scheduler.call_at(2.0, recorder.job("never"))
        advancing = asyncio.create_task(scheduler.advance(10.0))
        await started.wait()
        await scheduler.stop()
        await advancing
        assert (recorder.calls, scheduler.next_due, clock.now()) == ([], 2.0, 1.0)
        scheduler.start()
        await scheduler.advance(1.0)
        assert recorder.calls == [("never", 2.0, 2.0)]


async def test_scheduler_that_is_not_started_runs_jobs_in_advance_only() -> None:
    """A scheduler that was not started runs jobs in `advance` only."""
    clock = VirtualClock(1e6)
    scheduler, recorder = Scheduler(clock), CallRecorder(clock)
    scheduler.call_at(0.0, recorder.job("due"))
    await asyncio.sleep(0.001)
    assert recorder.calls == []
    await scheduler.advance(0.0)
    assert len(recorder.calls) == 1
    scheduler.call_at(clock.now() + 1e9, recorder.job("gone"))
    scheduler.clear()
    assert scheduler.next_due is None


async def test_concurrent_advances_add_up() -> None:
    """Two concurrent advances advance the clock by their sum."""
    async with run_scheduler(0) as (clock, scheduler, recorder):
        for due in (1.0, 3.0):
            scheduler.call_at(due, lambda _due: asyncio.sleep(0))
        scheduler.call_at(3.0, recorder.job("due"))
        await asyncio.gather(scheduler.advance(2.0), scheduler.advance(2.0))
        assert clock.now() == 4.0
        assert recorder.calls == [("due", 3.0, 3.0)]
        with pytest.raises(ValueError, match="only be advanced"):
            await scheduler.advance(-1.0)


async def test_jobs_added_during_an_advance_are_run_by_it() -> None:
    """A job that becomes due during an advance of a stopped clock is run by the advance, in order, not by a timer."""
    async with run_scheduler(0) as (_, scheduler, recorder):
        started, may_finish = asyncio.Event(), asyncio.Event()
        scheduler.call_at(1.0, lambda _due: _wait(started, may_finish))
        scheduler.call_at(2.0, recorder.job("later"))
        advancing = asyncio.create_task(scheduler.advance(5.0))
        await started.wait()
        scheduler.call_at(0.5, recorder.job("earlier"))
        await asyncio.sleep(0.01)
        assert recorder.calls == []
        may_finish.set()
        await advancing
    assert [(name, now) for name, _, now in recorder.calls] == [("earlier", 1.0), ("later", 2.0)]


async def _wait(started: asyncio.Event, may_finish: asyncio.Event) -> None:
    started.set()
    await may_finish.wait()


async def test_job_that_raises_does_not_stop_the_others() -> None:
    """An exception in a job is reported to the loop, or raised by `advance`, and the next jobs run."""
    async with run_scheduler(1.0) as (_, scheduler, recorder):

        def failing_job(_due: float) -> None:
            raise LookupError

        with collect_loop_errors() as errors:
            scheduler.call_at(0.0, failing_job)
            scheduler.call_at(0.0, recorder.job("next"))
            await recorder.wait_for(1)
        assert [type(error) for error in errors] == [LookupError]
        scheduler.call_at(10.0, failing_job)
        with pytest.raises(LookupError):
            await scheduler.advance(20.0)
        await scheduler.advance(0.0)


async def test_many_due_jobs_yield_to_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """When many jobs are due at once, other tasks of the loop run in between; `run_due_jobs` runs all of them."""
    monkeypatch.setattr(scheduler_module, "_MAX_JOBS_PER_TURN", 10)
    async with run_scheduler(1.0) as (clock, scheduler, recorder):
        for number in range(35):
            scheduler.call_at(0.0, recorder.job(str(number)))
        await asyncio.sleep(0)
        assert len(recorder.calls) < 35
        await recorder.wait_for(35)
        for number in range(35):
            scheduler.call_at(clock.now(), recorder.job(str(number)))
        scheduler.run_due_jobs()
        assert [name for name, _, _ in recorder.calls] == [str(number) for number in range(35)] * 2


async def test_jobs_of_cancelled_owners_are_purged(monkeypatch: pytest.MonkeyPatch) -> None:
    """The jobs of cancelled owners are purged in time; those of others run."""
    monkeypatch.setattr(scheduler_module, "_PURGE_THRESHOLD", 10)
    async with run_scheduler(0) as (_, scheduler, recorder):
        scheduler.call_at(5.0, recorder.job("without owner"))
        for number in range(100):
            scheduler.call_at(1e6 + number, recorder.job(str(number)), str(number))
            scheduler.call_at(2e6 + number, recorder.job(str(number)), str(number))
        for number in range(95):
            scheduler.cancel(str(number))
        assert len(scheduler._due) == 1 + 2 * 10
        await scheduler.advance(3e6)
        assert {name for name, _, _ in recorder.calls} >= {"without owner", *map(str, range(95, 100))}
        assert len(recorder.calls) == 1 + 2 * 10


async def test_running_jobs_of_cancelled_owners_are_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The running jobs of cancelled owners are cancelled in time, and do not hold up the clock."""
    monkeypatch.setattr(scheduler_module, "_PURGE_THRESHOLD", 2)
    async with run_scheduler(0) as (clock, scheduler, _):
        cancelled_started, kept_started, may_finish = asyncio.Event(), asyncio.Event(), asyncio.Event()
        scheduler.call_at(0.0, lambda _due: _wait(cancelled_started, asyncio.Event()), "cancelled")
        scheduler.call_at(0.0, lambda _due: _wait(kept_started, may_finish), "kept")
        advancing = asyncio.create_task(scheduler.advance(5.0))
        await asyncio.gather(cancelled_started.wait(), kept_started.wait())
        cancelled_task, kept_task = scheduler._running
        scheduler.cancel("cancelled")
        scheduler.cancel("unknown")
        await asyncio.wait([cancelled_task])
        assert (cancelled_task.cancelled(), kept_task.done()) == (True, False)
        may_finish.set()
        await advancing
        assert clock.now() == 5.0


async def test_advance_reaches_due_times_that_float_sums_miss() -> None:
    """The clock stops at the due time itself, even if no sum of floats equals it."""
    clock = VirtualClock(0)
    clock.advance(3.2514292876116)
    scheduler, calls = Scheduler(clock), list[float]()
    scheduler.call_at(156.69739298646667, calls.append)
    async with asyncio.timeout(30):
        await scheduler.advance(5000)
    assert calls == [pytest.approx(156.697393)]
    assert clock.now() == pytest.approx(5003.251429)


async def test_ten_small_advances_reach_the_due_time() -> None:
    """Ten advances of a tenth of a second are a second: the job that is due then runs."""
    clock = VirtualClock(0)
    scheduler, calls = Scheduler(clock), list[float]()
    scheduler.call_at(1.0, calls.append)
    for _ in range(10):
        await scheduler.advance(0.1)
    assert (clock.now(), calls) == (1.0, [1.0])
