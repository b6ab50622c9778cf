"""What is due when on the virtual clock: it is done in order, each thing at its own moment, however time passes.

It stands between the clock, which only tells the time, and the flows, which only say when something becomes of them.
"""

import asyncio
import heapq
import itertools
from collections.abc import Callable, Coroutine
from typing import Any

from .virtual_clock import VirtualClock, round_to_microseconds, validate_advance

Job = Callable[[float], Coroutine[Any, Any, None] | None]
"""What is done when it is due; it is told the moment. What it returns to be awaited must not wait for this clock."""


class Scheduler:
    """Does what is due: as the clock runs, between `start` and `stop`; and in `advance`, moment by moment."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._due: list[tuple[float, int, Job, str | None]] = []
        self._cancelled_owners: set[str] = set()
        self._number = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped = False
        self._running: dict[asyncio.Task[None], str | None] = {}
        self._advancing = asyncio.Lock()

    def start(self) -> None:
        """From now on, do what is due as time passes of itself. It needs the running loop."""
        self._loop = asyncio.get_running_loop()
        self._stopped = False
        self._set_timer()

    async def stop(self) -> None:
        """Do nothing more, and end what is under way."""
        self._loop, self._stopped = None, True
        self._stop_timer()
        under_way = list(self._running)
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    def call_at(self, due_at: float, job: Job, owner: str | None = None) -> None:
        """Have this done when the clock reads `due`; at once, or nearly so, when it has passed.

        `owner` is the id of what it is done for: it may not be done when that is forgotten first.
        """
        due_at = round_to_microseconds(due_at)
        heapq.heappush(self._due, (due_at, next(self._number), job, owner))
        if self._due[0][0] == due_at:
            self._set_timer()

    @property
    def next_due(self) -> float | None:
        """When something is due next; in the past when its turn has not come yet."""
        return self._due[0][0] if self._due else None

    def cancel(self, owner: str) -> None:
        """Let go in time of what is to be done for this one, and of what is under way: it may be due in years, or wait
        for ever, and others come.
        """  # noqa: D205
        self._cancelled_owners.add(owner)
        if len(self._cancelled_owners) >= _PURGE_THRESHOLD:
            self._due = [entry for entry in self._due if entry[3] not in self._cancelled_owners]
            heapq.heapify(self._due)
            for task, owned_by in self._running.items():
                if owned_by in self._cancelled_owners:
                    task.cancel()
            self._cancelled_owners.clear()

    def clear(self) -> None:
        """Forget what was to be done; what is under way goes on."""
        self._due.clear()
        self._cancelled_owners.clear()
        self._stop_timer()

    def set_speed(self, speed: float) -> None:
        """Let time pass at another speed from now on. Raises `ValueError` for one that cannot be."""
        self._clock.set_speed(speed)
        self._stop_timer()
        self._set_timer()

    def run_due_jobs(self) -> None:
        """Do what is due by now, if its turn has not come yet."""
        while self._due and self._due[0][0] <= self._clock.now():
            self._run_due_batch()

    async def advance(self, seconds: float) -> None:
        """Let so many virtual seconds pass at once: the clock stops at each moment at which something is due.

        It goes on when what was due has been done to its end. Raises `ValueError` for what would put the clock back.
        """
        validate_advance(seconds)
        async with self._advancing:
            try:
                target = round_to_microseconds(self._clock.now() + seconds)
                await self._wait_for_running()
                while self._due and (moment := self._due[0][0]) <= target and not self._stopped:
                    self._clock.advance_to(moment)
                    while self._due and self._due[0][0] <= moment:  # all of it, before any of it is waited for
                        self._run_due_batch()
                        await asyncio.sleep(0)
                    await self._wait_for_running()
                if not self._stopped:
                    self._clock.advance_to(target)
            finally:
                self._stop_timer()
                self._set_timer()

    async def _wait_for_running(self) -> None:
        """What is under way now has ended; on a clock that runs there may be more by then, and no end to waiting."""
        await asyncio.sleep(0)  # whoever listens to what was done has a turn
        if self._running:
            await asyncio.wait(self._running)

    def _run_due_batch(self) -> None:
        now = self._clock.now()
        for _ in range(_MAX_JOBS_PER_TURN):
            if not self._due or self._due[0][0] > now:
                return
            due, _, deed, owner = heapq.heappop(self._due)
            to_await = deed(due)
            if to_await is not None:
                task = asyncio.get_running_loop().create_task(to_await)
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
        self._timer = self._loop.call_later(delay, self._tick)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        self._timer = None
        if self._clock.speed == 0 and self._advancing.locked():
            return  # `advance` does what is due, and waits for its end
        try:
            self._run_due_batch()
        finally:  # one that goes wrong does not keep the others waiting
            self._set_timer()


_PURGE_THRESHOLD = 1_000  # so that what all the others have to do is looked through now and then
_MAX_JOBS_PER_TURN = 500  # so that whoever else waits for the loop has a turn before the rest
_MAX_TIMER_DELAY = 24 * 3600.0  # real seconds; a loop takes no timer of any length
