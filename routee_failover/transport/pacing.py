"""Who may send next: so many at once, so many a second, nobody while Routee asks for a pause, and room kept for OTPs.

It only decides. Time comes in as a number and nobody waits here: `turns.py` does the waiting, in one event loop.
"""

import math
from collections import OrderedDict
from itertools import count

BURST = 0.1
"""How many seconds' worth of a rate may start at once, so that a timer that fires late costs nothing of the rate."""

LOWEST_FACTOR = 1 / 64
"""However often Routee throttles, this part of the rate is kept, so that there are successes to recover by."""


def _whole(number: float) -> int:
    # 0.29 of 100 is 28.999999999999996 in floats.
    return math.floor(number + 1e-9)


class Ticket:
    """A place in the line; once it is `granted`, a turn."""

    __slots__ = ("arrival", "granted", "otp", "starves_at")

    def __init__(self, arrival: int, *, otp: bool, starves_at: float) -> None:
        self.arrival: int = arrival
        self.otp: bool = otp
        self.starves_at: float = starves_at
        self.granted: bool = False


class _Gate:
    """Lets so many through at once, and spaces them by GCRA, a token bucket that needs no more than one moment."""

    __slots__ = ("_interval", "_tolerance", "next_at", "slots", "under_way")

    def __init__(self) -> None:
        self.under_way = 0
        self.next_at = -math.inf

    def set(self, slots: int, rate: float | None) -> None:
        self.slots = slots
        self._interval = 1 / rate if rate else 0.0
        self._tolerance = max(0.0, BURST - self._interval)

    def enter(self, now: float) -> None:
        self.under_way += 1
        if self._interval:
            self.next_at = max(self.next_at, now - self._tolerance) + self._interval


class _Lane:
    """Those who wait for the same gates, in order of arrival, and a clock that runs while slots are what they lack."""

    __slots__ = ("clock", "gates", "lacks_slot", "line")

    def __init__(self, *gates: _Gate) -> None:
        self.gates = gates
        self.line: OrderedDict[Ticket, None] = OrderedDict()
        self.clock = 0.0
        self.lacks_slot = False

    @property
    def head(self) -> Ticket:
        return next(iter(self.line))

    @property
    def slots(self) -> int:
        return min(gate.slots for gate in self.gates)

    @property
    def next_at(self) -> float:
        return max(gate.next_at for gate in self.gates)

    # These two are asked at each turn; `all` and `any` would take twice as long.

    def is_open(self, now: float) -> bool:
        for gate in self.gates:  # noqa: SIM110
            if gate.under_way >= gate.slots or now < gate.next_at:
                return False
        return True

    def is_full(self) -> bool:
        for gate in self.gates:  # noqa: SIM110
            if gate.under_way >= gate.slots:
                return True
        return False

    def enter(self, now: float) -> None:
        for gate in self.gates:
            gate.enter(now)

    def end(self) -> None:
        for gate in self.gates:
            gate.under_way -= 1


class Pacer:
    """Decides who may go. Times are seconds of one monotonic clock, and `now` never goes back.

    All requests pass one gate. Those that carry no one-time password pass a second, narrower one: what it leaves of
    slots and rate is kept for OTPs. Of all who wait and could go, the first to have come goes first.

    `finished`, `leave` and `succeeded` are told no time, which would cost something also while nobody waits. While
    somebody does, `grant` is to be asked right after them, and `starved` and `look_again_at` after that.
    """

    def __init__(
        self, *, concurrency: int, rate: float | None = None, otp_reserve: float = 0.1, pool_timeout: float = math.inf
    ) -> None:
        self._concurrency = concurrency
        self._rate = rate
        self._otp_share = otp_reserve
        self._pool_timeout = pool_timeout
        self._held_until = -math.inf
        self._decreased_at = -math.inf
        self._clocks_run_from = -math.inf
        self._arrivals = count()
        self._all = _Gate()
        self._rest = _Gate()
        self._lanes = _Lane(self._all, self._rest), _Lane(self._all)  # of all others, and of OTPs: `_lanes[otp]`
        self._set_factor(1.0)

    @property
    def held_until(self) -> float:
        """Nobody goes before this moment."""
        return self._held_until

    def slots(self, *, otp: bool) -> int:
        """How many requests of this kind may be under way at once, as things stand."""
        return self._lanes[otp].slots

    def take(self, now: float, *, otp: bool) -> bool:
        """A turn right now, unless there is none or somebody who waits could have it."""
        lanes = self._lanes
        lane = lanes[otp]
        somebody_waits = lanes[0].line or lanes[1].line
        if now < self._held_until or not lane.is_open(now) or (somebody_waits and self._next(now) is not None):
            return False
        lane.enter(now)
        if somebody_waits:
            self._run_clocks(now)
        return True

    def join(self, now: float, *, otp: bool) -> Ticket:
        """A place at the end of the line. `grant` says when it has become a turn."""
        self._run_clocks(now)
        lane = self._lanes[otp]
        ticket = Ticket(next(self._arrivals), otp=otp, starves_at=lane.clock + self._pool_timeout)
        lane.line[ticket] = None
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """Give up the place, or the turn that it has become. A second time does nothing."""
        self._lanes[ticket.otp].line.pop(ticket, None)
        if ticket.granted:
            ticket.granted = False
            self.finished(otp=ticket.otp)

    def grant(self, now: float) -> list[Ticket]:
        """Who may go now, in this order; each holds a turn from here on, until it is `finished`."""
        granted: list[Ticket] = []
        while (ticket := self._next(now)) is not None:
            lane = self._lanes[ticket.otp]
            del lane.line[ticket]
            lane.enter(now)
            ticket.granted = True
            granted.append(ticket)
        self._run_clocks(now)
        return granted

    def finished(self, *, otp: bool) -> None:
        """A turn ended."""
        self._lanes[otp].end()

    def starved(self, now: float) -> list[Ticket]:
        """Who has waited for `pool_timeout` while slots were lacking; waiting for the rate or a hold does not count."""
        starved: list[Ticket] = []
        for lane in self._lanes:
            clock = self._clock(lane, now)
            for ticket in lane.line:  # who came later starves later
                if clock < ticket.starves_at:
                    break
                starved.append(ticket)
        return starved

    def look_again_at(self) -> float | None:
        """When time alone lets somebody go or starve; `None` if only the end of a turn can."""
        moment = math.inf
        for lane in self._lanes:
            if lane.line:
                starves_at = self._clocks_run_from + (lane.head.starves_at - lane.clock)
                moment = min(moment, starves_at if lane.lacks_slot else max(self._held_until, lane.next_at))
        return None if moment == math.inf else moment

    def hold(self, now: float, until: float) -> None:
        """Let nobody go before `until`; a longer hold stays what it is."""
        self._held_until = max(self._held_until, until)
        self._run_clocks(now)

    def throttled(self, now: float, started: float) -> None:
        """A request that started then was too much: halve slots and rate, once for all requests of one incident."""
        # Clocks may be coarse: what started in the moment of the decrease may have started before it.
        if started > self._decreased_at:
            self._decreased_at = now
            self._set_factor(max(LOWEST_FACTOR, self._factor / 2))
            self._run_clocks(now)

    def succeeded(self, started: float) -> bool:
        """A request that started then came through: widen by a slot for as many successes as there are slots, like TCP.

        Says whether there is more room now. What started before the last decrease tells nothing about what came of it.
        """
        if self._factor == 1 or started <= self._decreased_at:
            return False
        self._set_factor(min(1.0, self._factor + 1 / (self._concurrency * self._all.slots)))
        return True

    def _set_factor(self, factor: float) -> None:
        self._factor = factor
        slots = max(1, _whole(self._concurrency * factor))
        kept = _whole(slots * self._otp_share)
        rate = self._rate and self._rate * factor
        self._all.set(slots, rate)
        self._rest.set(max(1, slots - kept), rate and rate * (1 - self._otp_share))

    def _next(self, now: float) -> Ticket | None:
        """The first of those who wait and may go."""
        first: Ticket | None = None
        if now >= self._held_until:
            for lane in self._lanes:
                if lane.line and lane.is_open(now) and (first is None or lane.head.arrival < first.arrival):
                    first = lane.head
        return first

    def _clock(self, lane: _Lane, now: float) -> float:
        return lane.clock + max(0.0, now - self._clocks_run_from) if lane.lacks_slot else lane.clock

    def _run_clocks(self, now: float) -> None:
        """Bring the clocks up to `now`, by what was lacking until now, and see what is lacking from now on."""
        for lane in self._lanes:
            lane.clock = self._clock(lane, now)
            lane.lacks_slot = lane.is_full()
        self._clocks_run_from = max(now, self._held_until)
