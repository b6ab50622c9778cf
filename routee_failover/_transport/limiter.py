"""Waiting for a turn to send, in one event loop; who is next is decided in `admission.py`."""

import asyncio
from heapq import heappop, heappush

from ..config import Config
from ..errors import ClientClosed, DeadlinePassed, NotSent, PoolTimeout
from .admission import AdmissionControl, Waiter

MIN_TIMER_DELAY = 0.001
"""Some event loops count in whole milliseconds; asked to come back sooner they come back at once, over and over."""


class RequestLimiter:
    """Turns to send: each is taken, and ended once. They belong to the event loop that they were made in."""

    def __init__(self, config: Config) -> None:
        self._loop = asyncio.get_running_loop()
        self._pool_timeout = config.pool_timeout
        limits = {"pool_size": config.pool_size, "concurrency": config.concurrency or config.pool_size}
        self._setting = min(limits, key=limits.__getitem__)
        self._max_in_flight = limits[self._setting]
        self._admission = AdmissionControl(
            concurrency=self._max_in_flight,
            rate=config.rate,
            otp_reserve=config.otp_reserve,
            pool_timeout=config.pool_timeout.total_seconds(),
        )
        # What a waiter is told: `None` for a turn, or why there is none. An error that is set as a result is not
        # reported as forgotten when its waiter is cancelled before hearing of it.
        self._waiters: dict[Waiter, asyncio.Future[NotSent | None]] = {}
        self._deadlines: list[tuple[float, int, Waiter]] = []
        self._timer: asyncio.Handle | None = None
        self._timer_at = 0.0  # uvloop's handles for what is due at once do not know their time
        self._closed = False

    def try_acquire(self, *, otp: bool) -> bool:
        """A turn right now, or none."""
        if self._closed or not self._admission.try_acquire(now := self._loop.time(), otp=otp):
            return False
        if self._waiters:
            self._set_timer(now)
        return True

    async def acquire(self, *, otp: bool, deadline: float | None = None) -> None:
        """Wait for a turn, until `deadline` on the loop's clock at most.

        Raises `PoolTimeout` when slots were lacking for `pool_timeout`, `DeadlinePassed` as soon as no turn can come
        in time, and `ClientClosed`.
        """
        if self._closed:
            raise ClientClosed("the client is closed; nothing was sent. Send it with an open client")
        now = self._loop.time()
        if deadline is not None and deadline <= max(now, self._admission.paused_until):
            raise self._deadline_error(now)
        if self._admission.try_acquire(now, otp=otp):
            self._set_timer(now)
            return
        ticket = self._admission.enqueue(now, otp=otp)
        told = self._waiters[ticket] = self._loop.create_future()
        if deadline is not None:
            self._push_deadline(deadline, ticket)
        self._set_timer(now)
        try:
            refusal = await told
        except asyncio.CancelledError:
            self._waiters.pop(ticket, None)
            self._admission.cancel(ticket)  # it may have become a turn in the meantime
            self._admit_ready()
            raise
        if refusal is None and self._closed:  # between the grant and now
            self.release(otp=otp)
            refusal = _closed_meanwhile()
        if refusal is not None:
            raise refusal

    def release(self, *, otp: bool) -> None:
        """End a turn, and give it to whoever waits for one; `otp` as it was taken."""
        self._admission.release(otp=otp)
        if self._waiters:
            self._admit_ready()

    def pause(self, seconds: float) -> None:
        """Let nobody go for so long; a longer hold stays what it is.

        To be called before the turn of the throttled request ends, which else goes to the next at once.
        """
        now = self._loop.time()
        self._admission.pause(now, now + seconds)
        self._admit_ready()

    def record_success(self, started_at: float) -> None:
        """A request that started then came through: widen again what throttling had narrowed."""
        if self._admission.record_success(started_at):
            self._admit_ready()

    def record_throttled(self, started_at: float) -> None:
        """Routee throttled a request that started then: send half as much."""
        self._admission.record_throttled(self._loop.time(), started_at)
        self._admit_ready()

    def close(self) -> None:
        """Give no more turns; whoever waits for one gets `ClientClosed` at once."""
        self._closed = True
        for ticket in list(self._waiters):
            self._reject(ticket, _closed_meanwhile())
        if self._timer is not None:
            self._timer.cancel()

    def _admit_ready(self) -> None:
        """Tell those whose wait is over, and come back when time alone ends the next."""
        now = self._loop.time()
        self._reject_expired(now)
        for ticket in self._admission.admit_ready(now):
            self._resolve(ticket, None)
        for ticket in self._admission.timed_out(now):
            self._reject(ticket, self._pool_timeout_error(ticket))
        self._set_timer(now)

    def _reject_expired(self, now: float) -> None:
        """Refuse those whose deadline has passed, or will before the hold is over."""
        lost = max(now, self._admission.paused_until)
        while self._deadlines and self._deadlines[0][0] <= lost:
            ticket = heappop(self._deadlines)[-1]
            if ticket in self._waiters:
                self._reject(ticket, self._deadline_error(now))

    def _push_deadline(self, deadline: float, waiter: Waiter) -> None:
        heappush(self._deadlines, (deadline, waiter.sequence, waiter))
        if len(self._deadlines) > 2 * len(self._waiters):  # most are of those who wait no longer
            self._deadlines = sorted(noted for noted in self._deadlines if noted[-1] in self._waiters)

    def _reject(self, waiter: Waiter, error: NotSent) -> None:
        self._admission.cancel(waiter)
        self._resolve(waiter, error)

    def _resolve(self, waiter: Waiter, error: NotSent | None) -> None:
        told = self._waiters.pop(waiter)
        if not told.done():  # else it was cancelled, which its waiter is about to learn
            told.set_result(error)

    def _set_timer(self, now: float) -> None:
        moment = self._admission.next_wakeup()
        if moment is None:
            return
        if self._deadlines:
            moment = min(moment, self._deadlines[0][0])
        moment = max(moment, now + MIN_TIMER_DELAY)
        # One that comes too early finds nothing to do and is set anew: cheaper than to set it anew at each turn.
        if self._timer is not None:
            if self._timer_at <= moment:
                return
            self._timer.cancel()
        self._timer, self._timer_at = self._loop.call_at(moment, self._on_timer), moment

    def _on_timer(self) -> None:
        self._timer = None
        self._admit_ready()

    def _pool_timeout_error(self, waiter: Waiter) -> PoolTimeout:
        most, slots = self._max_in_flight, self._admission.slots(otp=waiter.otp)
        if self._admission.slots(otp=True) < most:
            return PoolTimeout(
                f"the {slots} of {most} connections that are used while Routee throttles the client stayed busy for "
                f"{self._pool_timeout}; nothing was sent. Send less at once, or raise pool_timeout"
            )
        connections = f"{slots} connections" if slots == most else f"{slots} of {most} connections not kept for OTPs"
        return PoolTimeout(
            f"all {connections} stayed busy for {self._pool_timeout}; nothing was sent. "
            f"Raise {self._setting} or pool_timeout, or send less at once"
        )

    def _deadline_error(self, now: float) -> DeadlinePassed:
        held_for = self._admission.paused_until - now
        why = (
            f"the client, throttled by Routee, pauses for another {held_for:.3g} seconds, past the deadline"
            if held_for > 0
            else "the deadline passed before there was a turn to send"
        )
        return DeadlinePassed(f"{why}; nothing was sent. Allow more time, or send less at once")


def _closed_meanwhile() -> ClientClosed:
    return ClientClosed("the client was closed while this waited; nothing was sent. Send it with an open client")
