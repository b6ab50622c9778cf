"""Run control: pause, resume and stop of a run, its error budget and its stall timer."""

import asyncio
import time
from collections import deque
from typing import Any

from .settings import ErrorBudget


class RunControl:
    """Control of a run: whether another message may be sent.

    A run may be paused for several reasons at once; it resumes when none is left.
    """

    def __init__(self) -> None:
        self._reasons: dict[str, str] = {}
        self._changed = asyncio.Event()
        self.last_pause_reason: str = "nothing could be sent"
        """The most recent pause reason."""
        self.stopping: bool = False
        self.stop_reason: str | None = None

    @property
    def pause_reason(self) -> str | None:
        """The current pause reason; `None` while the run is not paused."""
        return next(iter(self._reasons.values()), None)

    @property
    def pause_kinds(self) -> set[str]:
        """The kinds of all current pause reasons."""
        return {*self._reasons}

    @property
    def may_send(self) -> bool:
        """Whether a message may be sent now."""
        return not self._reasons and not self.stopping

    def pause(self, kind: str, reason: str) -> None:
        """Send no new message until `resume` is called for this kind of reason."""
        self._reasons[kind] = self.last_pause_reason = reason
        self._wake()

    def resume(self, kind: str) -> None:
        """Remove the pause reason of a kind; the run resumes when no other is left."""
        if self._reasons.pop(kind, None) is not None:
            self._wake()

    def stop(self, reason: str | None = None) -> None:
        """Send no new message in this run."""
        if not self.stopping:
            self.stopping, self.stop_reason = True, reason
            self._wake()

    async def wait_until_allowed(self) -> bool:
        """Wait until a message may be sent; `False` once the run is stopped."""
        while self._reasons and not self.stopping:
            await self.wait_for_change()
        return not self.stopping

    async def wait_for_change(self, timeout: float | None = None) -> None:
        """Wait until the next change, or until the timeout in seconds."""
        event = self._changed
        try:
            async with asyncio.timeout(timeout):
                await event.wait()
        except TimeoutError:
            pass

    async def sleep(self, seconds: float) -> None:
        """Sleep for some seconds, or until the run is stopped."""
        until = time.monotonic() + seconds
        while not self.stopping and (remaining := until - time.monotonic()) > 0:
            await self.wait_for_change(remaining)

    async def wait_or_stop(self, future: "asyncio.Future[Any]") -> bool:
        """Wait for a future without cancelling it; `False` if the run is stopped before it is done."""
        while not future.done() and not self.stopping:
            change = asyncio.ensure_future(self._changed.wait())
            await asyncio.wait([future, change], return_when=asyncio.FIRST_COMPLETED)
            change.cancel()
        return future.done()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class ErrorBudgetTracker:
    """Tracker of an error budget: how much of it the most recent messages have spent."""

    def __init__(self, budget: ErrorBudget) -> None:
        self._budget = budget
        self._results: deque[bool] = deque(maxlen=budget.sample_size)
        self._failed = 0
        self._pause = self._first_pause = budget.pause.total_seconds()

    def record(self, *, failed: bool) -> bool:
        """Record the result of a message, and return whether the budget is exhausted."""
        results, budget = self._results, self._budget
        if len(results) == budget.sample_size and results[0]:
            self._failed -= 1
        results.append(failed)
        self._failed += failed
        if len(results) < budget.min_messages:
            return False
        if not failed:
            self._pause = self._first_pause
        return self._failed > budget.max_failure_share * len(results)

    def start_pause(self) -> tuple[float, int, int]:
        """Return the seconds to pause, the failures and the sample size, and start a new sample."""
        pause, failed, total = self._pause, self._failed, len(self._results)
        self._pause = min(2 * pause, 10 * self._first_pause)
        self._results.clear()
        self._failed = 0
        return pause, failed, total


class StallTimer:
    """Stall timer: the time that a run has spent waiting for external conditions since a message was last accepted."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._waited = 0.0
        self._updated_at = time.monotonic()

    def update(self, *, waiting: bool) -> None:
        """Record whether the time since the last update was spent waiting."""
        now = time.monotonic()
        self._waited += now - self._updated_at if waiting else 0.0
        self._updated_at = now

    def reset(self) -> None:
        """Reset the timer: a message was accepted."""
        self._waited = 0.0

    @property
    def expired(self) -> bool:
        """Whether the run has waited for the whole timeout."""
        return self._waited >= self._seconds
