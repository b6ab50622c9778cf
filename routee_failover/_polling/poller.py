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
from .recent_callbacks import RecentCallbacks
from .schedule import PollSchedule

PolledRecord = Any
"""A `FlowRecord`, an `OtpRecord` or a `ViberOtpRecord`."""
FetchRecord = Callable[[], Awaitable[PolledRecord]]
Predicate = Callable[[PolledRecord], bool]

NOT_FOUND_GRACE_SECONDS = 60.0
"""Seconds for which Routee may not know a flow that it has accepted: its tracking may come later than its receipt."""
_MAX_IN_FLIGHT = 16
_TRANSIENT_STATUSES = frozenset({408, 425, 429})
"""What Routee may answer otherwise in a moment, beside every 5xx."""
_PERMANENT_TOKEN_STATUSES = frozenset({400, 401, 403})
"""The token service's word for an application that it does not know, or does not serve."""


@attrs.define(eq=False)
class _PendingWait:
    until: Predicate
    future: "asyncio.Future[PolledRecord]"

    def offer(self, record: PolledRecord) -> None:
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
class _PolledFlow:
    """A flow that somebody waits for."""

    tracking_id: str
    fetch: FetchRecord
    schedule: PollSchedule
    accepted: bool
    started_at: float
    waiters: list[_PendingWait] = attrs.field(factory=list)
    last_record: PolledRecord | None = None
    last_error: RouteeError | None = None

    def update(self, record: PolledRecord) -> None:
        self.last_record, self.last_error = record, None
        for waiter in tuple(self.waiters):
            waiter.offer(record)

    def fail(self, error: Exception) -> None:
        for waiter in self.waiters:
            if not waiter.future.done():
                waiter.future.set_exception(error)


class Poller:
    """Asks about the flows that are waited for, at most `rate` times a second in all; those due longest come first."""

    def __init__(self, rate: float, recent_callbacks: RecentCallbacks | None = None) -> None:
        self._interval = 1 / rate
        self._recent_callbacks = recent_callbacks or RecentCallbacks()
        self._flows: dict[str, _PolledFlow] = {}
        self._due: list[tuple[float, int, _PolledFlow]] = []
        self._number = itertools.count()
        self._rescheduled = asyncio.Event()
        self._in_flight: set[asyncio.Task[None]] = set()
        self._task: asyncio.Task[None] | None = None

    async def wait(
        self,
        tracking_id: str,
        fetch: FetchRecord,
        schedule: PollSchedule,
        *,
        accepted: bool,
        timeout: float,
        until: Predicate,
    ) -> PolledRecord:
        """The record once `until` is satisfied.

        `accepted` says that Routee is known to have the flow: that its tracking does not know it yet is borne for a
        while, and nobody asks in the first moment. `schedule` counts from here on. Of what several say who wait for one
        flow, the one who knows more counts.

        Raises `WaitTimeout` with the last record seen, and what no further question can change: the `Rejected` of such
        an answer, a `TokenUnavailable` of refused credentials, whatever else `ask` raises that is no error of this
        library. Problems that pass are borne.
        """
        waiter = _PendingWait(until, asyncio.get_running_loop().create_future())
        watch = self._join(tracking_id, fetch, schedule, accepted, waiter)
        try:
            async with asyncio.timeout(timeout):
                return await waiter.future
        except TimeoutError as error:
            if waiter.future.done() and not waiter.future.cancelled():  # in the last moment, or by the caller's rule
                return waiter.future.result()
            raise _timeout(tracking_id, timeout, watch.last_record) from (watch.last_error or error)
        finally:
            self._leave(watch, waiter)

    def notify(self, tracking_ids: Iterable[str], record: PolledRecord) -> None:
        """Tell those who wait for a flow, by whichever of its ids, of a record that came without a question."""
        for identity in tracking_ids:
            if (watch := self._flows.get(identity)) is not None:
                watch.update(record)

    async def aclose(self) -> None:
        """End every wait with `ClientClosed`, and ask nothing more."""
        for watch in self._flows.values():
            watch.fail(ClientClosed("the client was closed while a flow was waited for; the flow goes on"))
        tasks = [*self._in_flight, *([] if self._task is None else [self._task])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _join(
        self, tracking_id: str, fetch: FetchRecord, schedule: PollSchedule, accepted: bool, waiter: _PendingWait
    ) -> _PolledFlow:
        now = asyncio.get_running_loop().time()
        watch = self._flows.get(tracking_id)
        if watch is None:
            watch = self._flows[tracking_id] = _PolledFlow(tracking_id, fetch, schedule, accepted, now)
            watch.last_record = self._recent_callbacks.get(tracking_id)
            self._schedule(watch, now + schedule.interval_after(0.0) if accepted else now)
        else:
            watch.accepted |= accepted
            if len(schedule.ttl_ends) > len(watch.schedule.ttl_ends):
                watch.schedule = schedule
        if watch.last_record is not None:
            waiter.offer(watch.last_record)
        watch.waiters.append(waiter)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._poll(), name="routee-failover poller")
        return watch

    def _leave(self, flow: _PolledFlow, waiter: _PendingWait) -> None:
        flow.waiters.remove(waiter)
        if not flow.waiters and self._flows.get(flow.tracking_id) is flow:
            del self._flows[flow.tracking_id]
            if not self._flows:
                self._due.clear()
                self._rescheduled.set()

    def _schedule(self, flow: _PolledFlow, due: float) -> None:
        heapq.heappush(self._due, (due, next(self._number), flow))
        if self._due[0][2] is flow:
            self._rescheduled.set()

    async def _poll(self) -> None:
        loop = asyncio.get_running_loop()
        free_at = loop.time()
        while self._flows:
            watch = await self._next_due(free_at)
            if watch is None:
                continue
            free_at = max(free_at, loop.time()) + self._interval
            task = asyncio.create_task(self._fetch(watch))
            self._in_flight.add(task)
            task.add_done_callback(self._in_flight.discard)
            if len(self._in_flight) >= _MAX_IN_FLIGHT:
                await asyncio.wait(self._in_flight, return_when=asyncio.FIRST_COMPLETED)

    async def _next_due(self, free_at: float) -> _PolledFlow | None:
        """The flow to ask about now; None when another one may have come before it, or nobody waits for it any more."""
        loop = asyncio.get_running_loop()
        self._rescheduled.clear()
        delay = max(free_at, self._due[0][0]) - loop.time() if self._due else None
        if delay is None or delay > 0:
            try:
                async with asyncio.timeout(delay):
                    await self._rescheduled.wait()
            except TimeoutError:
                pass
            return None
        _, _, watch = heapq.heappop(self._due)
        return watch if watch.waiters else None

    async def _fetch(self, flow: _PolledFlow) -> None:
        loop = asyncio.get_running_loop()
        age = loop.time() - flow.started_at
        try:
            flow.update(await flow.fetch())
        except RouteeError as error:
            flow.last_error = error
            unknown_yet = isinstance(error, NotFound) and flow.accepted and age <= NOT_FOUND_GRACE_SECONDS
            if not (unknown_yet or _is_transient(error)):
                flow.fail(error)
        except Exception as error:  # noqa: BLE001  # of the program's own session, for example: who waits has to know
            flow.fail(error)
        if flow.waiters:
            pause = flow.schedule.interval_after(loop.time() - flow.started_at)
            # A little apart, so that waits that began together do not ask together for ever.
            self._schedule(flow, loop.time() + pause * random.uniform(1.0, 1.1))  # noqa: S311


def _is_transient(error: RouteeError) -> bool:
    if isinstance(error, Rejected):
        return error.status in _TRANSIENT_STATUSES or error.status >= 500
    if isinstance(error, TokenUnavailable):
        return error.status not in _PERMANENT_TOKEN_STATUSES
    return isinstance(error, NotSent | NoResponse) and not isinstance(error, ClientClosed)


def _timeout(tracking_id: str, seconds: float, last: PolledRecord | None) -> WaitTimeout:
    seen = "no record of it was seen" if last is None else f"it was last seen {last.status}"
    return WaitTimeout(
        f"{tracking_id} had not come so far after {seconds:g} s ({seen}); it goes on: wait again, or track it",
        record=last,
    )
