"""The exchanges of one event loop that are under way: each in a task of its own, one clock for all, drained in the end.

A task of its own, so that a caller who is cancelled does not take with him the answer to what has left already; one
clock, because a timer for each request costs more than the whole rest of this module.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable

from ..outcomes import AttemptResult
from .exchange import Exchange, Stop

Make = Callable[[Exchange], Awaitable[AttemptResult]]
Ended = Callable[[Exchange, AttemptResult], None]


class UnderWay:
    """Starts exchanges and ends them in time. `make` makes one; `ended` is told what each showed."""

    def __init__(self, make: Make, ended: Ended) -> None:
        self._make = make
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._tasks: dict[Exchange, asyncio.Task[None]] = {}
        self._sweep: asyncio.Handle | None = None
        self._sweeps_at = math.inf  # uvloop's handles for what is due at once do not know their time

    def start(self, exchange: Exchange) -> None:
        """Make an exchange; its `done` gets the evidence."""
        due = exchange.ends if exchange.call.deadline is None else _due(exchange)
        if self._sweep is None or due < self._sweeps_at:
            self._look_at(due)
        # Not by the loop's factory, which may start tasks eagerly: one that is over by now would be listed for ever.
        self._tasks[exchange] = asyncio.Task(self._run(exchange), loop=self._loop)

    async def _run(self, exchange: Exchange) -> None:
        # Only a task that runs is to be cancelled: one that never began would not tell.
        exchange.task = asyncio.current_task()
        evidence = await self._make(exchange)
        exchange.task = None  # it holds its context, and that the exchange: a circle that only the collector would end
        self._tell(exchange, evidence)

    def _tell(self, exchange: Exchange, evidence: AttemptResult) -> None:
        del self._tasks[exchange]
        # First of all, for whatever happens after it; the caller hears of it in the next turn of the loop.
        if not exchange.done.done():
            exchange.done.set_result(evidence)
        self._ended(exchange, evidence)

    def _look_at(self, when: float) -> None:
        if self._sweep is not None:
            self._sweep.cancel()
        self._sweep, self._sweeps_at = self._loop.call_at(when, self._end_late), when

    def _end_late(self) -> None:
        """End what has had its time, and look again when the next one has: about once in a `total_timeout`."""
        self._sweep = None
        now = self._loop.time()
        self._tell_lost()
        for exchange in list(self._tasks):
            if _due(exchange) <= now:
                exchange.end(Stop.TIMEOUT if exchange.ends <= now else Stop.DEADLINE)
        left = [due for exchange in self._tasks if (due := _due(exchange)) > now]
        if left:
            self._look_at(min(left))

    def _tell_lost(self) -> None:
        """Tell of those whose task somebody else has ended before it could."""
        for exchange in [exchange for exchange, task in self._tasks.items() if task.done()]:
            self._tell(exchange, AttemptResult(exchange.begun, reason="it was ended from outside"))

    async def drain(self, grace: float) -> None:
        """End what has not begun or only reads, wait for the other answers, and after `grace` seconds for none."""
        for exchange in list(self._tasks):
            if exchange.call.safe or not exchange.begun:
                exchange.end(Stop.CLOSING)
        await self._wait(grace)
        for exchange in list(self._tasks):
            exchange.end(Stop.CLOSING)
        await self._wait(None)
        self._tell_lost()
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None

    async def _wait(self, seconds: float | None) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=seconds)


def _due(exchange: Exchange) -> float:
    """When it has had its time: as long as no byte has left, that is its deadline as well."""
    deadline = exchange.call.deadline
    return exchange.ends if deadline is None or exchange.begun else min(exchange.ends, deadline)
