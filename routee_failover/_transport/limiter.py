"""Concurrency and rate limiter of one event loop: requests wait here for a connection slot and for the rate limit.

Which waiter is admitted next is decided by `admission.py`, without I/O.
"""

import asyncio
from heapq import heappop, heappush

from ..config import Config
from ..errors import ClientClosed, DeadlinePassed, NotSent, PoolTimeout
from .admission import AdmissionControl, Waiter

MIN_TIMER_DELAY = 0.001
"""Seconds. Some event loops count in whole milliseconds: a shorter timer fires at once, over and over."""
_CLOSED = "the client was closed while the message waited; nothing was sent. Send it with an open client"


class RequestLimiter:
    """Limiter for the requests of one event loop: concurrency (connection pool), rate limit and throttle pauses.

    Each slot that was acquired has to be released exactly once. An instance belongs to the event loop that created it.
    """

    def __init__(self, config: Config) -> None:
        self._loop = asyncio.get_running_loop()
        self._pool_timeout = config.pool_timeout
        limits = {"pool_size": config.pool_size, "concurrency": config.concurrency or config.pool_size}
        self._limiting_setting = min(limits, key=limits.__getitem__)
        self._max_in_flight = limits[self._limiting_setting]
        self._admission = AdmissionControl(
            concurrency=self._max_in_flight,
            rate=config.rate,
            otp_reserve=config.otp_reserve,
            pool_timeout=config.pool_timeout.total_seconds(),
        )
        # The result is `None` for an acquired slot, else the error to raise. An error that is set as a result, not as
        # an exception, logs no "exception was never retrieved" when its waiter is cancelled before it resumes.
        self._waiters: dict[Waiter, asyncio.Future[NotSent | None]] = {}
        self._deadlines: list[tuple[float, int, Waiter]] = []
        self._timer: asyncio.Handle | None = None
        self._timer_due = 0.0  # uvloop's handles for callbacks that are due at once have no time
        self._closed = False

    def try_acquire(self, *, otp: bool) -> bool:
        """Acquire a slot if that is possible without waiting; return whether it was acquired."""
        if self._closed or not self._admission.try_acquire(now := self._loop.time(), otp=otp):
            return False
        if self._waiters:
            self._set_timer(now)
        return True

    async def acquire(self, *, otp: bool, deadline: float | None = None) -> None:
        """Wait for a slot, at most until `deadline` (a time of the event loop).

        Raises `PoolTimeout` when no slot was free for `pool_timeout`, `DeadlinePassed` as soon as no slot can become
        available in time, and `ClientClosed`.
        """
        if self._closed:
            raise ClientClosed(_CLOSED)
        now = self._loop.time()
        if deadline is not None and deadline <= max(now, self._admission.paused_until):
            raise self._deadline_error(now)
        if self._admission.try_acquire(now, otp=otp):
            self._set_timer(now)
            return
        waiter = self._admission.enqueue(now, otp=otp)
        future = self._waiters[waiter] = self._loop.create_future()
        if deadline is not None:
            self._push_deadline(deadline, waiter)
        self._set_timer(now)
        try:
            error = await future
        except asyncio.CancelledError:
            self._waiters.pop(waiter, None)
            self._admission.cancel(waiter)  # it may have been admitted in the meantime
            self._admit_ready()
            raise
        if error is None and self._closed:  # closed after the admission, before this task resumed
            self.release(otp=otp)
            error = ClientClosed(_CLOSED)
        if error is not None:
            raise error

    def release(self, *, otp: bool) -> None:
        """Release a slot and admit the next waiter; `otp` must be the value it was acquired with."""
        self._admission.release(otp=otp)
        if self._waiters:
            self._admit_ready()

    def throttle(self, started_at: float, pause: float) -> None:
        """Record that Routee throttled a request started at `started_at`: halve concurrency and rate, and pause.

        No request is admitted for `pause` seconds; a pause that ends later stays in force. Call it before releasing the
        slot of the throttled request, because a released slot goes to the next waiter at once.
        """
        now = self._loop.time()
        self._admission.record_throttled(now, started_at)
        self._admission.pause(now, now + pause)
        self._admit_ready()

    def record_success(self, started_at: float) -> None:
        """Record a success of a request started at `started_at`: it raises limits that throttling had lowered."""
        if self._admission.record_success(started_at):
            self._admit_ready()

    def close(self) -> None:
        """Admit no more requests; every waiter gets `ClientClosed` at once."""
        self._closed = True
        for waiter in list(self._waiters):
            self._fail(waiter, ClientClosed(_CLOSED))
        if self._timer is not None:
            self._timer.cancel()

    def _admit_ready(self) -> None:
        """Resolve every waiter whose wait is over, and set the timer for the next change that time alone brings."""
        now = self._loop.time()
        self._fail_expired(now)
        for waiter in self._admission.admit_ready(now):
            self._resolve(waiter, None)
        for waiter in self._admission.timed_out(now):
            self._fail(waiter, self._pool_timeout_error(waiter))
        self._set_timer(now)

    def _fail_expired(self, now: float) -> None:
        """Fail the waiters whose deadline has passed, or will pass before the throttle pause ends."""
        earliest_admission = max(now, self._admission.paused_until)
        while self._deadlines and self._deadlines[0][0] <= earliest_admission:
            waiter = heappop(self._deadlines)[-1]
            if waiter in self._waiters:
                self._fail(waiter, self._deadline_error(now))

    def _push_deadline(self, deadline: float, waiter: Waiter) -> None:
        heappush(self._deadlines, (deadline, waiter.sequence, waiter))
        if len(self._deadlines) > 2 * len(self._waiters):  # most belong to waiters that have left
            self._deadlines = sorted(entry for entry in self._deadlines if entry[-1] in self._waiters)

    def _fail(self, waiter: Waiter, error: NotSent) -> None:
        self._admission.cancel(waiter)
        self._resolve(waiter, error)

    def _resolve(self, waiter: Waiter, error: NotSent | None) -> None:
        future = self._waiters.pop(waiter)
        if not future.done():  # else its waiter was cancelled, and is about to resume
            future.set_result(error)

    def _set_timer(self, now: float) -> None:
        when = self._admission.next_wakeup()
        if when is None:
            return
        if self._deadlines:
            when = min(when, self._deadlines[0][0])
        when = max(when, now + MIN_TIMER_DELAY)
        # A timer that fires too early finds nothing to do and is set again: cheaper than replacing it at each acquire.
        if self._timer is not None:
            if self._timer_due <= when:
                return
            self._timer.cancel()
        self._timer, self._timer_due = self._loop.call_at(when, self._on_timer), when

    def _on_timer(self) -> None:
        self._timer = None
        self._admit_ready()

    def _pool_timeout_error(self, waiter: Waiter) -> PoolTimeout:
        total, slots = self._max_in_flight, self._admission.slots(otp=waiter.otp)
        if self._admission.slots(otp=True) < total:
            return PoolTimeout(
                f"the {slots} of {total} connections that are used while Routee throttles the client stayed busy for "
                f"{self._pool_timeout}; nothing was sent. Send fewer messages at once, or raise pool_timeout"
            )
        which = f"{slots} connections" if slots == total else f"{slots} of {total} connections not reserved for OTPs"
        return PoolTimeout(
            f"all {which} stayed busy for {self._pool_timeout}; nothing was sent. "
            f"Raise {self._limiting_setting} or pool_timeout, or send fewer messages at once"
        )

    def _deadline_error(self, now: float) -> DeadlinePassed:
        seconds_left = self._admission.paused_until - now
        reason = (
            f"the client, throttled by Routee, pauses for another {seconds_left:.3g} seconds, past the deadline"
            if seconds_left > 0
            else "the deadline passed before there was a free connection slot within the rate limit"
        )
        return DeadlinePassed(f"{reason}; nothing was sent. Allow more time, or send fewer messages at once")
