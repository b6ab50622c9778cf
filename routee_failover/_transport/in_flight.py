"""The exchanges of one event loop that are under way: each in a task of its own, one clock for all, drained in the end.

A task of its own, so that a caller who is cancelled does not take with him the answer to what has left already; one
clock, because a timer for each request costs more than the whole rest of this module.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable

from ..outcomes import AttemptResult
from .attempt import Attempt, CancelReason

Execute = Callable[[Attempt], Awaitable[AttemptResult]]
OnFinished = Callable[[Attempt, AttemptResult], None]


class InFlight:
    """Starts exchanges and ends them in time. `make` makes one; `ended` is told what each showed."""

    def __init__(self, execute: Execute, on_finished: OnFinished) -> None:
        self._execute = execute
        self._on_finished = on_finished
        self._loop = asyncio.get_running_loop()
        self._tasks: dict[Attempt, asyncio.Task[None]] = {}
        self._sweep: asyncio.Handle | None = None
        self._sweeps_at = math.inf  # uvloop's handles for what is due at once do not know their time

    def start(self, attempt: Attempt) -> None:
        """Make an exchange; its `done` gets the evidence."""
        due = attempt.expires_at if attempt.request.deadline is None else _due(attempt)
        if self._sweep is None or due < self._sweeps_at:
            self._schedule_sweep(due)
        # Not by the loop's factory, which may start tasks eagerly: one that is over by now would be listed for ever.
        self._tasks[attempt] = asyncio.Task(self._run(attempt), loop=self._loop)

    async def _run(self, attempt: Attempt) -> None:
        # Only a task that runs is to be cancelled: one that never began would not tell.
        attempt.task = asyncio.current_task()
        evidence = await self._execute(attempt)
        attempt.task = None  # it holds its context, and that the exchange: a circle that only the collector would end
        self._finish(attempt, evidence)

    def _finish(self, attempt: Attempt, result: AttemptResult) -> None:
        del self._tasks[attempt]
        # First of all, for whatever happens after it; the caller hears of it in the next turn of the loop.
        if not attempt.result.done():
            attempt.result.set_result(result)
        self._on_finished(attempt, result)

    def _schedule_sweep(self, when: float) -> None:
        if self._sweep is not None:
            self._sweep.cancel()
        self._sweep, self._sweeps_at = self._loop.call_at(when, self._expire), when

    def _expire(self) -> None:
        """End what has had its time, and look again when the next one has: about once in a `total_timeout`."""
        self._sweep = None
        now = self._loop.time()
        self._report_lost()
        for exchange in list(self._tasks):
            if _due(exchange) <= now:
                exchange.cancel(CancelReason.TIMEOUT if exchange.expires_at <= now else CancelReason.DEADLINE)
        left = [due for exchange in self._tasks if (due := _due(exchange)) > now]
        if left:
            self._schedule_sweep(min(left))

    def _report_lost(self) -> None:
        """Tell of those whose task somebody else has ended before it could."""
        for exchange in [exchange for exchange, task in self._tasks.items() if task.done()]:
            self._finish(exchange, AttemptResult(exchange.may_have_been_sent, reason="it was ended from outside"))

    async def drain(self, timeout: float) -> None:
        """End what has not begun or only reads, wait for the other answers, and after `grace` seconds for none."""
        for exchange in list(self._tasks):
            if exchange.request.safe or not exchange.may_have_been_sent:
                exchange.cancel(CancelReason.CLIENT_CLOSED)
        await self._wait(timeout)
        for exchange in list(self._tasks):
            exchange.cancel(CancelReason.CLIENT_CLOSED)
        await self._wait(None)
        self._report_lost()
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None

    async def _wait(self, seconds: float | None) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=seconds)


def _due(attempt: Attempt) -> float:
    """When it has had its time: as long as no byte has left, that is its deadline as well."""
    deadline = attempt.request.deadline
    return attempt.expires_at if deadline is None or attempt.may_have_been_sent else min(attempt.expires_at, deadline)
