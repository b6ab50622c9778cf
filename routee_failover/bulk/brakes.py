"""What holds a run: a pause that somebody asked for, too many failures, an account that cannot pay, the end."""

import asyncio
import time
from collections import deque
from typing import Any

from .settings import ErrorBudget


class Brakes:
    """Whether another message may begin. Several reasons may hold a run; it goes on when none is left."""

    def __init__(self) -> None:
        self._reasons: dict[str, str] = {}
        self._changed = asyncio.Event()
        self.last: str = "nothing could be sent"
        """Why the run was held most recently."""
        self.stopping: bool = False
        self.why_stopped: str | None = None

    @property
    def pause(self) -> str | None:
        """Why nothing may begin; `None` while it may."""
        return next(iter(self._reasons.values()), None)

    @property
    def kinds(self) -> set[str]:
        """The kinds of all reasons."""
        return {*self._reasons}

    @property
    def free(self) -> bool:
        """Whether a message may begin now."""
        return not self._reasons and not self.stopping

    def hold(self, kind: str, why: str) -> None:
        """Begin nothing more until this kind of reason is let go of."""
        self._reasons[kind] = self.last = why
        self._wake()

    def let_go(self, kind: str) -> None:
        """That reason is no more."""
        if self._reasons.pop(kind, None) is not None:
            self._wake()

    def stop(self, why: str | None = None) -> None:
        """Begin nothing more in this run."""
        if not self.stopping:
            self.stopping, self.why_stopped = True, why
            self._wake()

    async def passed(self) -> bool:
        """Come back when a message may begin; `False` when none may any more."""
        while self._reasons and not self.stopping:
            await self.changed()
        return not self.stopping

    async def changed(self, within: float | None = None) -> None:
        """Come back at the next change, or after so many seconds."""
        event = self._changed
        try:
            async with asyncio.timeout(within):
                await event.wait()
        except TimeoutError:
            pass

    async def rest(self, seconds: float) -> None:
        """Come back after so long, or as soon as the run is stopped."""
        until = time.monotonic() + seconds
        while not self.stopping and (left := until - time.monotonic()) > 0:
            await self.changed(left)

    async def or_stopped(self, future: "asyncio.Future[Any]") -> bool:
        """Wait for a future, which is left alone; `False` once the run is stopped before it is done."""
        while not future.done() and not self.stopping:
            change = asyncio.ensure_future(self._changed.wait())
            await asyncio.wait([future, change], return_when=asyncio.FIRST_COMPLETED)
            change.cancel()
        return future.done()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class Spending:
    """An error budget as it is spent."""

    def __init__(self, budget: ErrorBudget) -> None:
        self._budget = budget
        self._last: deque[bool] = deque(maxlen=budget.among)
        self._failed = 0
        self._rest = budget.rest.total_seconds()

    def note(self, *, failed: bool) -> bool:
        """Take note of how a message ended; whether the budget is spent by it."""
        if len(self._last) == self._last.maxlen and self._last[0]:
            self._failed -= 1
        self._last.append(failed)
        self._failed += failed
        if not failed and len(self._last) >= self._budget.least:
            self._rest = self._budget.rest.total_seconds()
        return len(self._last) >= self._budget.least and self._failed > self._budget.share * len(self._last)

    def rest(self) -> tuple[float, int, int]:
        """How long to pause now, and how many of how many had failed; counting begins anew."""
        rest, failed, of = self._rest, self._failed, len(self._last)
        self._rest = min(2 * rest, 10 * self._budget.rest.total_seconds())
        self._last.clear()
        self._failed = 0
        return rest, failed, of


class Patience:
    """How long a run has waited, all in all, for what may not mend itself, since a message was accepted last."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._waited = 0.0
        self._seen = time.monotonic()

    def look(self, *, waits: bool) -> None:
        """Take note of the time since the last look: whether it was spent in waiting."""
        now = time.monotonic()
        self._waited += now - self._seen if waits else 0.0
        self._seen = now

    def rewarded(self) -> None:
        """A message was accepted."""
        self._waited = 0.0

    @property
    def over(self) -> bool:
        """Whether it has waited for long enough."""
        return self._waited >= self._seconds
