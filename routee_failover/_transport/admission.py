"""Admission control: concurrency limit, rate limit (GCRA), throttle pause, and the capacity reserved for OTPs.

Sans-I/O: time is passed in as a number, and nothing waits here. `limiter.py` does the waiting, in one event loop.
"""

import math
from collections import OrderedDict
from itertools import count

import attrs

BURST_SECONDS = 0.1
"""Burst size of the rate limit, in seconds of the rate: a timer that fires late then costs no throughput."""

MIN_THROTTLE_FACTOR = 1 / 64
"""Lower bound of the throttle factor. However often Routee throttles, this share of concurrency and rate remains:
the limits recover through successes, and without requests there are none."""


def _floor(number: float) -> int:
    # As floats, 0.29 * 100 is 28.999999999999996.
    return math.floor(number + 1e-9)


@attrs.define(eq=False)
class Waiter:
    """A request that waits in a queue; once it is `admitted`, it holds a slot."""

    sequence: int
    otp: bool = attrs.field(kw_only=True)
    times_out_at: float = attrs.field(kw_only=True)
    admitted: bool = attrs.field(default=False, init=False)


class _CapacityLimit:
    """Concurrency and rate limit. The rate limit is GCRA, a token bucket whose only state is one point in time."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.next_allowed_at = -math.inf

    def configure(self, slots: int, rate: float | None) -> None:
        self.slots = slots
        self._interval = 1 / rate if rate else 0.0
        self._tolerance = max(0.0, BURST_SECONDS - self._interval)

    def acquire(self, now: float) -> None:
        self.in_flight += 1
        if self._interval:
            self.next_allowed_at = max(self.next_allowed_at, now - self._tolerance) + self._interval


class _WaitQueue:
    """First-in-first-out queue of the waiters that share the same limits.

    `clock` counts the seconds in which no slot was free; `pool_timeout` is measured by it.
    """

    def __init__(self, *limits: _CapacityLimit) -> None:
        self.limits = limits
        self.waiters: OrderedDict[Waiter, None] = OrderedDict()
        self.clock = 0.0
        self.lacks_slot = False

    @property
    def head(self) -> Waiter:
        return next(iter(self.waiters))

    # These two run for every request; `all` and `any` would take twice as long.

    def can_admit(self, now: float) -> bool:
        for limit in self.limits:  # noqa: SIM110
            if limit.in_flight >= limit.slots or now < limit.next_allowed_at:
                return False
        return True

    def is_full(self) -> bool:
        for limit in self.limits:  # noqa: SIM110
            if limit.in_flight >= limit.slots:
                return True
        return False

    def acquire(self, now: float) -> None:
        for limit in self.limits:
            limit.acquire(now)

    def release(self) -> None:
        for limit in self.limits:
            limit.in_flight -= 1


class AdmissionControl:
    """Decides which requests may start. Times are seconds of one monotonic clock, and `now` never goes back.

    All requests pass one limit. Requests without a one-time password pass a second, narrower one: the slots and the
    rate that it leaves are reserved for OTPs. Of all waiters that could be admitted, the one that waits longest is
    admitted first.

    `release`, `cancel` and `record_success` take no time, because reading the clock has a cost even while there are no
    waiters. While there are waiters, call `admit_ready` right after them, and then `timed_out` and `next_wakeup`.
    """

    def __init__(
        self, *, concurrency: int, rate: float | None = None, otp_reserve: float = 0.1, pool_timeout: float = math.inf
    ) -> None:
        self._concurrency = concurrency
        self._rate = rate
        self._otp_reserve = otp_reserve
        self._pool_timeout = pool_timeout
        self.paused_until: float = -math.inf
        """The end of the throttle pause: no request is admitted before this time."""
        self._decreased_at = -math.inf
        self._clocks_updated_at = -math.inf
        self._sequence = count()
        self._all = _CapacityLimit()
        self._non_otp = _CapacityLimit()
        # Indexed by `otp`: the queue of all other requests, and the queue of OTPs.
        self._queues = (_WaitQueue(self._all, self._non_otp), _WaitQueue(self._all))
        self._set_factor(1.0)

    def slots(self, *, otp: bool) -> int:
        """Return how many requests of this kind may currently be in flight at once."""
        return min(limit.slots for limit in self._queues[otp].limits)

    def try_acquire(self, now: float, *, otp: bool) -> bool:
        """Acquire a slot without waiting; return False if none is free, or a waiter could be admitted to it."""
        queues = self._queues
        queue = queues[otp]
        has_waiters = queues[0].waiters or queues[1].waiters
        if now < self.paused_until or not queue.can_admit(now) or (has_waiters and self._next(now) is not None):
            return False
        queue.acquire(now)
        if has_waiters:
            self._run_clocks(now)
        return True

    def enqueue(self, now: float, *, otp: bool) -> Waiter:
        """Add a waiter at the end of its queue. `admit_ready` returns it once it has been admitted."""
        self._run_clocks(now)
        queue = self._queues[otp]
        waiter = Waiter(next(self._sequence), otp=otp, times_out_at=queue.clock + self._pool_timeout)
        queue.waiters[waiter] = None
        return waiter

    def cancel(self, waiter: Waiter) -> None:
        """Remove a waiter from its queue, or release its slot if it has been admitted. A second call does nothing."""
        self._queues[waiter.otp].waiters.pop(waiter, None)
        if waiter.admitted:
            waiter.admitted = False
            self.release(otp=waiter.otp)

    def admit_ready(self, now: float) -> list[Waiter]:
        """Admit waiters in order and return them; each holds a slot from now on, until `release`."""
        admitted_waiters: list[Waiter] = []
        while (waiter := self._next(now)) is not None:
            queue = self._queues[waiter.otp]
            del queue.waiters[waiter]
            queue.acquire(now)
            waiter.admitted = True
            admitted_waiters.append(waiter)
        self._run_clocks(now)
        return admitted_waiters

    def release(self, *, otp: bool) -> None:
        """Release a slot."""
        self._queues[otp].release()

    def timed_out(self, now: float) -> list[Waiter]:
        """Return the waiters for which no slot was free for `pool_timeout` in total.

        Time spent waiting for the rate limit or in a throttle pause does not count.
        """
        expired: list[Waiter] = []
        for queue in self._queues:
            clock = self._clock(queue, now)
            for waiter in queue.waiters:  # in a queue, later waiters time out later
                if clock < waiter.times_out_at:
                    break
                expired.append(waiter)
        return expired

    def next_wakeup(self) -> float | None:
        """Return when time alone admits or times out a waiter; `None` if only a release can change anything."""
        wakeup = math.inf
        for queue in self._queues:
            if queue.waiters:
                timeout_at = self._clocks_updated_at + (queue.head.times_out_at - queue.clock)
                allowed_at = max(self.paused_until, *(limit.next_allowed_at for limit in queue.limits))
                wakeup = min(wakeup, timeout_at if queue.lacks_slot else allowed_at)
        return None if wakeup == math.inf else wakeup

    def pause(self, now: float, until: float) -> None:
        """Admit no request before `until`. A pause that ends later stays in force."""
        self.paused_until = max(self.paused_until, until)
        self._run_clocks(now)

    def record_throttled(self, now: float, started_at: float) -> None:
        """Record that Routee throttled a request started at `started_at`, and halve slots and rate.

        All requests that started before the last decrease belong to the same incident and change nothing more.
        """
        # Clocks may be coarse: a request that started at the time of the decrease may have started before it.
        if started_at > self._decreased_at:
            self._decreased_at = now
            self._set_factor(max(MIN_THROTTLE_FACTOR, self._factor / 2))
            self._run_clocks(now)

    def record_success(self, started_at: float) -> bool:
        """Record a success of a request started at `started_at`; return whether it raised the limits.

        Like TCP's congestion avoidance, the limit grows by one slot per as many successes as there are slots. A request
        that started before the last decrease says nothing about the effect of that decrease, and is ignored.
        """
        if self._factor == 1 or started_at <= self._decreased_at:
            return False
        self._set_factor(min(1.0, self._factor + 1 / (self._concurrency * self._all.slots)))
        return True

    def _set_factor(self, factor: float) -> None:
        self._factor = factor
        slots = max(1, _floor(self._concurrency * factor))
        reserved = _floor(slots * self._otp_reserve)
        rate = self._rate and self._rate * factor
        self._all.configure(slots, rate)
        self._non_otp.configure(max(1, slots - reserved), rate and rate * (1 - self._otp_reserve))

    def _next(self, now: float) -> Waiter | None:
        """Return the longest-waiting of the waiters that can be admitted now."""
        first: Waiter | None = None
        if now >= self.paused_until:
            for queue in self._queues:
                if queue.waiters and queue.can_admit(now) and (first is None or queue.head.sequence < first.sequence):
                    first = queue.head
        return first

    def _clock(self, queue: _WaitQueue, now: float) -> float:
        return queue.clock + max(0.0, now - self._clocks_updated_at) if queue.lacks_slot else queue.clock

    def _run_clocks(self, now: float) -> None:
        """Advance the clock of each queue that lacked a slot to `now`, and record which lack a slot from now on."""
        for queue in self._queues:
            queue.clock = self._clock(queue, now)
            queue.lacks_slot = queue.is_full()
        self._clocks_updated_at = max(now, self.paused_until)
