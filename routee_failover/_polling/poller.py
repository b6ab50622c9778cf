"""Poller of one event loop: one poll per flow, however many waiters it has, under a common rate limit.

It knows neither client nor connections: the function that fetches a record is passed in, and so are the records that
arrive by callback.
"""

import asyncio
import heapq
import itertools
import random
from collections.abc import Awaitable, Callable, Iterable
from contextvars import Context, copy_context
from typing import Any

import attrs

from .._hooks import IS_ASYNC, is_awaitable
from .._tasks import start_task
from ..errors import (
    ClientClosed,
    InvalidFlow,
    NoResponse,
    NotFound,
    NotSent,
    Problem,
    Rejected,
    RouteeError,
    TokenUnavailable,
    WaitTimeout,
)
from .recent_callbacks import RecentCallbacks
from .schedule import PollSchedule

PolledRecord = Any
"""A `FlowRecord`, an `OtpRecord` or a `ViberOtpRecord`."""
FetchRecord = Callable[[], Awaitable[PolledRecord]]
Predicate = Callable[[PolledRecord], bool]

NOT_FOUND_GRACE_SECONDS = 60.0
"""Seconds for which Routee may answer 404 for a flow that it has accepted: tracking may lag behind the receipt."""
_MAX_IN_FLIGHT = 16
_TRANSIENT_STATUSES = frozenset({408, 425, 429})
"""Statuses that the next poll may not meet again, in addition to every 5xx."""
_PERMANENT_TOKEN_STATUSES = frozenset({400, 401, 403})
"""Statuses of the token service for an application that it does not know or does not serve."""


@attrs.define(eq=False)
class _PendingWait:
    until: Predicate
    future: "asyncio.Future[PolledRecord]"
    context: Context = attrs.field(factory=copy_context)
    """That of the caller: `until` runs in it, whichever caller has polled."""

    def offer(self, record: PolledRecord) -> None:
        if self.future.done():
            return
        try:
            reached = self.context.run(self.until, record)
            if reached is not True and reached is not False and is_awaitable(reached):
                raise InvalidFlow("wait", [Problem(("until",), IS_ASYNC)])  # noqa: TRY301
        except Exception as error:  # noqa: BLE001  # the caller's predicate: its error is passed on to the caller
            self.future.set_exception(error)
            return
        if reached:
            self.future.set_result(record)


@attrs.define(eq=False)
class _PolledFlow:
    """A flow with at least one waiter."""

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
    """Polls the flows that have waiters, at most `rate` times per second in total; the longest overdue comes first."""

    def __init__(self, rate: float, recent_callbacks: RecentCallbacks | None = None) -> None:
        self._interval = 1 / rate
        self._recent_callbacks = recent_callbacks or RecentCallbacks()
        self._flows: dict[str, _PolledFlow] = {}
        self._due: list[tuple[float, int, _PolledFlow]] = []
        self._sequence = itertools.count()
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
        """Poll a flow until a record satisfies `until`, and return that record.

        `accepted` means that Routee is known to have accepted the flow: a 404 of its tracking is then tolerated for a
        while, and the first poll waits for the first interval. `schedule` counts from now on. If a flow has several
        waiters, the values of the one that knows more are used.

        Raises `WaitTimeout`, with the last record seen, after `timeout` seconds. Raises errors that another poll cannot
        change: the `Rejected` of such a response, a `TokenUnavailable` for rejected credentials, and every exception of
        `fetch` that is not an error of this library. Transient errors are tolerated.
        """
        waiter = _PendingWait(until, asyncio.get_running_loop().create_future())
        flow = self._add_waiter(tracking_id, fetch, schedule, accepted, waiter)
        try:
            async with asyncio.timeout(timeout):
                return await waiter.future
        except TimeoutError as error:
            if waiter.future.done() and not waiter.future.cancelled():  # done at the last instant, or `until` raised
                return waiter.future.result()
            raise _timeout(tracking_id, timeout, flow.last_record) from (flow.last_error or error)
        finally:
            self._remove_waiter(flow, waiter)

    def notify(self, tracking_ids: Iterable[str], record: PolledRecord) -> None:
        """Pass a record that arrived by callback to the waiters of its flow, under any of its tracking ids."""
        for tracking_id in tracking_ids:
            if (flow := self._flows.get(tracking_id)) is not None:
                flow.update(record)

    def close(self) -> "list[asyncio.Task[None]]":
        """Fail every wait with `ClientClosed`, and stop polling; return the tasks that are about to end."""
        for flow in self._flows.values():
            flow.fail(ClientClosed("the client was closed while a flow was waited for; the flow itself continues"))
        tasks = [*self._in_flight, *([] if self._task is None else [self._task])]
        for task in tasks:
            task.cancel()
        return tasks

    def _add_waiter(
        self, tracking_id: str, fetch: FetchRecord, schedule: PollSchedule, accepted: bool, waiter: _PendingWait
    ) -> _PolledFlow:
        now = asyncio.get_running_loop().time()
        flow = self._flows.get(tracking_id)
        if flow is None:
            flow = self._flows[tracking_id] = _PolledFlow(tracking_id, fetch, schedule, accepted, now)
            flow.last_record = self._recent_callbacks.get(tracking_id)
            self._schedule(flow, now + schedule.interval_after(0.0) if accepted else now)
        else:
            flow.accepted |= accepted
            if len(schedule.ttl_ends) > len(flow.schedule.ttl_ends):
                flow.schedule = schedule
        if flow.last_record is not None:
            waiter.offer(flow.last_record)
        flow.waiters.append(waiter)
        if self._task is None or self._task.done():
            self._task = start_task(self._poll())
            self._task.set_name("routee-failover poller")
        return flow

    def _remove_waiter(self, flow: _PolledFlow, waiter: _PendingWait) -> None:
        flow.waiters.remove(waiter)
        if not flow.waiters and self._flows.get(flow.tracking_id) is flow:
            del self._flows[flow.tracking_id]
            if not self._flows:
                self._due.clear()
                self._rescheduled.set()

    def _schedule(self, flow: _PolledFlow, due: float) -> None:
        heapq.heappush(self._due, (due, next(self._sequence), flow))
        if self._due[0][2] is flow:
            self._rescheduled.set()

    async def _poll(self) -> None:
        loop = asyncio.get_running_loop()
        next_allowed_at = loop.time()
        while self._flows:
            flow = await self._next_due(next_allowed_at)
            if flow is None:
                continue
            next_allowed_at = max(next_allowed_at, loop.time()) + self._interval
            task = start_task(self._fetch(flow))
            self._in_flight.add(task)
            task.add_done_callback(self._in_flight.discard)
            if len(self._in_flight) >= _MAX_IN_FLIGHT:
                await asyncio.wait(self._in_flight, return_when=asyncio.FIRST_COMPLETED)

    async def _next_due(self, next_allowed_at: float) -> _PolledFlow | None:
        """Return the flow to poll now; None after a wait, because the queue may have changed, or without waiters."""
        loop = asyncio.get_running_loop()
        self._rescheduled.clear()
        delay = max(next_allowed_at, self._due[0][0]) - loop.time() if self._due else None
        if delay is None or delay > 0:
            try:
                async with asyncio.timeout(delay):
                    await self._rescheduled.wait()
            except TimeoutError:
                pass
            return None
        _, _, flow = heapq.heappop(self._due)
        return flow if flow.waiters else None

    async def _fetch(self, flow: _PolledFlow) -> None:
        loop = asyncio.get_running_loop()
        elapsed = loop.time() - flow.started_at
        try:
            flow.update(await flow.fetch())
        except RouteeError as error:
            flow.last_error = error
            not_found_yet = isinstance(error, NotFound) and flow.accepted and elapsed <= NOT_FOUND_GRACE_SECONDS
            if not (not_found_yet or _is_transient(error)):
                flow.fail(error)
        except Exception as error:  # noqa: BLE001  # from a custom session, for example: the waiters have to get it
            flow.fail(error)
        if flow.waiters:
            interval = flow.schedule.interval_after(loop.time() - flow.started_at)
            # Jitter, so that waits that began together do not poll together forever.
            self._schedule(flow, loop.time() + interval * random.uniform(1.0, 1.1))  # noqa: S311


def _is_transient(error: RouteeError) -> bool:
    if isinstance(error, Rejected):
        return error.status in _TRANSIENT_STATUSES or error.status >= 500
    if isinstance(error, TokenUnavailable):
        return error.status not in _PERMANENT_TOKEN_STATUSES
    return isinstance(error, NotSent | NoResponse) and not isinstance(error, ClientClosed)


def _timeout(tracking_id: str, seconds: float, last: PolledRecord | None) -> WaitTimeout:
    last_seen = "no record of it was seen" if last is None else f"it was last seen {last.status}"
    return WaitTimeout(
        f"{tracking_id} had not reached the awaited status after {seconds:g} s ({last_seen}); the flow itself "
        "continues: wait again, or track it",
        record=last,
    )
