"""What holds a run: a pause that somebody asked for, too many failures, an account that cannot pay, the end."""

import asyncio
import time
from collections import deque
from typing import Any

from .settings import ErrorBudget


class RunControl:
    """Whether another message may begin. Several reasons may hold a run; it goes on when none is left."""

    def __init__(self) -> None:
        self._reasons: dict[str, str] = {}
        self._changed = asyncio.Event()
        self.last_pause_reason: str = "nothing could be sent"
        """Why the run was held most recently."""
        self.stopping: bool = False
        self.stop_reason: str | None = None

    @property
    def pause_reason(self) -> str | None:
        """Why nothing may begin; `None` while it may."""
        return next(iter(self._reasons.values()), None)

    @property
    def pause_kinds(self) -> set[str]:
        """The kinds of all reasons."""
        return {*self._reasons}

    @property
    def may_send(self) -> bool:
        """Whether a message may begin now."""
        return not self._reasons and not self.stopping

    def pause(self, kind: str, reason: str) -> None:
        """Begin nothing more until this kind of reason is let go of."""
        self._reasons[kind] = self.last_pause_reason = reason
        self._wake()

    def resume(self, kind: str) -> None:
        """That reason is no more."""
        if self._reasons.pop(kind, None) is not None:
            self._wake()

    def stop(self, reason: str | None = None) -> None:
        """Begin nothing more in this run."""
        if not self.stopping:
            self.stopping, self.stop_reason = True, reason
            self._wake()

    async def wait_until_allowed(self) -> bool:
        """Come back when a message may begin; `False` when none may any more."""
        while self._reasons and not self.stopping:
            await self.wait_for_change()
        return not self.stopping

    async def wait_for_change(self, timeout: float | None = None) -> None:
        """Come back at the next change, or after so many seconds."""
        event = self._changed
        try:
            async with asyncio.timeout(timeout):
                await event.wait()
        except TimeoutError:
            pass

    async def sleep(self, seconds: float) -> None:
        """Come back after so long, or as soon as the run is stopped."""
        until = time.monotonic() + seconds
        while not self.stopping and (left := until - time.monotonic()) > 0:
            await self.wait_for_change(left)

    async def wait_or_stop(self, future: "asyncio.Future[Any]") -> bool:
        """Wait for a future, which is left alone; `False` once the run is stopped before it is done."""
        while not future.done() and not self.stopping:
            change = asyncio.ensure_future(self._changed.wait())
            await asyncio.wait([future, change], return_when=asyncio.FIRST_COMPLETED)
            change.cancel()
        return future.done()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class ErrorBudgetTracker:
    """An error budget as it is spent."""

    def __init__(self, budget: ErrorBudget) -> None:
        self._budget = budget
        self._results: deque[bool] = deque(maxlen=budget.sample_size)
        self._failed = 0
        self._pause = budget.pause.total_seconds()

    def record(self, *, failed: bool) -> bool:
        """Take note of how a message ended; whether the budget is spent by it."""
        if len(self._results) == self._results.maxlen and self._results[0]:
            self._failed -= 1
        self._results.append(failed)
        self._failed += failed
        if not failed and len(self._results) >= self._budget.min_messages:
            self._pause = self._budget.pause.total_seconds()
        return len(self._results) >= self._budget.min_messages and self._failed > self._budget.max_failure_share * len(
            self._results
        )

    def start_pause(self) -> tuple[float, int, int]:
        """How long to pause now, and how many of how many had failed; counting begins anew."""
        rest, failed, of = self._pause, self._failed, len(self._results)
        self._pause = min(2 * rest, 10 * self._budget.pause.total_seconds())
        self._results.clear()
        self._failed = 0
        return rest, failed, of


class StallTimer:
    """How long a run has waited, all in all, for what may not mend itself, since a message was accepted last."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._waited = 0.0
        self._updated_at = time.monotonic()

    def update(self, *, waiting: bool) -> None:
        """Take note of the time since the last look: whether it was spent in waiting."""
        now = time.monotonic()
        self._waited += now - self._updated_at if waiting else 0.0
        self._updated_at = now

    def reset(self) -> None:
        """A message was accepted."""
        self._waited = 0.0

    @property
    def expired(self) -> bool:
        """Whether it has waited for long enough."""
        return self._waited >= self._seconds
