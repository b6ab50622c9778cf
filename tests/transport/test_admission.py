"""Who may go next, in made-up time."""

import math
from collections.abc import Sequence

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from routee_failover._transport.admission import AdmissionControl, Waiter


def fill(pacer: AdmissionControl, now: float = 0.0, *, otp: bool = False) -> int:
    """Take as many turns as there are."""
    taken = 0
    while taken < 10_000 and pacer.try_acquire(now, otp=otp):
        taken += 1
    return taken


def end(pacer: AdmissionControl, turns: int, *, otp: bool = False) -> None:
    """End as many turns."""
    for _ in range(turns):
        pacer.release(otp=otp)


SLOTS = [(10, 0.1, 9), (9, 0.1, 9), (10, 0, 10), (100, 0.29, 71), (1, 0.9, 1), (1, 1 - 1e-12, 1)]


@pytest.mark.parametrize(("concurrency", "share", "others"), SLOTS)
def test_a_share_of_the_slots_is_kept_for_otps(concurrency: int, share: float, others: int) -> None:
    """Others get the slots but for the whole part of the share, one at least; OTPs get all that are left."""
    pacer = AdmissionControl(concurrency=concurrency, otp_reserve=share)
    assert (pacer.slots(otp=False), pacer.slots(otp=True)) == (others, concurrency)
    assert fill(pacer) == others
    assert fill(pacer, otp=True) == concurrency - others
    assert not pacer.try_acquire(0.0, otp=False)


def test_a_lane_that_is_shut_does_not_block_the_other() -> None:
    """An OTP goes past others that wait for a slot of theirs, whether it waits itself or takes its turn at once."""
    pacer = AdmissionControl(concurrency=10)
    fill(pacer)
    other, otp = pacer.enqueue(0.0, otp=False), pacer.enqueue(0.0, otp=True)
    assert pacer.admit_ready(0.0) == [otp]
    end(pacer, 1, otp=True)
    assert pacer.try_acquire(0.0, otp=True)
    end(pacer, 1)
    assert pacer.admit_ready(0.0) == [other]


@pytest.mark.parametrize("first", [True, False])
def test_who_came_first_goes_first(first: bool) -> None:
    """Of two who may go, the first to have come goes first, whichever carries an OTP; nobody takes past either."""
    pacer = AdmissionControl(concurrency=2, otp_reserve=0)
    fill(pacer)
    waiting = [pacer.enqueue(0.0, otp=first), pacer.enqueue(0.0, otp=not first)]
    for ticket in waiting:
        end(pacer, 1)
        assert not pacer.try_acquire(0.0, otp=True)
        assert not pacer.try_acquire(0.0, otp=False)
        assert not ticket.admitted
        assert pacer.admit_ready(0.0) == [ticket]
        assert ticket.admitted


def test_who_leaves_gives_back_what_they_had() -> None:
    """A place that is left gets no turn, and a turn that is left is free again, once however often it is left."""
    pacer = AdmissionControl(concurrency=2, otp_reserve=0)
    fill(pacer)
    waiting, gone = pacer.enqueue(0.0, otp=False), pacer.enqueue(0.0, otp=True)
    pacer.cancel(gone)
    pacer.cancel(gone)
    end(pacer, 1)
    assert pacer.admit_ready(0.0) == [waiting]
    assert not gone.admitted
    pacer.cancel(waiting)
    pacer.cancel(waiting)
    assert fill(pacer) == 1


def test_nobody_goes_during_a_hold() -> None:
    """A hold stops all until its last moment, whether they come during it or wait already; none shortens another."""
    pacer = AdmissionControl(concurrency=2, otp_reserve=0)
    assert pacer.paused_until == -math.inf
    waiting = pacer.enqueue(0.0, otp=True)
    pacer.pause(0.0, 5.0)
    pacer.pause(1.0, 3.0)
    assert pacer.paused_until == 5.0
    assert not pacer.try_acquire(4.999, otp=True)
    assert pacer.admit_ready(4.999) == []
    assert pacer.next_wakeup() == 5.0
    assert pacer.admit_ready(5.0) == [waiting]
    assert pacer.try_acquire(5.0, otp=False)
    pacer.pause(5.0, 6.0)
    assert pacer.paused_until == 6.0


@pytest.mark.parametrize(("rate", "burst"), [(0.5, 1), (10, 1), (64, 6), (1015, 101)])
def test_a_rate_lets_a_tenth_of_a_second_through_at_once(rate: float, burst: int) -> None:
    """What the rate allows in 100 ms may start at once, one request at least; from there it goes at the rate."""
    pacer = AdmissionControl(concurrency=100_000, rate=rate, otp_reserve=0)
    assert fill(pacer) == burst
    for more in range(1, 100):
        pacer.enqueue(0.0, otp=True)
        moment = pacer.next_wakeup() or 0.0
        assert moment == pytest.approx((burst + more) / rate - max(0.1, 1 / rate))
        assert pacer.admit_ready(moment - 1e-9) == []
        assert len(pacer.admit_ready(moment)) == 1
    assert fill(pacer, 1000.0) == burst


def test_a_share_of_the_rate_is_kept_for_otps() -> None:
    """Others go at the rest of the rate, and OTPs at what others leave, which may be all."""
    pacer = AdmissionControl(concurrency=100_000, rate=1015, otp_reserve=0.25)
    assert (fill(pacer), fill(pacer, otp=True)) == (76, 25)
    steps = [10 + step / 100 for step in range(100)]
    assert sum(fill(pacer, now) for now in steps) == pytest.approx(761 * 1.09, abs=10)  # one burst, and 990 ms
    otps = sum(fill(pacer, now + 10, otp=True) for now in steps)
    assert otps == pytest.approx(1015 * 1.09, abs=10)
    both = [(fill(pacer, now + 20), fill(pacer, now + 20, otp=True)) for now in steps]
    assert sum(otps for _, otps in both) == pytest.approx(254 * 1.09, abs=10)


def test_a_throttle_halves_and_successes_widen_by_a_slot_a_window() -> None:
    """After a throttle, as many successes as there are slots bring one slot more, until all are back."""
    pacer = AdmissionControl(concurrency=8, otp_reserve=0.5)
    assert not pacer.record_success(0.0)
    pacer.record_throttled(1.0, started_at=0.0)
    for slots in range(4, 8):
        assert (pacer.slots(otp=True), pacer.slots(otp=False)) == (slots, slots - slots // 2)
        for _ in range(slots - 1):
            assert pacer.record_success(2.0)
        assert pacer.slots(otp=True) == slots
        assert pacer.record_success(2.0)
    assert pacer.slots(otp=True) == 8
    assert not pacer.record_success(2.0)
    pacer.record_throttled(3.0, started_at=2.0)
    assert pacer.slots(otp=True) == 4


def test_one_incident_halves_once() -> None:
    """What had started by the time of a decrease neither decreases again nor widens; what started later does."""
    pacer = AdmissionControl(concurrency=64)
    pacer.record_throttled(10.0, started_at=9.0)
    pacer.record_throttled(11.0, started_at=9.5)
    pacer.record_throttled(11.0, started_at=10.0)
    assert not pacer.record_success(10.0)
    assert pacer.slots(otp=True) == 32
    assert pacer.record_success(10.001)
    pacer.record_throttled(12.0, started_at=10.001)
    assert pacer.slots(otp=True) == 16
    pacer.record_throttled(13.0, started_at=11.9)
    assert pacer.slots(otp=True) == 16


def test_a_slot_and_a_64th_of_the_rate_are_always_left() -> None:
    """However often Routee throttles, a slot and a 64th of the rate remain, for OTPs and for others."""
    wide, narrow = AdmissionControl(concurrency=64_000, rate=64_960, otp_reserve=0.25), AdmissionControl(concurrency=3)
    for moment in range(10):
        wide.record_throttled(moment + 0.5, started_at=moment)
        narrow.record_throttled(moment + 0.5, started_at=moment)
    assert (wide.slots(otp=True), wide.slots(otp=False)) == (1000, 750)
    assert (fill(wide), fill(wide, otp=True)) == (76, 25)  # of 1015 a second, 100 ms at once
    assert (narrow.slots(otp=True), narrow.slots(otp=False)) == (1, 1)


def test_waiting_for_slots_starves_after_pool_timeout() -> None:
    """Who has lacked a slot for `pool_timeout` in all starves, at the moment foretold; a hold does not count."""
    pacer = AdmissionControl(concurrency=1, pool_timeout=2)
    pacer.try_acquire(0.0, otp=True)
    first = pacer.enqueue(1.0, otp=True)
    assert pacer.next_wakeup() == 3.0
    pacer.pause(2.0, 10.0)
    assert pacer.admit_ready(9.5) == []
    assert pacer.next_wakeup() == 11.0
    last = pacer.enqueue(10.5, otp=True)
    assert (pacer.timed_out(10.999), pacer.timed_out(11.0)) == ([], [first])
    pacer.cancel(first)
    assert pacer.next_wakeup() == 12.5
    assert (pacer.timed_out(12.499), pacer.timed_out(12.5)) == ([], [last])


def test_a_slot_that_others_get_past_who_waits_starts_the_clock() -> None:
    """Who waits for the rate waits for a slot as soon as an OTP takes the last one past them, or throttling does."""
    pacer = AdmissionControl(concurrency=1, rate=8, otp_reserve=0.5, pool_timeout=2)
    pacer.try_acquire(0.0, otp=False)
    pacer.release(otp=False)
    pacer.enqueue(0.125, otp=False)
    assert pacer.next_wakeup() == 0.25
    assert pacer.try_acquire(0.125, otp=True)
    assert pacer.next_wakeup() == 2.125
    pacer = AdmissionControl(concurrency=2, rate=1, otp_reserve=0, pool_timeout=2)
    pacer.try_acquire(0.0, otp=False)
    pacer.enqueue(0.0, otp=False)
    assert pacer.next_wakeup() == 1.0
    pacer.record_throttled(0.5, started_at=0.0)
    assert pacer.next_wakeup() == 2.5


def test_what_holds_where_nothing_is_said() -> None:
    """By default a tenth is kept for OTPs, there is no rate, and only the end of a turn helps who waits for a slot."""
    pacer = AdmissionControl(concurrency=1000)
    assert (fill(pacer), fill(pacer, otp=True)) == (900, 100)
    assert pacer.next_wakeup() is None
    pacer.enqueue(0.0, otp=False)
    assert (pacer.next_wakeup(), pacer.timed_out(1e9)) == (None, [])


TICK = 1 / 1024
"""All moments of the machine are multiples of it, and so exact in floats."""


class _Bucket:
    """A token bucket, as it is described everywhere."""

    def __init__(self, rate: float) -> None:
        self.rate, self.since = rate, 0.0
        self.tokens = self.size = max(1.0, rate / 10)

    def has_one(self, now: float) -> bool:
        self.tokens, self.since = min(self.size, self.tokens + (now - self.since) * self.rate), now
        return self.tokens > 1 - 1e-9


class _Pacing(RuleBasedStateMachine):
    """A pacer beside a model that always looks at everybody. It takes the number of slots from the pacer itself."""

    buckets: Sequence[_Bucket] = ()

    @initialize(
        concurrency=st.sampled_from([1, 2, 3, 8]),
        rate=st.sampled_from([None, None, 1, 4, 16, 64]),
        share=st.sampled_from([0, 0.125, 0.25, 0.5, 0.75]),
        timeout=st.sampled_from([0.25, 2]),
    )
    def open(self, concurrency: int, rate: float | None, share: float, timeout: float) -> None:
        self.pacer = AdmissionControl(concurrency=concurrency, rate=rate, otp_reserve=share, pool_timeout=timeout)
        self.timeout = timeout
        self.buckets = [_Bucket(rate * (1 - share)), _Bucket(rate)] if rate else []  # others pass both, OTPs the last
        self.now, self.held = 0.0, -math.inf
        self.under_way: list[tuple[bool, float]] = []
        self.starts: list[tuple[bool, float]] = []
        self.waiting: dict[Waiter, float] = {}  # in order of arrival, with how long they lacked a slot

    def lacks_slot(self, otp: bool) -> bool:
        others = [1 for is_otp, _ in self.under_way if not is_otp]
        all_taken = len(self.under_way) >= self.pacer.slots(otp=True)
        return all_taken or (not otp and len(others) >= self.pacer.slots(otp=False))

    def may_go(self, otp: bool) -> bool:
        in_rate = all(bucket.has_one(self.now) for bucket in self.buckets[otp:])
        return self.now >= self.held and in_rate and not self.lacks_slot(otp)

    def next(self) -> Waiter | None:
        return next((ticket for ticket in self.waiting if self.may_go(ticket.otp)), None)

    def start(self, otp: bool) -> None:
        for bucket in self.buckets[otp:]:
            bucket.tokens -= 1
        self.under_way.append((otp, self.now))
        self.starts.append((otp, self.now))

    @rule(otp=st.booleans())
    def take(self, otp: bool) -> None:
        may = self.may_go(otp) and self.next() is None
        assert self.pacer.try_acquire(self.now, otp=otp) is may
        if may:
            self.start(otp)

    @rule(otp=st.booleans())
    def join(self, otp: bool) -> None:
        self.waiting[self.pacer.enqueue(self.now, otp=otp)] = 0.0

    @rule()
    def grant(self) -> None:
        expected: list[Waiter] = []
        while (ticket := self.next()) is not None:
            del self.waiting[ticket]
            self.start(ticket.otp)
            expected.append(ticket)
        assert self.pacer.admit_ready(self.now) == expected

    @precondition(lambda self: self.waiting)
    @rule(pick=st.integers(0, 99))
    def leave(self, pick: int) -> None:
        self.drop([list(self.waiting)[pick % len(self.waiting)]])

    def drop(self, tickets: list[Waiter]) -> None:
        for ticket in tickets:
            self.pacer.cancel(ticket)
            del self.waiting[ticket]

    @precondition(lambda self: self.under_way)
    @rule(pick=st.integers(0, 99), fate=st.sampled_from(["ended", "succeeded", "throttled"]))
    def finish(self, pick: int, fate: str) -> None:
        otp, started = self.under_way.pop(pick % len(self.under_way))
        self.pacer.release(otp=otp)
        if fate == "succeeded":
            self.pacer.record_success(started)
        elif fate == "throttled" and not self.buckets:  # a bucket has no say about a rate that changes
            self.pacer.record_throttled(self.now, started)

    @rule(ticks=st.integers(0, 2048))
    def hold(self, ticks: int) -> None:
        self.held = max(self.held, self.now + ticks * TICK)
        self.pacer.pause(self.now, self.now + ticks * TICK)
        assert self.pacer.paused_until == self.held

    def pass_to(self, moment: float) -> list[Waiter]:
        """Who starves by then. Nothing else happens in the meantime."""
        lacked = max(0.0, moment - max(self.now, self.held))
        for ticket in self.waiting:
            if self.lacks_slot(ticket.otp):
                self.waiting[ticket] += lacked
        self.now = moment
        starved = self.pacer.timed_out(moment)
        assert set(starved) == {ticket for ticket, lacked in self.waiting.items() if lacked >= self.timeout}
        return starved

    @rule(ticks=st.integers(1, 512))
    def pass_time(self, ticks: int) -> None:
        self.grant()
        self.drop(self.pass_to(self.now + ticks * TICK))

    @rule()
    def leap(self) -> None:
        """Nobody goes or starves before the moment that was foretold, and somebody does then."""
        self.grant()
        moment = self.pacer.next_wakeup()
        assert (moment is None) is (not self.waiting)
        if moment is not None:
            assert self.pass_to((math.ceil(moment / TICK) - 1) * TICK) == []
            assert self.next() is None
            starved = self.pass_to(math.ceil(moment / TICK) * TICK)
            assert starved or self.next() is not None
            self.drop(starved)

    def teardown(self) -> None:
        """In no window have more started than the rate allows, and one burst."""
        for past, bucket in enumerate(self.buckets):
            starts = [moment for otp, moment in self.starts if not otp or past]
            for first, since in enumerate(starts):
                for number, until in enumerate(starts[first:], start=1):
                    assert number <= bucket.rate * (until - since) + bucket.size + 1e-6


TestPacing = _Pacing.TestCase
TestPacing.settings = settings(stateful_step_count=60)
