"""Request limiter, in an event loop with simulated time, so that no test depends on the speed of the machine."""

import asyncio
import functools
import math
import selectors
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routee_failover import Config
from routee_failover._transport.limiter import MIN_TIMER_DELAY, RequestLimiter
from routee_failover.errors import ClientClosed, DeadlinePassed, NotSent, PoolTimeout


class _SimulatedTimeLoop(asyncio.SelectorEventLoop):
    """Event loop whose clock jumps to the next timer; it asserts that the limiter uses one timer at a time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[asyncio.TimerHandle] = []
        super().__init__(_SimulatedTimeSelector(self))

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Any, *args: Any, **context: Any) -> asyncio.TimerHandle:  # type: ignore[override]
        timer = super().call_at(when, callback, *args, **context)
        if isinstance(limiter := getattr(callback, "__self__", None), RequestLimiter):
            assert limiter._timer is None or limiter._timer.cancelled()
            self.timers.append(timer)
        return timer


class _SimulatedTimeSelector(selectors.SelectSelector):
    def __init__(self, loop: _SimulatedTimeLoop) -> None:
        super().__init__()
        self.loop = loop

    def select(self, timeout: float | None = None) -> Any:
        assert timeout is not None, "no timer is set: the loop would block forever"
        self.loop.now += timeout
        return super().select(0)


NEVER_STARTED = -math.inf
"""A start that is before every decrease of the limits, so that a throttled request only pauses."""


def pause(limiter: RequestLimiter, seconds: float) -> None:
    """Pause a limiter, without a decrease of its limits."""
    limiter.throttle(NEVER_STARTED, seconds)


def in_simulated_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run the test in an event loop whose clock jumps from timer to timer."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        with asyncio.Runner(loop_factory=_SimulatedTimeLoop) as runner:
            runner.run(test(*args, **kwargs))

    return run


def simulated_loop() -> _SimulatedTimeLoop:
    """Return the event loop of the test."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, _SimulatedTimeLoop)
    return loop


def clock() -> float:
    """Return the simulated time, rounded to microseconds."""
    return round(simulated_loop().now, 6)


def limiter_with(**settings: Any) -> RequestLimiter:
    """Return a limiter with these settings; by default it has two slots and no OTP reserve."""
    settings = {"pool_size": 2, "otp_reserve": 0} | settings
    return RequestLimiter(Config(application_id="id", application_secret="secret", **settings))


def fill(limiter: RequestLimiter, *, otp: bool = False) -> int:
    """Acquire as many slots as are free right now; return their number."""
    return next(acquired for acquired in range(100) if not limiter.try_acquire(otp=otp))


async def run_ready_callbacks() -> None:
    """Let every task run until it waits, in almost no time."""
    await asyncio.sleep(1e-8)


async def rejection_of(waiter: Awaitable[None]) -> tuple[type[NotSent], float, str]:
    """Return the class of the waiter's error, its time and its text."""
    with pytest.raises(NotSent, match=r"; nothing was sent\. [A-Z]") as caught:
        await waiter
    return type(caught.value), clock(), str(caught.value)


@in_simulated_time
async def test_released_slots_go_to_waiters_in_order_of_arrival() -> None:
    """Free slots need no timer; released ones go to the waiters in order of arrival, and nothing passes them."""
    limiter_with().close()
    limiter = limiter_with()
    assert limiter.try_acquire(otp=False)
    await limiter.acquire(otp=True, deadline=100.0)
    assert simulated_loop().timers == []
    waiters = [asyncio.create_task(limiter.acquire(otp=number % 2 == 0)) for number in range(4)]
    for released in range(4):
        await run_ready_callbacks()
        assert [waiter.done() for waiter in waiters] == [number < released for number in range(4)]
        limiter.release(otp=released % 2 == 1)
        assert not limiter.try_acquire(otp=True)
    await asyncio.gather(*waiters)
    limiter.release(otp=True)
    limiter.release(otp=False)
    assert (fill(limiter), clock()) == (2, 0)


@pytest.mark.parametrize(("concurrency", "slots"), [(None, 2), (1, 1), (2, 2), (3, 2)])
@in_simulated_time
async def test_pool_timeout_names_the_smaller_of_pool_size_and_concurrency(concurrency: int | None, slots: int) -> None:
    """As many requests are in flight as both settings allow; PoolTimeout names the one that limits."""
    limiter = limiter_with(concurrency=concurrency)
    assert fill(limiter) == slots
    hint = f"Raise {'concurrency' if slots == 1 else 'pool_size'} or pool_timeout, or send fewer messages at once"
    message = f"all {slots} connections stayed busy for 0:00:10; nothing was sent. {hint}"
    assert await rejection_of(limiter.acquire(otp=False)) == (PoolTimeout, 10, message)


@in_simulated_time
async def test_pool_timeout_names_the_otp_reserve_or_the_throttling() -> None:
    """The error names the OTP reserve; while Routee throttles, it names that, because a larger pool would not help."""
    limiter = limiter_with(pool_size=10, otp_reserve=0.2)
    assert fill(limiter) == 8
    _, _, message = await rejection_of(limiter.acquire(otp=False))
    assert message.startswith("all 8 of 10 connections not reserved for OTPs stayed busy for 0:00:10;")
    assert fill(limiter, otp=True) == 2
    limiter.throttle(-1, 0.0)
    _, failed_at, message = await rejection_of(limiter.acquire(otp=True))
    assert message.startswith("the 5 of 10 connections that are used while Routee throttles the client stayed busy for")
    assert message.endswith("0:00:10; nothing was sent. Send fewer messages at once, or raise pool_timeout")
    assert failed_at == 20


@in_simulated_time
async def test_waiting_for_the_rate_limit_or_a_pause_is_not_a_pool_timeout() -> None:
    """`pool_timeout` counts only while no slot is free; a wait for the rate limit or a pause ends in admission."""
    limiter = limiter_with(pool_size=1, rate=0.05, pool_timeout=timedelta(seconds=3))
    await limiter.acquire(otp=False)
    limiter.release(otp=False)
    await limiter.acquire(otp=False)
    assert clock() == 20
    pause(limiter, 30)
    assert (await rejection_of(limiter.acquire(otp=False)))[:2] == (PoolTimeout, 53)
    limiter.release(otp=False)
    assert limiter.try_acquire(otp=False)


@in_simulated_time
async def test_rate_limit_needs_at_most_one_timer_per_millisecond() -> None:
    """Requests are admitted at the rate; however high it is, no timer is shorter than one millisecond."""
    limiter = limiter_with(rate=5)
    for number in range(6):
        await limiter.acquire(otp=False)
        assert clock() == number / 5
        limiter.release(otp=False)
    before = len(simulated_loop().timers)
    limiter = limiter_with(pool_size=10_000, rate=20_000)
    await asyncio.gather(*(limiter.acquire(otp=False) for _ in range(4000)))
    assert clock() == pytest.approx(1.1, abs=0.002)
    timer_times = [timer.when() for timer in simulated_loop().timers[before:]]
    assert 90 < len(timer_times) <= 101
    assert min(after - before for before, after in pairwise(timer_times)) > MIN_TIMER_DELAY * 0.999


HINT = "; nothing was sent. Allow more time, or send fewer messages at once"
TOO_LATE = "the deadline passed before there was a free connection slot within the rate limit" + HINT


@in_simulated_time
async def test_each_waiter_is_rejected_at_its_own_deadline() -> None:
    """Each waiter gets DeadlinePassed at its own deadline, whatever the order of arrival; the others keep waiting."""
    limiter = limiter_with()
    fill(limiter)
    rejections = await asyncio.gather(
        *(rejection_of(limiter.acquire(otp=False, deadline=at)) for at in (3.0, 1.0, None, 2.0))
    )
    assert [error for error, _, _ in rejections] == [DeadlinePassed, DeadlinePassed, PoolTimeout, DeadlinePassed]
    assert [failed_at for _, failed_at, _ in rejections] == [3, 1, 10, 2]
    assert rejections[0][2] == TOO_LATE


@in_simulated_time
async def test_slot_that_becomes_free_at_the_deadline_goes_to_the_next_waiter() -> None:
    """A request whose deadline is now gets no slot, whether it waits or just arrives; the next waiter gets it."""
    limiter = limiter_with(pool_size=1)
    assert (await rejection_of(limiter.acquire(otp=True, deadline=0.0)))[:2] == (DeadlinePassed, 0)
    await limiter.acquire(otp=True, deadline=0.001)
    late = asyncio.create_task(rejection_of(limiter.acquire(otp=True, deadline=1.0)))
    following = asyncio.create_task(limiter.acquire(otp=True))
    await run_ready_callbacks()
    simulated_loop().now = 1.0
    limiter.release(otp=True)
    await following
    assert (await late)[:2] == (DeadlinePassed, 1)


@in_simulated_time
async def test_pause_past_the_deadline_rejects_at_once() -> None:
    """The longest pause counts, for waiters and new requests; none of them waits for a pause that ends too late."""
    limiter = limiter_with(pool_size=1)
    pause(limiter, 5)
    pause(limiter, 1)
    assert (await rejection_of(limiter.acquire(otp=True, deadline=5.0)))[:2] == (DeadlinePassed, 0)
    await limiter.acquire(otp=True, deadline=5.001)
    assert (await rejection_of(limiter.acquire(otp=True, deadline=5.0)))[1:] == (5, TOO_LATE)
    late, in_time = (asyncio.create_task(limiter.acquire(otp=True, deadline=deadline)) for deadline in (5.5, 5.501))
    await run_ready_callbacks()
    pause(limiter, 0.5)
    message = "the client, throttled by Routee, pauses for another 0.5 seconds, past the deadline" + HINT
    assert await rejection_of(late) == (DeadlinePassed, 5, message)
    limiter.release(otp=True)
    await in_time
    assert clock() == 5.5


@in_simulated_time
async def test_throttling_halves_slots_and_a_success_admits_a_waiter() -> None:
    """A throttled client has half as many slots, and the slot that successes restore goes to a waiter."""
    limiter = limiter_with()
    fill(limiter)
    limiter.throttle(-1, 0.0)
    limiter.release(otp=False)
    waiter = asyncio.create_task(limiter.acquire(otp=False))
    await asyncio.sleep(1)
    limiter.record_success(started_at=0)  # started at the time of the decrease: says nothing about its effect
    await run_ready_callbacks()
    assert not waiter.done()
    limiter.record_success(started_at=0.5)
    await waiter
    assert clock() == 1


@pytest.mark.parametrize("last_slot_taken_by", ["try_acquire", "acquire", "throttled"])
@in_simulated_time
async def test_rate_waiter_times_out_after_the_last_slot_is_taken(last_slot_taken_by: str) -> None:
    """Once an OTP or throttling takes the last slot, a waiter for the rate limit is rejected after pool_timeout."""
    limiter = limiter_with(
        pool_size=1 + (last_slot_taken_by == "throttled"), rate=0.02, otp_reserve=0.5, pool_timeout=timedelta(seconds=3)
    )
    await limiter.acquire(otp=False)
    limiter.release(otp=False)
    waiter = asyncio.create_task(rejection_of(limiter.acquire(otp=False)))
    await asyncio.sleep(50)
    if last_slot_taken_by == "acquire":
        await limiter.acquire(otp=True)
    else:
        assert limiter.try_acquire(otp=True)
    if last_slot_taken_by == "throttled":
        limiter.throttle(40, 0.0)
    assert (await waiter)[:2] == (PoolTimeout, 53)


@pytest.mark.parametrize("admitted_first", [True, False])
@in_simulated_time
async def test_cancelled_waiter_passes_its_slot_to_the_next(admitted_first: bool) -> None:
    """Cancelled before, at or right after its admission: the slot goes to the next waiter, and none is lost."""
    limiter = limiter_with(pool_size=1)
    fill(limiter)
    waiters = [asyncio.create_task(limiter.acquire(otp=number < 2)) for number in range(4)]
    await run_ready_callbacks()
    waiters[1].cancel()
    await run_ready_callbacks()
    steps: list[Callable[[], object]] = [functools.partial(limiter.release, otp=False), waiters[0].cancel]
    for step in steps if admitted_first else reversed(steps):
        step()
    await waiters[2]
    assert [waiter.cancelled() for waiter in waiters[:3]] == [True, True, False]
    limiter.release(otp=False)
    await waiters[3]
    limiter.release(otp=False)
    assert (fill(limiter), limiter._waiters) == (1, {})


@in_simulated_time
async def test_closing_rejects_waiters_admitted_and_new_requests() -> None:
    """A closed limiter rejects waiters, those just admitted and new requests; slots can still be released."""
    limiter = limiter_with()
    fill(limiter)
    waiters = [asyncio.create_task(rejection_of(limiter.acquire(otp=False, deadline=at))) for at in (None, 3.0, None)]
    await run_ready_callbacks()
    limiter.release(otp=False)
    pause(limiter, 1)  # so that no waiter is admitted by another one's release
    waiters[2].cancel()
    limiter.close()
    text = "the client was closed while the message waited; nothing was sent. Send it with an open client"
    for waiter in waiters[:2]:
        assert await waiter == (ClientClosed, 0, text)
    assert await rejection_of(limiter.acquire(otp=True)) == (ClientClosed, 0, text)
    limiter.release(otp=False)
    assert not limiter.try_acquire(otp=True)
    assert [limiter._admission.try_acquire(2.0, otp=False) for _ in range(3)] == [True, True, False]
    assert [timer.cancelled() for timer in simulated_loop().timers] == [True, True]


@in_simulated_time
async def test_timers_and_deadlines_do_not_pile_up() -> None:
    """Neither timers nor deadlines pile up while many requests come and go past one that keeps waiting."""
    limiter = limiter_with(otp_reserve=0.5)
    assert (fill(limiter), fill(limiter, otp=True)) == (1, 1)
    waiter = asyncio.create_task(rejection_of(limiter.acquire(otp=False, deadline=9.0)))
    for _ in range(100):
        following = asyncio.create_task(limiter.acquire(otp=True, deadline=1e6))
        await run_ready_callbacks()
        limiter.release(otp=True)
        await following
    assert len(simulated_loop().timers) == 1
    assert len(limiter._deadlines) <= 4
    assert (await waiter)[:2] == (DeadlinePassed, 9)


ARRIVAL, DURATION, DEADLINE, CANCELLED = st.integers(0, 30), st.integers(0, 20), st.integers(1, 40), st.integers(0, 60)
PLANS = st.lists(st.tuples(st.booleans(), ARRIVAL, DURATION, st.none() | DEADLINE, st.none() | CANCELLED), max_size=20)


@given(plans=PLANS, rate=st.none() | st.sampled_from([0.2, 1, 20]), pause=st.integers(0, 30))
@in_simulated_time
async def test_every_slot_is_released_in_any_schedule(plans: list[Any], rate: float | None, pause: int) -> None:
    """However requests arrive, wait, run, are cancelled or rejected: the limit holds, and every slot is released."""
    limiter = limiter_with(pool_size=3, rate=rate, otp_reserve=0.5)
    in_flight: list[bool] = []

    async def send(
        otp: bool, arrival: float, duration: float, deadline: float | None, _cancelled: float | None
    ) -> None:
        await asyncio.sleep(arrival)
        await limiter.acquire(otp=otp, deadline=deadline)
        in_flight.append(otp)
        assert clock() < (deadline or math.inf)
        assert len(in_flight) <= 3
        assert in_flight.count(False) <= 2
        try:
            await asyncio.sleep(duration)
        finally:
            in_flight.remove(otp)
            limiter.release(otp=otp)

    loop = asyncio.get_running_loop()
    loop.call_later(10, limiter.throttle, NEVER_STARTED, pause)
    sends = [asyncio.create_task(send(*plan)) for plan in plans]
    for task, plan in zip(sends, plans, strict=True):
        if plan[-1] is not None:
            loop.call_later(plan[-1], task.cancel)
    for error in await asyncio.gather(*sends, return_exceptions=True):
        assert error is None or isinstance(error, asyncio.CancelledError | PoolTimeout | DeadlinePassed)
    limiter.throttle(NEVER_STARTED, 100)
    assert await asyncio.gather(*(limiter.acquire(otp=True) for _ in range(3))) == [None] * 3
    assert not limiter.try_acquire(otp=True)
