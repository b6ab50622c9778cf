"""The exchanges of one event loop that are under way: each in a task of its own, one clock for all, drained in the end.

A task of its own, so that a caller who is cancelled does not take with him the answer to what has left already; one
clock, because a timer for each request costs more than the whole rest of this module.
"""

import asyncio
from collections.abc import Awaitable, Callable

from ..evidence import Evidence
from .exchange import Exchange, Stop

Make = Callable[[Exchange], Awaitable[Evidence]]
Ended = Callable[[Exchange, Evidence], None]


class UnderWay:
    """Starts exchanges and ends them in time. `make` makes one; `ended` is told what each showed."""

    def __init__(self, make: Make, ended: Ended) -> None:
        self._make = make
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._exchanges: dict[Exchange, None] = {}
        self._sweep: asyncio.TimerHandle | None = None

    def start(self, exchange: Exchange) -> None:
        """Make an exchange; its `done` gets the evidence."""
        self._exchanges[exchange] = None
        if self._sweep is None or exchange.ends < self._sweep.when():
            self._look_at(exchange.ends)
        self._loop.create_task(self._run(exchange))  # `_run` holds on to it

    async def _run(self, exchange: Exchange) -> None:
        # Only a task that runs may be cancelled: one that never began would never tell.
        exchange.task = asyncio.current_task()
        evidence = await self._make(exchange)
        exchange.task = None  # it holds its context, and that the exchange: a circle that only the collector would end
        del self._exchanges[exchange]
        self._ended(exchange, evidence)
        if not exchange.done.done():
            exchange.done.set_result(evidence)

    def _look_at(self, when: float) -> None:
        if self._sweep is not None:
            self._sweep.cancel()
        self._sweep = self._loop.call_at(when, self._end_late)

    def _end_late(self) -> None:
        """End what has had its time, and look again when the next one has: about once in a `total_timeout`."""
        self._sweep = None
        now = self._loop.time()
        late = [exchange for exchange in self._exchanges if exchange.ends <= now]
        for exchange in late:
            exchange.end(Stop.TIMEOUT)
        left = [exchange.ends for exchange in self._exchanges if exchange.ends > now]
        if left:
            self._look_at(min(left))

    async def drain(self, grace: float) -> None:
        """End what has not begun, wait for the answers to the rest, and after `grace` seconds for none any more."""
        for exchange in list(self._exchanges):
            if not exchange.begun:
                exchange.end(Stop.CLOSING)
        await self._wait(grace)
        for exchange in list(self._exchanges):
            exchange.end(Stop.CLOSING)
        await self._wait(None)
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None

    async def _wait(self, seconds: float | None) -> None:
        tasks = [exchange.task for exchange in self._exchanges if exchange.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)
