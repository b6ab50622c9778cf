"""In-flight attempts of one event loop: each runs in the task of its caller, and one timer ends all of them in time.

A send whose caller is cancelled after its first byte goes on in a task of its own, so that its response is not lost.
There is one timer, because a timer per request costs more than all the rest of this module.
"""

import asyncio
import contextlib
import math
from collections.abc import Callable
from typing import Protocol

from ..outcomes import AttemptResult
from .attempt import Attempt, CancelReason
from .failure_reasons import failed_result


class AttemptExecutor(Protocol):
    """What runs one attempt. Only the cancellation of the caller makes it raise; `discard` closes the connection."""

    async def execute(self, attempt: Attempt, /) -> AttemptResult:
        """Run an attempt. Raises `CancelledError` if its caller is cancelled."""

    async def resume(self, attempt: Attempt, /) -> AttemptResult:
        """Finish an attempt whose caller was cancelled after the first byte."""

    def discard(self, attempt: Attempt, /) -> None:
        """Close the connection of an attempt that is not finished."""


class InFlight:
    """Runs attempts and cancels them when they expire. `on_finished` is called once with the result of each."""

    def __init__(self, executor: AttemptExecutor, on_finished: Callable[[Attempt, AttemptResult], None]) -> None:
        self._executor = executor
        self._on_finished = on_finished
        self._loop = asyncio.get_running_loop()
        self._attempts: dict[Attempt, asyncio.Task[None] | None] = {}
        """Attempts, and the tasks of those whose callers have left them."""
        self._idle = asyncio.Event()
        self._sweep: asyncio.Handle | None = None
        self._sweep_due = math.inf  # uvloop's handles for callbacks that are due at once have no time

    async def run(self, attempt: Attempt) -> AttemptResult:
        """Run an attempt and return its result.

        Cancelling the caller cancels the attempt as well, except a send that may have begun.
        """
        due = attempt.expires_at if attempt.request.deadline is None else _due(attempt)
        if self._sweep is None or due < self._sweep_due:
            self._schedule_sweep(due)
        task = attempt.task = asyncio.current_task()
        if task is not None:
            attempt.cancellations = task.cancelling()
        attempt.has_neighbours = bool(self._attempts)
        self._attempts[attempt] = None
        try:
            result = await self._executor.execute(attempt)
        except BaseException as error:
            self._on_interrupted(attempt, error)
            raise
        self._finish(attempt, result)
        if attempt.interrupted:
            await _undo_interruption(attempt, task)
        return result

    def _on_interrupted(self, attempt: Attempt, error: BaseException) -> None:
        if isinstance(error, asyncio.CancelledError) and attempt.outlives_caller:
            attempt.abandoned, attempt.task = True, None
            # Not by the task factory of the loop, which may start tasks eagerly, inside the one that is cancelled.
            task = self._attempts[attempt] = asyncio.Task(self._resume(attempt), loop=self._loop)
            task.add_done_callback(lambda _task: self._on_task_done(attempt))
            return
        if isinstance(error, asyncio.CancelledError) and attempt.cancel_reason is None:
            attempt.cancel_reason = CancelReason.CALLER_CANCELLED
        self._finish(attempt, failed_result(attempt, error))

    async def _resume(self, attempt: Attempt) -> None:
        attempt.task = asyncio.current_task()
        self._finish(attempt, await self._executor.resume(attempt))

    def _on_task_done(self, attempt: Attempt) -> None:
        if not attempt.finished:  # its task was ended from outside before it could run
            self._executor.discard(attempt)
            self._finish(attempt, failed_result(attempt))

    def _finish(self, attempt: Attempt, result: AttemptResult) -> None:
        del self._attempts[attempt]
        attempt.finished = True
        attempt.task = None  # the task holds its frames, which hold the attempt: a cycle for the garbage collector
        if not self._attempts:
            self._idle.set()
        self._on_finished(attempt, result)

    def _schedule_sweep(self, when: float) -> None:
        if self._sweep is not None:
            self._sweep.cancel()
        self._sweep, self._sweep_due = self._loop.call_at(when, self._expire), when

    def _expire(self) -> None:
        """Cancel the attempts that have expired, and schedule the next sweep: about one per `total_timeout`."""
        self._sweep = None
        now = self._loop.time()
        for attempt in list(self._attempts):
            if _due(attempt) <= now:
                attempt.cancel(CancelReason.TIMEOUT if attempt.expires_at <= now else CancelReason.DEADLINE)
        pending = [due for attempt in self._attempts if (due := _due(attempt)) > now]
        if pending:
            self._schedule_sweep(min(pending))

    async def drain(self, timeout: float) -> None:
        """Cancel attempts that sent nothing or only read, and wait for the others, at most `timeout` seconds.

        Attempts that are still in flight then are cancelled; a send among them is `UNKNOWN`.
        """
        for attempt in list(self._attempts):
            if attempt.request.safe or not attempt.may_have_been_sent:
                attempt.cancel(CancelReason.CLIENT_CLOSED)
        await self._wait(timeout)
        for attempt in list(self._attempts):
            attempt.cancel(CancelReason.CLIENT_CLOSED)
        await self._wait(None)
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None

    async def _wait(self, seconds: float | None) -> None:
        """Wait until no attempt is in flight, at most some seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._attempts:
                    self._idle.clear()
                    await self._idle.wait()


async def _undo_interruption(attempt: Attempt, task: "asyncio.Task[object] | None") -> None:
    """Take back the cancellation of the caller's task on behalf of the attempt. Raises if it was cancelled itself."""
    if not attempt.interruption_seen:  # the attempt has ended before it: it is due at the next `await`
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0)
    if task is not None and task.uncancel() > attempt.cancellations:
        raise asyncio.CancelledError


def _due(attempt: Attempt) -> float:
    """Return when an attempt expires; as long as no byte may have been sent, its deadline counts too."""
    deadline = attempt.request.deadline
    return attempt.expires_at if deadline is None or attempt.may_have_been_sent else min(attempt.expires_at, deadline)
