"""Scheduler of the virtual clock: runs jobs in order, each at its own virtual time, however the time passes.

It is separate from the clock, which only tells the time, and from the flows, which only know when they change.
"""

import asyncio
import heapq
import itertools
from collections.abc import Callable, Coroutine
from typing import Any

from .virtual_clock import VirtualClock, round_to_microseconds, validate_advance

Job = Callable[[float], Coroutine[Any, Any, None] | None]
"""Function that runs when it is due, with its due time as argument. A coroutine that it returns is awaited by the
scheduler, and must not wait for this clock.
"""


class Scheduler:
    """Runs due jobs: as the clock runs, between `start` and `stop`; and in `advance`, due time by due time."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._due: list[tuple[float, int, Job, str | None]] = []
        self._cancelled_owners: set[str] = set()
        self._sequence = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped = False
        self._running: dict[asyncio.Task[None], str | None] = {}
        self._advancing = asyncio.Lock()

    def start(self) -> None:
        """Run due jobs as time passes, from now on. It needs the running loop."""
        self._loop = asyncio.get_running_loop()
        self._stopped = False
        self._set_timer()

    async def stop(self) -> None:
        """Run no more jobs, and cancel those that are running."""
        self._loop, self._stopped = None, True
        self._stop_timer()
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def call_at(self, due_at: float, job: Job, owner: str | None = None) -> None:
        """Run the job when the clock reads `due_at`, or soon if that has passed.

        `owner` is the id of the object that the job belongs to: `cancel` cancels the jobs of an owner.
        """
        due_at = round_to_microseconds(due_at)
        heapq.heappush(self._due, (due_at, next(self._sequence), job, owner))
        if self._due[0][0] == due_at:
            self._set_timer()

    @property
    def next_due(self) -> float | None:
        """Due time of the next job, or None; in the past when the job has not run yet."""
        return self._due[0][0] if self._due else None

    def cancel(self, owner: str) -> None:
        """Mark the jobs of this owner, queued and running, as cancelled: the next purge drops them.

        There is a purge for every `_PURGE_THRESHOLD` cancelled owners; until then their jobs may still run. A job may
        be due in years, or wait for ever: without a purge, the jobs of deleted flows would pile up.
        """
        self._cancelled_owners.add(owner)
        if len(self._cancelled_owners) >= _PURGE_THRESHOLD:
            self._due = [entry for entry in self._due if entry[3] not in self._cancelled_owners]
            heapq.heapify(self._due)
            for task, owned_by in self._running.items():
                if owned_by in self._cancelled_owners:
                    task.cancel()
            self._cancelled_owners.clear()

    def clear(self) -> None:
        """Drop all queued jobs; running ones continue."""
        self._due.clear()
        self._cancelled_owners.clear()
        self._stop_timer()

    def set_speed(self, speed: float) -> None:
        """Change the speed of the clock. Raises `ValueError` for an invalid speed."""
        self._clock.set_speed(speed)
        self._stop_timer()
        self._set_timer()

    def run_due_jobs(self) -> None:
        """Run the jobs that are due but have not run yet."""
        while self._due and self._due[0][0] <= self._clock.now():
            self._run_due_batch()

    async def advance(self, seconds: float) -> None:
        """Advance the clock by this many virtual seconds, stopping at each time at which a job is due.

        The clock moves on once the due jobs, coroutines included, have finished. Raises `ValueError` for a negative or
        non-finite number.
        """
        validate_advance(seconds)
        async with self._advancing:
            try:
                target = round_to_microseconds(self._clock.now() + seconds)
                await self._wait_for_running()
                while self._due and (due_at := self._due[0][0]) <= target and not self._stopped:
                    self._clock.advance_to(due_at)
                    while self._due and self._due[0][0] <= due_at:  # run all of them before waiting for any of them
                        self._run_due_batch()
                        await asyncio.sleep(0)
                    await self._wait_for_running()
                if not self._stopped:
                    self._clock.advance_to(target)
            finally:
                self._stop_timer()
                self._set_timer()

    async def _wait_for_running(self) -> None:
        """Wait for the running jobs. On a running clock more may start meanwhile; those are not waited for."""
        await asyncio.sleep(0)  # let the subscribers of what was published run first
        if self._running:
            await asyncio.wait(self._running)

    def _run_due_batch(self) -> None:
        now = self._clock.now()
        for _ in range(_MAX_JOBS_PER_TURN):
            if not self._due or self._due[0][0] > now:
                return
            due, _, job, owner = heapq.heappop(self._due)
            coroutine = job(due)
            if coroutine is not None:
                task = asyncio.get_running_loop().create_task(coroutine)
                self._running[task] = owner
                task.add_done_callback(self._running.pop)

    def _set_timer(self) -> None:
        if self._loop is None or not self._due:
            return
        due = self._due[0][0]
        left = due - self._clock.now()
        if self._clock.speed == 0 and left > 0:
            return
        if self._timer is not None:
            if self._timer_due <= due:
                return
            self._timer.cancel()
        self._timer_due = due
        delay = min(left / self._clock.speed, _MAX_TIMER_DELAY) if left > 0 else 0.0
        self._timer = self._loop.call_later(delay, self._on_timer)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_timer(self) -> None:
        self._timer = None
        if self._clock.speed == 0 and self._advancing.locked():
            return  # `advance` runs the due jobs, and waits for them
        try:
            self._run_due_batch()
        finally:  # a job that raises does not delay the others
            self._set_timer()


_PURGE_THRESHOLD = 1_000  # cancelled owners; a purge goes through the whole queue, so it is done only now and then
_MAX_JOBS_PER_TURN = 500  # so that other tasks of the loop run before the rest
_MAX_TIMER_DELAY = 24 * 3600.0  # real seconds; an event loop does not accept timers of any length
