"""In-flight attempts of one event loop: one task per attempt, one timer for all, drained when the client closes.

An attempt has its own task, so that cancelling its caller does not discard the response to a request that has already
been sent. There is one timer, because a timer per request costs more than all the rest of this module.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable
from contextvars import Context

from ..outcomes import AttemptResult
from ..secret import drop_frames
from .attempt import Attempt, AttemptCancelled, CancelReason
from .failure_reasons import failed_result

_CANCELLATION_TIMEOUT = 1.0
"""Seconds that the tasks of cancelled attempts have to end: a middleware may swallow its cancellation."""

Execute = Callable[[Attempt], Awaitable[AttemptResult]]
OnFinished = Callable[[Attempt, AttemptResult], None]


class InFlight:
    """Runs attempts and cancels them when they expire.

    `execute` runs one attempt; `on_finished` is called with the result of each.
    """

    def __init__(self, execute: Execute, on_finished: OnFinished) -> None:
        self._execute = execute
        self._on_finished = on_finished
        self._loop = asyncio.get_running_loop()
        self._tasks: dict[Attempt, asyncio.Task[None]] = {}
        self._sweep: asyncio.Handle | None = None
        self._sweep_due = math.inf  # uvloop's handles for callbacks that are due at once have no time

    def start(self, attempt: Attempt) -> None:
        """Start an attempt; its future `result` gets the attempt result."""
        due = attempt.expires_at if attempt.request.deadline is None else _due(attempt)
        if self._sweep is None or due < self._sweep_due:
            self._schedule_sweep(due)
        # Not by the task factory of the loop, which may start tasks eagerly: one that has finished would stay listed.
        self._tasks[attempt] = asyncio.Task(self._run(attempt), loop=self._loop)

    async def _run(self, attempt: Attempt) -> None:
        # Only a running task may be cancelled: one that never started would not report a result.
        attempt.task = asyncio.current_task()
        try:
            if attempt.cancel_reason is not None:
                raise AttemptCancelled  # noqa: TRY301  # before it began
            result = await self._execute(attempt)
        except (asyncio.CancelledError, Exception) as error:  # noqa: BLE001  # how far it got decides, not the type
            result = failed_result(attempt, error)
            drop_frames(error)
        attempt.task = None  # the task holds its context, which holds the attempt: a cycle for the garbage collector
        self._finish(attempt, result)

    def _finish(self, attempt: Attempt, result: AttemptResult) -> None:
        if self._tasks.pop(attempt, None) is None:
            return  # reported as lost
        # Set first, so that the caller gets it whatever fails below; it resumes in the next iteration of the loop.
        if not attempt.result.done():
            attempt.result.set_result(result)
        self._on_finished(attempt, result)

    def _schedule_sweep(self, when: float) -> None:
        if self._sweep is not None:
            self._sweep.cancel()
        self._sweep, self._sweep_due = self._loop.call_at(when, self._expire, context=Context()), when

    def _expire(self) -> None:
        """Cancel the attempts that have expired, and schedule the next sweep: about one per `total_timeout`."""
        self._sweep = None
        now = self._loop.time()
        self._report_lost()
        for attempt in list(self._tasks):
            if _due(attempt) <= now:
                attempt.cancel(CancelReason.TIMEOUT if attempt.expires_at <= now else CancelReason.DEADLINE)
        pending = [due for attempt in self._tasks if (due := _due(attempt)) > now]
        if pending:
            self._schedule_sweep(min(pending))

    def _report_lost(self, *, all_of_them: bool = False) -> None:
        """Finish the attempts whose task was ended from outside before it could report a result."""
        for attempt in [attempt for attempt, task in self._tasks.items() if all_of_them or task.done()]:
            attempt.task = None
            self._finish(attempt, AttemptResult(attempt.may_have_been_sent, reason="its task was ended from outside"))

    async def drain(self, timeout: float) -> None:
        """Cancel attempts that sent nothing or only read, and wait for the others, at most `timeout` seconds.

        Attempts that are still in flight then are cancelled; a send among them is `UNKNOWN`.
        """
        for attempt in list(self._tasks):
            if attempt.request.safe or not attempt.may_have_been_sent:
                attempt.cancel(CancelReason.CLIENT_CLOSED)
        for seconds in (timeout, _CANCELLATION_TIMEOUT):
            if self._tasks:
                await asyncio.wait(self._tasks.values(), timeout=seconds)
            self.cancel_all()
        self._report_lost(all_of_them=True)
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None

    def cancel_all(self) -> None:
        """Cancel all attempts; a send among them that may have begun is `UNKNOWN`."""
        for attempt in list(self._tasks):
            attempt.cancel(CancelReason.CLIENT_CLOSED)


def _due(attempt: Attempt) -> float:
    """Return when an attempt expires; as long as no byte may have been sent, its deadline counts too."""
    deadline = attempt.request.deadline
    return attempt.expires_at if deadline is None or attempt.may_have_been_sent else min(attempt.expires_at, deadline)
