"""Who may send next: so many at once, so many a second, nobody while Routee asks for a pause, and room kept for OTPs.

It only decides. Time comes in as a number and nobody waits here: `limiter.py` does the waiting, in one event loop.
"""

import math
from collections import OrderedDict
from itertools import count

BURST_SECONDS = 0.1
"""How many seconds' worth of a rate may start at once, so that a timer that fires late costs nothing of the rate."""

MIN_THROTTLE_FACTOR = 1 / 64
"""However often Routee throttles, this part of the rate is kept, so that there are successes to recover by."""


def _whole(number: float) -> int:
    # 0.29 of 100 is 28.999999999999996 in floats.
    return math.floor(number + 1e-9)


class Waiter:
    """A place in the line; once it is `granted`, a turn."""

    __slots__ = ("sequence", "admitted", "otp", "times_out_at")

    def __init__(self, sequence: int, *, otp: bool, times_out_at: float) -> None:
        self.sequence: int = sequence
        self.otp: bool = otp
        self.times_out_at: float = times_out_at
        self.admitted: bool = False


class _CapacityLimit:
    """Lets so many through at once, and spaces them by GCRA, a token bucket that needs no more than one moment."""

    __slots__ = ("_interval", "_tolerance", "next_allowed_at", "slots", "in_flight")

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
    """Those who wait for the same gates, in order of arrival, and a clock that runs while slots are what they lack."""

    __slots__ = ("clock", "limits", "lacks_slot", "waiters")

    def __init__(self, *limits: _CapacityLimit) -> None:
        self.limits = limits
        self.waiters: OrderedDict[Waiter, None] = OrderedDict()
        self.clock = 0.0
        self.lacks_slot = False

    @property
    def head(self) -> Waiter:
        return next(iter(self.waiters))

    @property
    def slots(self) -> int:
        return min(gate.slots for gate in self.limits)

    @property
    def next_allowed_at(self) -> float:
        return max(gate.next_allowed_at for gate in self.limits)

    # These two are asked at each turn; `all` and `any` would take twice as long.

    def can_admit(self, now: float) -> bool:
        for gate in self.limits:  # noqa: SIM110
            if gate.in_flight >= gate.slots or now < gate.next_allowed_at:
                return False
        return True

    def is_full(self) -> bool:
        for gate in self.limits:  # noqa: SIM110
            if gate.in_flight >= gate.slots:
                return True
        return False

    def acquire(self, now: float) -> None:
        for gate in self.limits:
            gate.acquire(now)

    def release(self) -> None:
        for gate in self.limits:
            gate.in_flight -= 1


class AdmissionControl:
    """Decides who may go. Times are seconds of one monotonic clock, and `now` never goes back.

    All requests pass one gate. Those that carry no one-time password pass a second, narrower one: what it leaves of
    slots and rate is kept for OTPs. Of all who wait and could go, the first to have come goes first.

    `finished`, `leave` and `succeeded` are told no time, which would cost something also while nobody waits. While
    somebody does, `grant` is to be asked right after them, and `starved` and `next_wakeup` after that.
    """

    def __init__(
        self, *, concurrency: int, rate: float | None = None, otp_reserve: float = 0.1, pool_timeout: float = math.inf
    ) -> None:
        self._concurrency = concurrency
        self._rate = rate
        self._otp_reserve = otp_reserve
        self._pool_timeout = pool_timeout
        self._paused_until = -math.inf
        self._decreased_at = -math.inf
        self._clocks_run_from = -math.inf
        self._arrivals = count()
        self._all = _CapacityLimit()
        self._non_otp = _CapacityLimit()
        self._queues = (
            _WaitQueue(self._all, self._non_otp),
            _WaitQueue(self._all),
        )  # of all others, and of OTPs: `_lanes[otp]`
        self._set_factor(1.0)

    @property
    def paused_until(self) -> float:
        """Nobody goes before this moment."""
        return self._paused_until

    def slots(self, *, otp: bool) -> int:
        """How many requests of this kind may be under way at once, as things stand."""
        return self._queues[otp].slots

    def try_acquire(self, now: float, *, otp: bool) -> bool:
        """A turn right now, unless there is none or somebody who waits could have it."""
        lanes = self._queues
        lane = lanes[otp]
        somebody_waits = lanes[0].waiters or lanes[1].waiters
        if now < self._paused_until or not lane.can_admit(now) or (somebody_waits and self._next(now) is not None):
            return False
        lane.acquire(now)
        if somebody_waits:
            self._run_clocks(now)
        return True

    def enqueue(self, now: float, *, otp: bool) -> Waiter:
        """A place at the end of the line. `grant` says when it has become a turn."""
        self._run_clocks(now)
        lane = self._queues[otp]
        ticket = Waiter(next(self._arrivals), otp=otp, times_out_at=lane.clock + self._pool_timeout)
        lane.waiters[ticket] = None
        return ticket

    def cancel(self, waiter: Waiter) -> None:
        """Give up the place, or the turn that it has become. A second time does nothing."""
        self._queues[waiter.otp].waiters.pop(waiter, None)
        if waiter.admitted:
            waiter.admitted = False
            self.release(otp=waiter.otp)

    def admit_ready(self, now: float) -> list[Waiter]:
        """Who may go now, in this order; each holds a turn from here on, until it is `finished`."""
        granted: list[Waiter] = []
        while (ticket := self._next(now)) is not None:
            lane = self._queues[ticket.otp]
            del lane.waiters[ticket]
            lane.acquire(now)
            ticket.admitted = True
            granted.append(ticket)
        self._run_clocks(now)
        return granted

    def release(self, *, otp: bool) -> None:
        """A turn ended."""
        self._queues[otp].release()

    def timed_out(self, now: float) -> list[Waiter]:
        """Who has waited for `pool_timeout` while slots were lacking; waiting for the rate or a hold does not count."""
        starved: list[Waiter] = []
        for lane in self._queues:
            clock = self._clock(lane, now)
            for ticket in lane.waiters:  # who came later starves later
                if clock < ticket.times_out_at:
                    break
                starved.append(ticket)
        return starved

    def next_wakeup(self) -> float | None:
        """When time alone lets somebody go or starve; `None` if only the end of a turn can."""
        moment = math.inf
        for lane in self._queues:
            if lane.waiters:
                starves_at = self._clocks_run_from + (lane.head.times_out_at - lane.clock)
                moment = min(moment, starves_at if lane.lacks_slot else max(self._paused_until, lane.next_allowed_at))
        return None if moment == math.inf else moment

    def pause(self, now: float, until: float) -> None:
        """Let nobody go before `until`; a longer hold stays what it is."""
        self._paused_until = max(self._paused_until, until)
        self._run_clocks(now)

    def record_throttled(self, now: float, started_at: float) -> None:
        """A request that started then was too much: halve slots and rate, once for all requests of one incident."""
        # Clocks may be coarse: what started in the moment of the decrease may have started before it.
        if started_at > self._decreased_at:
            self._decreased_at = now
            self._set_factor(max(MIN_THROTTLE_FACTOR, self._factor / 2))
            self._run_clocks(now)

    def record_success(self, started_at: float) -> bool:
        """A request that started then came through: widen by a slot for as many successes as there are slots, like TCP.

        Says whether there is more room now. What started before the last decrease tells nothing about what came of it.
        """
        if self._factor == 1 or started_at <= self._decreased_at:
            return False
        self._set_factor(min(1.0, self._factor + 1 / (self._concurrency * self._all.slots)))
        return True

    def _set_factor(self, factor: float) -> None:
        self._factor = factor
        slots = max(1, _whole(self._concurrency * factor))
        kept = _whole(slots * self._otp_reserve)
        rate = self._rate and self._rate * factor
        self._all.configure(slots, rate)
        self._non_otp.configure(max(1, slots - kept), rate and rate * (1 - self._otp_reserve))

    def _next(self, now: float) -> Waiter | None:
        """The first of those who wait and may go."""
        first: Waiter | None = None
        if now >= self._paused_until:
            for lane in self._queues:
                if lane.waiters and lane.can_admit(now) and (first is None or lane.head.sequence < first.sequence):
                    first = lane.head
        return first

    def _clock(self, queue: _WaitQueue, now: float) -> float:
        return queue.clock + max(0.0, now - self._clocks_run_from) if queue.lacks_slot else queue.clock

    def _run_clocks(self, now: float) -> None:
        """Bring the clocks up to `now`, by what was lacking until now, and see what is lacking from now on."""
        for lane in self._queues:
            lane.clock = self._clock(lane, now)
            lane.lacks_slot = lane.is_full()
        self._clocks_run_from = max(now, self._paused_until)
