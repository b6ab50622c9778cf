"""Admission control in simulated time: order, rate limit, throttling, pool timeout and the OTP reserve."""

import math
from collections.abc import Sequence

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from routee_failover._transport.admission import AdmissionControl, Waiter


def fill(admission: AdmissionControl, now: float = 0.0, *, otp: bool = False) -> int:
    """Acquire as many slots as there are; return their number."""
    acquired = 0
    while acquired < 10_000 and admission.try_acquire(now, otp=otp):
        acquired += 1
    return acquired


def release(admission: AdmissionControl, slots: int, *, otp: bool = False) -> None:
    """Release this many slots."""
    for _ in range(slots):
        admission.release(otp=otp)


SLOTS = [(10, 0.1, 9), (9, 0.1, 9), (10, 0, 10), (100, 0.29, 71), (1, 0.9, 1), (1, 1 - 1e-12, 1)]


@pytest.mark.parametrize(("concurrency", "reserve", "others"), SLOTS)
def test_share_of_the_slots_is_reserved_for_otps(concurrency: int, reserve: float, others: int) -> None:
    """Other requests get all slots except the reserve, rounded down, and at least one; OTPs get all that are free."""
    admission = AdmissionControl(concurrency=concurrency, otp_reserve=reserve)
    assert (admission.slots(otp=False), admission.slots(otp=True)) == (others, concurrency)
    assert fill(admission) == others
    assert fill(admission, otp=True) == concurrency - others
    assert not admission.try_acquire(0.0, otp=False)


def test_otp_passes_requests_that_wait_for_an_unreserved_slot() -> None:
    """An OTP is admitted before others that wait for an unreserved slot, whether it waits itself or not."""
    admission = AdmissionControl(concurrency=10)
    fill(admission)
    other, otp = admission.enqueue(0.0, otp=False), admission.enqueue(0.0, otp=True)
    assert admission.admit_ready(0.0) == [otp]
    release(admission, 1, otp=True)
    assert admission.try_acquire(0.0, otp=True)
    release(admission, 1)
    assert admission.admit_ready(0.0) == [other]


@pytest.mark.parametrize("first_is_otp", [True, False])
def test_longest_waiter_is_admitted_first(first_is_otp: bool) -> None:
    """Of two waiters the longer-waiting is admitted first, whichever is an OTP; no other request passes them."""
    admission = AdmissionControl(concurrency=2, otp_reserve=0)
    fill(admission)
    waiting = [admission.enqueue(0.0, otp=first_is_otp), admission.enqueue(0.0, otp=not first_is_otp)]
    for waiter in waiting:
        release(admission, 1)
        assert not admission.try_acquire(0.0, otp=True)
        assert not admission.try_acquire(0.0, otp=False)
        assert not waiter.admitted
        assert admission.admit_ready(0.0) == [waiter]
        assert waiter.admitted


def test_cancelled_waiter_releases_its_slot_once() -> None:
    """A waiter cancelled in the queue gets no slot; one cancelled after admission releases its slot, but only once."""
    admission = AdmissionControl(concurrency=2, otp_reserve=0)
    fill(admission)
    waiting, cancelled = admission.enqueue(0.0, otp=False), admission.enqueue(0.0, otp=True)
    admission.cancel(cancelled)
    admission.cancel(cancelled)
    release(admission, 1)
    assert admission.admit_ready(0.0) == [waiting]
    assert not cancelled.admitted
    admission.cancel(waiting)
    admission.cancel(waiting)
    assert fill(admission) == 1


def test_no_request_is_admitted_during_a_pause() -> None:
    """A pause stops new requests and waiters until its very end; a shorter pause does not shorten it."""
    admission = AdmissionControl(concurrency=2, otp_reserve=0)
    assert admission.paused_until == -math.inf
    waiting = admission.enqueue(0.0, otp=True)
    admission.pause(0.0, 5.0)
    admission.pause(1.0, 3.0)
    assert admission.paused_until == 5.0
    assert not admission.try_acquire(4.999, otp=True)
    assert admission.admit_ready(4.999) == []
    assert admission.next_wakeup() == 5.0
    assert admission.admit_ready(5.0) == [waiting]
    assert admission.try_acquire(5.0, otp=False)
    admission.pause(5.0, 6.0)
    assert admission.paused_until == 6.0


@pytest.mark.parametrize(("rate", "burst"), [(0.5, 1), (10, 1), (64, 6), (1015, 101)])
def test_rate_limit_admits_a_burst_of_100_ms(rate: float, burst: int) -> None:
    """The requests of 100 ms, at least one, are admitted at once; the following ones at the rate."""
    admission = AdmissionControl(concurrency=100_000, rate=rate, otp_reserve=0)
    assert fill(admission) == burst
    for more in range(1, 100):
        admission.enqueue(0.0, otp=True)
        when = admission.next_wakeup() or 0.0
        assert when == pytest.approx((burst + more) / rate - max(0.1, 1 / rate))
        assert admission.admit_ready(when - 1e-9) == []
        assert len(admission.admit_ready(when)) == 1
    assert fill(admission, 1000.0) == burst


def test_share_of_the_rate_is_reserved_for_otps() -> None:
    """Other requests get the rate minus the reserve, OTPs get what others leave, up to the whole rate."""
    admission = AdmissionControl(concurrency=100_000, rate=1015, otp_reserve=0.25)
    assert (fill(admission), fill(admission, otp=True)) == (76, 25)
    steps = [10 + step / 100 for step in range(100)]
    assert sum(fill(admission, now) for now in steps) == pytest.approx(761 * 1.09, abs=10)  # one burst, and 990 ms
    otps = sum(fill(admission, now + 10, otp=True) for now in steps)
    assert otps == pytest.approx(1015 * 1.09, abs=10)
    both = [(fill(admission, now + 20), fill(admission, now + 20, otp=True)) for now in steps]
    assert sum(otps for _, otps in both) == pytest.approx(254 * 1.09, abs=10)


def test_throttling_halves_slots_and_successes_restore_them_one_by_one() -> None:
    """After throttling, as many successes as there are slots add one slot, until all are restored."""
    admission = AdmissionControl(concurrency=8, otp_reserve=0.5)
    assert not admission.record_success(0.0)
    admission.record_throttled(1.0, started_at=0.0)
    for slots in range(4, 8):
        assert (admission.slots(otp=True), admission.slots(otp=False)) == (slots, slots - slots // 2)
        for _ in range(slots - 1):
            assert admission.record_success(2.0)
        assert admission.slots(otp=True) == slots
        assert admission.record_success(2.0)
    assert admission.slots(otp=True) == 8
    assert not admission.record_success(2.0)
    admission.record_throttled(3.0, started_at=2.0)
    assert admission.slots(otp=True) == 4


def test_requests_of_one_throttling_incident_halve_slots_once() -> None:
    """Requests that started before a decrease change nothing more; requests that started later do."""
    admission = AdmissionControl(concurrency=64)
    admission.record_throttled(10.0, started_at=9.0)
    admission.record_throttled(11.0, started_at=9.5)
    admission.record_throttled(11.0, started_at=10.0)
    assert not admission.record_success(10.0)
    assert admission.slots(otp=True) == 32
    assert admission.record_success(10.001)
    admission.record_throttled(12.0, started_at=10.001)
    assert admission.slots(otp=True) == 16
    admission.record_throttled(13.0, started_at=11.9)
    assert admission.slots(otp=True) == 16


def test_throttling_leaves_one_slot_and_a_64th_of_the_rate() -> None:
    """However often Routee throttles, one slot and a 64th of the rate remain, for OTPs and for others."""
    wide, narrow = AdmissionControl(concurrency=64_000, rate=64_960, otp_reserve=0.25), AdmissionControl(concurrency=3)
    for when in range(10):
        wide.record_throttled(when + 0.5, started_at=when)
        narrow.record_throttled(when + 0.5, started_at=when)
    assert (wide.slots(otp=True), wide.slots(otp=False)) == (1000, 750)
    assert (fill(wide), fill(wide, otp=True)) == (76, 25)  # of 1015 a second, 100 ms at once
    assert (narrow.slots(otp=True), narrow.slots(otp=False)) == (1, 1)


def test_waiter_times_out_after_pool_timeout_without_a_free_slot() -> None:
    """A waiter that has had no free slot for `pool_timeout` in total times out on time; a pause does not count."""
    admission = AdmissionControl(concurrency=1, pool_timeout=2)
    admission.try_acquire(0.0, otp=True)
    first = admission.enqueue(1.0, otp=True)
    assert admission.next_wakeup() == 3.0
    admission.pause(2.0, 10.0)
    assert admission.admit_ready(9.5) == []
    assert admission.next_wakeup() == 11.0
    last = admission.enqueue(10.5, otp=True)
    assert (admission.timed_out(10.999), admission.timed_out(11.0)) == ([], [first])
    admission.cancel(first)
    assert admission.next_wakeup() == 12.5
    assert (admission.timed_out(12.499), admission.timed_out(12.5)) == ([], [last])


def test_losing_the_last_slot_while_waiting_for_the_rate_starts_pool_timeout() -> None:
    """A waiter for the rate limit lacks a slot as soon as an OTP or throttling takes the last one."""
    admission = AdmissionControl(concurrency=1, rate=8, otp_reserve=0.5, pool_timeout=2)
    admission.try_acquire(0.0, otp=False)
    admission.release(otp=False)
    admission.enqueue(0.125, otp=False)
    assert admission.next_wakeup() == 0.25
    assert admission.try_acquire(0.125, otp=True)
    assert admission.next_wakeup() == 2.125
    admission = AdmissionControl(concurrency=2, rate=1, otp_reserve=0, pool_timeout=2)
    admission.try_acquire(0.0, otp=False)
    admission.enqueue(0.0, otp=False)
    assert admission.next_wakeup() == 1.0
    admission.record_throttled(0.5, started_at=0.0)
    assert admission.next_wakeup() == 2.5


def test_defaults_reserve_a_tenth_for_otps_without_rate_or_timeout() -> None:
    """By default a tenth is reserved for OTPs, there is no rate limit, and only a release admits a waiter."""
    admission = AdmissionControl(concurrency=1000)
    assert (fill(admission), fill(admission, otp=True)) == (900, 100)
    assert admission.next_wakeup() is None
    admission.enqueue(0.0, otp=False)
    assert (admission.next_wakeup(), admission.timed_out(1e9)) == (None, [])


TICK = 1 / 1024
"""All times of the state machine are multiples of it, and so exact in floats."""


class _Bucket:
    """Token bucket in its textbook form."""

    def __init__(self, rate: float) -> None:
        self.rate, self.since = rate, 0.0
        self.tokens = self.size = max(1.0, rate / 10)

    def has_token(self, now: float) -> bool:
        self.tokens, self.since = min(self.size, self.tokens + (now - self.since) * self.rate), now
        return self.tokens > 1 - 1e-9


class _AdmissionMachine(RuleBasedStateMachine):
    """Compares admission control with a model that checks every waiter each time; it does not model the slot count."""

    buckets: Sequence[_Bucket] = ()

    @initialize(
        concurrency=st.sampled_from([1, 2, 3, 8]),
        rate=st.sampled_from([None, None, 1, 4, 16, 64]),
        reserve=st.sampled_from([0, 0.125, 0.25, 0.5, 0.75]),
        timeout=st.sampled_from([0.25, 2]),
    )
    def open(self, concurrency: int, rate: float | None, reserve: float, timeout: float) -> None:
        self.admission = AdmissionControl(concurrency=concurrency, rate=rate, otp_reserve=reserve, pool_timeout=timeout)
        self.timeout = timeout
        # OTPs need a token of the last bucket only, other requests of both.
        self.buckets = [_Bucket(rate * (1 - reserve)), _Bucket(rate)] if rate else []
        self.now, self.paused_until = 0.0, -math.inf
        self.in_flight: list[tuple[bool, float]] = []
        self.starts: list[tuple[bool, float]] = []
        self.waiting: dict[Waiter, float] = {}  # in order of arrival, with the time for which each lacked a slot

    def lacks_slot(self, otp: bool) -> bool:
        others = [1 for is_otp, _ in self.in_flight if not is_otp]
        is_full = len(self.in_flight) >= self.admission.slots(otp=True)
        return is_full or (not otp and len(others) >= self.admission.slots(otp=False))

    def can_admit(self, otp: bool) -> bool:
        in_rate = all(bucket.has_token(self.now) for bucket in self.buckets[otp:])
        return self.now >= self.paused_until and in_rate and not self.lacks_slot(otp)

    def next(self) -> Waiter | None:
        return next((waiter for waiter in self.waiting if self.can_admit(waiter.otp)), None)

    def start(self, otp: bool) -> None:
        for bucket in self.buckets[otp:]:
            bucket.tokens -= 1
        self.in_flight.append((otp, self.now))
        self.starts.append((otp, self.now))

    @rule(otp=st.booleans())
    def try_acquire(self, otp: bool) -> None:
        expected = self.can_admit(otp) and self.next() is None
        assert self.admission.try_acquire(self.now, otp=otp) is expected
        if expected:
            self.start(otp)

    @rule(otp=st.booleans())
    def enqueue(self, otp: bool) -> None:
        self.waiting[self.admission.enqueue(self.now, otp=otp)] = 0.0

    @rule()
    def admit_ready(self) -> None:
        expected: list[Waiter] = []
        while (waiter := self.next()) is not None:
            del self.waiting[waiter]
            self.start(waiter.otp)
            expected.append(waiter)
        assert self.admission.admit_ready(self.now) == expected

    @precondition(lambda self: self.waiting)
    @rule(pick=st.integers(0, 99))
    def cancel(self, pick: int) -> None:
        self.drop([list(self.waiting)[pick % len(self.waiting)]])

    def drop(self, waiters: list[Waiter]) -> None:
        for waiter in waiters:
            self.admission.cancel(waiter)
            del self.waiting[waiter]

    @precondition(lambda self: self.in_flight)
    @rule(pick=st.integers(0, 99), result=st.sampled_from(["other", "succeeded", "throttled"]))
    def finish(self, pick: int, result: str) -> None:
        otp, started = self.in_flight.pop(pick % len(self.in_flight))
        self.admission.release(otp=otp)
        if result == "succeeded":
            self.admission.record_success(started)
        elif result == "throttled" and not self.buckets:  # the buckets model a constant rate only
            self.admission.record_throttled(self.now, started)

    @rule(ticks=st.integers(0, 2048))
    def pause(self, ticks: int) -> None:
        self.paused_until = max(self.paused_until, self.now + ticks * TICK)
        self.admission.pause(self.now, self.now + ticks * TICK)
        assert self.admission.paused_until == self.paused_until

    def advance_to(self, when: float) -> list[Waiter]:
        """Advance the time, and return the waiters that time out; nothing else happens meanwhile."""
        without_slot = max(0.0, when - max(self.now, self.paused_until))
        for waiter in self.waiting:
            if self.lacks_slot(waiter.otp):
                self.waiting[waiter] += without_slot
        self.now = when
        timed_out = self.admission.timed_out(when)
        assert set(timed_out) == {waiter for waiter, total in self.waiting.items() if total >= self.timeout}
        return timed_out

    @rule(ticks=st.integers(1, 512))
    def pass_time(self, ticks: int) -> None:
        self.admit_ready()
        self.drop(self.advance_to(self.now + ticks * TICK))

    @rule()
    def wait_until_next_wakeup(self) -> None:
        """Before the announced wakeup no waiter is admitted or times out, and at that time at least one is or does."""
        self.admit_ready()
        when = self.admission.next_wakeup()
        assert (when is None) is (not self.waiting)
        if when is not None:
            assert self.advance_to((math.ceil(when / TICK) - 1) * TICK) == []
            assert self.next() is None
            timed_out = self.advance_to(math.ceil(when / TICK) * TICK)
            assert timed_out or self.next() is not None
            self.drop(timed_out)

    def teardown(self) -> None:
        """In no time window have more requests started than the rate and one burst allow."""
        for is_last, bucket in enumerate(self.buckets):
            starts = [when for otp, when in self.starts if not otp or is_last]
            for first, since in enumerate(starts):
                for number, until in enumerate(starts[first:], start=1):
                    assert number <= bucket.rate * (until - since) + bucket.size + 1e-6


TestAdmissionStateMachine = _AdmissionMachine.TestCase
TestAdmissionStateMachine.settings = settings(stateful_step_count=60)
