"""One poller for all who wait in one event loop: a question a flow, however many wait for it, and so many a second.

It knows neither client nor connection: it is given what asks, and told what arrived otherwise.
"""

import asyncio
import heapq
import itertools
import random
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import attrs

from ..errors import ClientClosed, NoResponse, NotFound, NotSent, Rejected, RouteeError, TokenUnavailable, WaitTimeout
from .arrivals import Arrivals
from .schedule import Schedule

Record = Any
"""A `FlowRecord`, an `OtpRecord` or a `ViberOtpRecord`."""
Ask = Callable[[], Awaitable[Record]]
Until = Callable[[Record], bool]

NOT_FOUND_GRACE_SECONDS = 60.0
"""Seconds for which Routee may not know a flow that it has accepted: its tracking may come later than its receipt."""
_MOST_ASKING = 16
_PASSING = frozenset({408, 425, 429})
"""What Routee may answer otherwise in a moment, beside every 5xx."""
_NO_TOKEN = frozenset({400, 401, 403})
"""The token service's word for an application that it does not know, or does not serve."""


@attrs.define(eq=False)
class _Waiter:
    until: Until
    future: "asyncio.Future[Record]"

    def tell(self, record: Record) -> None:
        if self.future.done():
            return
        try:
            reached = self.until(record)
        except Exception as error:  # noqa: BLE001  # the caller's own rule: its error is the caller's
            self.future.set_exception(error)
            return
        if reached:
            self.future.set_result(record)


@attrs.define(eq=False)
class _Watch:
    """A flow that somebody waits for."""

    identity: str
    ask: Ask
    schedule: Schedule
    accepted: bool
    since: float
    waiters: list[_Waiter] = attrs.field(factory=list)
    last: Record | None = None
    problem: RouteeError | None = None

    def tell(self, record: Record) -> None:
        self.last, self.problem = record, None
        for waiter in tuple(self.waiters):
            waiter.tell(record)

    def fail(self, error: Exception) -> None:
        for waiter in self.waiters:
            if not waiter.future.done():
                waiter.future.set_exception(error)


class Poller:
    """Asks about the flows that are waited for, at most `rate` times a second in all; those due longest come first."""

    def __init__(self, rate: float, arrivals: Arrivals | None = None) -> None:
        self._interval = 1 / rate
        self._arrivals = arrivals or Arrivals()
        self._watches: dict[str, _Watch] = {}
        self._due: list[tuple[float, int, _Watch]] = []
        self._number = itertools.count()
        self._earlier = asyncio.Event()
        self._asking: set[asyncio.Task[None]] = set()
        self._task: asyncio.Task[None] | None = None

    async def wait(
        self, identity: str, ask: Ask, schedule: Schedule, *, accepted: bool, timeout: float, until: Until
    ) -> Record:
        """The record once `until` is satisfied.

        `accepted` says that Routee is known to have the flow: that its tracking does not know it yet is borne for a
        while, and nobody asks in the first moment. `schedule` counts from here on. Of what several say who wait for one
        flow, the one who knows more counts.

        Raises `WaitTimeout` with the last record seen, and what no further question can change: the `Rejected` of such
        an answer, a `TokenUnavailable` of refused credentials, whatever else `ask` raises that is no error of this
        library. Problems that pass are borne.
        """
        waiter = _Waiter(until, asyncio.get_running_loop().create_future())
        watch = self._join(identity, ask, schedule, accepted, waiter)
        try:
            async with asyncio.timeout(timeout):
                return await waiter.future
        except TimeoutError as error:
            if waiter.future.done() and not waiter.future.cancelled():  # in the last moment, or by the caller's rule
                return waiter.future.result()
            raise _timeout(identity, timeout, watch.last) from (watch.problem or error)
        finally:
            self._leave(watch, waiter)

    def arrived(self, identities: Iterable[str], record: Record) -> None:
        """Tell those who wait for a flow, by whichever of its ids, of a record that came without a question."""
        for identity in identities:
            if (watch := self._watches.get(identity)) is not None:
                watch.tell(record)

    async def aclose(self) -> None:
        """End every wait with `ClientClosed`, and ask nothing more."""
        for watch in self._watches.values():
            watch.fail(ClientClosed("the client was closed while a flow was waited for; the flow goes on"))
        tasks = [*self._asking, *([] if self._task is None else [self._task])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _join(self, identity: str, ask: Ask, schedule: Schedule, accepted: bool, waiter: _Waiter) -> _Watch:
        now = asyncio.get_running_loop().time()
        watch = self._watches.get(identity)
        if watch is None:
            watch = self._watches[identity] = _Watch(identity, ask, schedule, accepted, now)
            watch.last = self._arrivals.of(identity)
            self._plan(watch, now + schedule.pause(0.0) if accepted else now)
        else:
            watch.accepted |= accepted
            if len(schedule.ttl_ends) > len(watch.schedule.ttl_ends):
                watch.schedule = schedule
        if watch.last is not None:
            waiter.tell(watch.last)
        watch.waiters.append(waiter)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._poll(), name="routee-failover poller")
        return watch

    def _leave(self, watch: _Watch, waiter: _Waiter) -> None:
        watch.waiters.remove(waiter)
        if not watch.waiters and self._watches.get(watch.identity) is watch:
            del self._watches[watch.identity]
            if not self._watches:
                self._due.clear()
                self._earlier.set()

    def _plan(self, watch: _Watch, due: float) -> None:
        heapq.heappush(self._due, (due, next(self._number), watch))
        if self._due[0][2] is watch:
            self._earlier.set()

    async def _poll(self) -> None:
        loop = asyncio.get_running_loop()
        free_at = loop.time()
        while self._watches:
            watch = await self._next_due(free_at)
            if watch is None:
                continue
            free_at = max(free_at, loop.time()) + self._interval
            task = asyncio.create_task(self._ask(watch))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)
            if len(self._asking) >= _MOST_ASKING:
                await asyncio.wait(self._asking, return_when=asyncio.FIRST_COMPLETED)

    async def _next_due(self, free_at: float) -> _Watch | None:
        """The flow to ask about now; None when another one may have come before it, or nobody waits for it any more."""
        loop = asyncio.get_running_loop()
        self._earlier.clear()
        delay = max(free_at, self._due[0][0]) - loop.time() if self._due else None
        if delay is None or delay > 0:
            try:
                async with asyncio.timeout(delay):
                    await self._earlier.wait()
            except TimeoutError:
                pass
            return None
        _, _, watch = heapq.heappop(self._due)
        return watch if watch.waiters else None

    async def _ask(self, watch: _Watch) -> None:
        loop = asyncio.get_running_loop()
        age = loop.time() - watch.since
        try:
            watch.tell(await watch.ask())
        except RouteeError as error:
            watch.problem = error
            unknown_yet = isinstance(error, NotFound) and watch.accepted and age <= NOT_FOUND_GRACE_SECONDS
            if not (unknown_yet or _passes(error)):
                watch.fail(error)
        except Exception as error:  # noqa: BLE001  # of the program's own session, for example: who waits has to know
            watch.fail(error)
        if watch.waiters:
            pause = watch.schedule.pause(loop.time() - watch.since)
            # A little apart, so that waits that began together do not ask together for ever.
            self._plan(watch, loop.time() + pause * random.uniform(1.0, 1.1))  # noqa: S311


def _passes(error: RouteeError) -> bool:
    if isinstance(error, Rejected):
        return error.status in _PASSING or error.status >= 500
    if isinstance(error, TokenUnavailable):
        return error.status not in _NO_TOKEN
    return isinstance(error, NotSent | NoResponse) and not isinstance(error, ClientClosed)


def _timeout(identity: str, seconds: float, last: Record | None) -> WaitTimeout:
    seen = "no record of it was seen" if last is None else f"it was last seen {last.status}"
    return WaitTimeout(
        f"{identity} had not come so far after {seconds:g} s ({seen}); it goes on: wait again, or track it", record=last
    )
