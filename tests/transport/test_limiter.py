"""Waiting for a turn, mostly in an event loop whose time is made up, so that nothing depends on the machine."""

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


class _LeapingLoop(asyncio.SelectorEventLoop):
    """An event loop in which no time passes but what somebody waits for; it sees to it that one timer is enough."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[asyncio.TimerHandle] = []
        super().__init__(_LeapingSelector(self))

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Any, *args: Any, **context: Any) -> asyncio.TimerHandle:  # type: ignore[override]
        timer = super().call_at(when, callback, *args, **context)
        if isinstance(turns := getattr(callback, "__self__", None), RequestLimiter):
            assert turns._timer is None or turns._timer.cancelled()
            self.timers.append(timer)
        return timer


class _LeapingSelector(selectors.SelectSelector):
    def __init__(self, loop: _LeapingLoop) -> None:
        super().__init__()
        self.loop = loop

    def select(self, timeout: float | None = None) -> Any:
        assert timeout is not None, "nothing will ever happen again"
        self.loop.now += timeout
        return super().select(0)


def in_made_up_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run the test in an event loop that leaps from timer to timer."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        with asyncio.Runner(loop_factory=_LeapingLoop) as runner:
            runner.run(test(*args, **kwargs))

    return run


def leaping_loop() -> _LeapingLoop:
    """The loop of the test."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, _LeapingLoop)
    return loop


def clock() -> float:
    """What its clock says, to the microsecond."""
    return round(leaping_loop().now, 6)


def turns_with(**settings: Any) -> RequestLimiter:
    """Turns with these settings; by default there are two, for OTPs and others alike."""
    settings = {"pool_size": 2, "otp_reserve": 0} | settings
    return RequestLimiter(Config(application_id="id", application_secret="secret", **settings))


def fill(turns: RequestLimiter, *, otp: bool = False) -> int:
    """Take as many turns as there are right now."""
    return next(taken for taken in range(100) if not turns.try_acquire(otp=otp))


async def settle() -> None:
    """Let all go on that can, in next to no time."""
    await asyncio.sleep(1e-8)


async def refused(waiter: Awaitable[None]) -> tuple[type[NotSent], float, str]:
    """The error that the waiter ends in, when, and what it says."""
    with pytest.raises(NotSent, match=r"; nothing was sent\. [A-Z]") as caught:
        await waiter
    return type(caught.value), clock(), str(caught.value)


@in_made_up_time
async def test_turns_go_to_those_who_wait_in_order() -> None:
    """What is free costs no timer; the next come as turns end, in order of arrival, and nobody takes one before."""
    turns_with().close()
    turns = turns_with()
    assert turns.try_acquire(otp=False)
    await turns.acquire(otp=True, deadline=100.0)
    assert leaping_loop().timers == []
    waiters = [asyncio.create_task(turns.acquire(otp=number % 2 == 0)) for number in range(4)]
    for ended in range(4):
        await settle()
        assert [waiter.done() for waiter in waiters] == [number < ended for number in range(4)]
        turns.release(otp=ended % 2 == 1)
        assert not turns.try_acquire(otp=True)
    await asyncio.gather(*waiters)
    turns.release(otp=True)
    turns.release(otp=False)
    assert (fill(turns), clock()) == (2, 0)


@pytest.mark.parametrize(("concurrency", "most"), [(None, 2), (1, 1), (2, 2), (3, 2)])
@in_made_up_time
async def test_the_narrower_of_two_settings_binds(concurrency: int | None, most: int) -> None:
    """As many go at once as `pool_size` and `concurrency` both allow; who waits too long hears which one it was."""
    turns = turns_with(concurrency=concurrency)
    assert fill(turns) == most
    hint = f"Raise {'concurrency' if most == 1 else 'pool_size'} or pool_timeout, or send fewer messages at once"
    message = f"all {most} connections stayed busy for 0:00:10; nothing was sent. {hint}"
    assert await refused(turns.acquire(otp=False)) == (PoolTimeout, 10, message)


@in_made_up_time
async def test_a_pool_timeout_says_why_there_were_fewer_slots() -> None:
    """Others hear what is kept for OTPs; while Routee throttles, all hear that, for no larger pool would help."""
    turns = turns_with(pool_size=10, otp_reserve=0.2)
    assert fill(turns) == 8
    _, _, message = await refused(turns.acquire(otp=False))
    assert message.startswith("all 8 of 10 connections not reserved for OTPs stayed busy for 0:00:10;")
    assert fill(turns, otp=True) == 2
    turns.record_throttled(started_at=-1)
    _, moment, message = await refused(turns.acquire(otp=True))
    assert message.startswith("the 5 of 10 connections that are used while Routee throttles the client stayed busy for")
    assert message.endswith("0:00:10; nothing was sent. Send fewer messages at once, or raise pool_timeout")
    assert moment == 20


@in_made_up_time
async def test_waiting_for_a_rate_or_a_hold_is_no_pool_timeout() -> None:
    """`pool_timeout` counts only while slots are lacking; who waits for the rate or a hold gets a turn in the end."""
    turns = turns_with(pool_size=1, rate=0.05, pool_timeout=timedelta(seconds=3))
    await turns.acquire(otp=False)
    turns.release(otp=False)
    await turns.acquire(otp=False)
    assert clock() == 20
    turns.pause(30)
    assert (await refused(turns.acquire(otp=False)))[:2] == (PoolTimeout, 53)
    turns.release(otp=False)
    assert turns.try_acquire(otp=False)


@in_made_up_time
async def test_a_rate_is_kept_with_few_timers() -> None:
    """Turns begin at the rate; however high it is, the loop need not come back sooner than after a millisecond."""
    turns = turns_with(rate=5)
    for number in range(6):
        await turns.acquire(otp=False)
        assert clock() == number / 5
        turns.release(otp=False)
    before = len(leaping_loop().timers)
    turns = turns_with(pool_size=10_000, rate=20_000)
    await asyncio.gather(*(turns.acquire(otp=False) for _ in range(4000)))
    assert clock() == pytest.approx(1.1, abs=0.002)
    moments = [timer.when() for timer in leaping_loop().timers[before:]]
    assert 90 < len(moments) <= 101
    assert min(after - before for before, after in pairwise(moments)) > MIN_TIMER_DELAY * 0.999


HINT = "; nothing was sent. Allow more time, or send fewer messages at once"
TOO_LATE = "the deadline passed while the message waited for a connection slot or the rate limit" + HINT


@in_made_up_time
async def test_each_waiter_has_a_deadline_of_its_own() -> None:
    """Each waiter hears at its deadline that it has passed, in whatever order they came; the others wait on."""
    turns = turns_with()
    fill(turns)
    ends = await asyncio.gather(*(refused(turns.acquire(otp=False, deadline=at)) for at in (3.0, 1.0, None, 2.0)))
    assert [error for error, _, _ in ends] == [DeadlinePassed, DeadlinePassed, PoolTimeout, DeadlinePassed]
    assert [moment for _, moment, _ in ends] == [3, 1, 10, 2]
    assert ends[0][2] == TOO_LATE


@in_made_up_time
async def test_no_turn_is_given_at_the_deadline() -> None:
    """A turn is not for a request whose deadline is not ahead, be it waiting or coming, but for the next."""
    turns = turns_with(pool_size=1)
    assert (await refused(turns.acquire(otp=True, deadline=0.0)))[:2] == (DeadlinePassed, 0)
    await turns.acquire(otp=True, deadline=0.001)
    late = asyncio.create_task(refused(turns.acquire(otp=True, deadline=1.0)))
    following = asyncio.create_task(turns.acquire(otp=True))
    await settle()
    leaping_loop().now = 1.0
    turns.release(otp=True)
    await following
    assert (await late)[:2] == (DeadlinePassed, 1)


@in_made_up_time
async def test_a_hold_stops_all_and_who_cannot_wait_so_long_hears_at_once() -> None:
    """The longest hold counts, for who waits and who comes; nobody waits for an end that comes too late for them."""
    turns = turns_with(pool_size=1)
    turns.pause(5)
    turns.pause(1)
    assert (await refused(turns.acquire(otp=True, deadline=5.0)))[:2] == (DeadlinePassed, 0)
    await turns.acquire(otp=True, deadline=5.001)
    assert (await refused(turns.acquire(otp=True, deadline=5.0)))[1:] == (5, TOO_LATE)
    late, in_time = (asyncio.create_task(turns.acquire(otp=True, deadline=deadline)) for deadline in (5.5, 5.501))
    await settle()
    turns.pause(0.5)
    message = "the client, throttled by Routee, pauses for another 0.5 seconds, past the deadline" + HINT
    assert await refused(late) == (DeadlinePassed, 5, message)
    turns.release(otp=True)
    await in_time
    assert clock() == 5.5


@in_made_up_time
async def test_a_throttle_narrows_and_successes_widen() -> None:
    """A throttled client goes by half as many turns, and the turn that a success wins goes to who waits for one."""
    turns = turns_with()
    fill(turns)
    turns.record_throttled(started_at=-1)
    turns.release(otp=False)
    waiter = asyncio.create_task(turns.acquire(otp=False))
    await asyncio.sleep(1)
    turns.record_success(started_at=0)  # from the moment of the decrease: says nothing about what came of it
    await settle()
    assert not waiter.done()
    turns.record_success(started_at=0.5)
    await waiter
    assert clock() == 1


@pytest.mark.parametrize("way", ["try_take", "take", "throttled"])
@in_made_up_time
async def test_the_timer_follows_what_is_lacking(way: str) -> None:
    """Once an OTP that passes by, or throttling, leaves no slot, who waits for the rate is refused in time."""
    turns = turns_with(
        pool_size=1 + (way == "throttled"), rate=0.02, otp_reserve=0.5, pool_timeout=timedelta(seconds=3)
    )
    await turns.acquire(otp=False)
    turns.release(otp=False)
    waiter = asyncio.create_task(refused(turns.acquire(otp=False)))
    await asyncio.sleep(50)
    if way == "take":
        await turns.acquire(otp=True)
    else:
        assert turns.try_acquire(otp=True)
    if way == "throttled":
        turns.record_throttled(started_at=40)
    assert (await waiter)[:2] == (PoolTimeout, 53)


@pytest.mark.parametrize("granted_first", [True, False])
@in_made_up_time
async def test_a_cancelled_waiter_loses_no_turn(granted_first: bool) -> None:
    """Cancelled before, with or right after the grant: the turn goes to the next, and comes back in the end."""
    turns = turns_with(pool_size=1)
    fill(turns)
    waiters = [asyncio.create_task(turns.acquire(otp=number < 2)) for number in range(4)]
    await settle()
    waiters[1].cancel()
    await settle()
    steps: list[Callable[[], object]] = [functools.partial(turns.release, otp=False), waiters[0].cancel]
    for step in steps if granted_first else reversed(steps):
        step()
    await waiters[2]
    assert [waiter.cancelled() for waiter in waiters[:3]] == [True, True, False]
    turns.release(otp=False)
    await waiters[3]
    turns.release(otp=False)
    assert (fill(turns), turns._waiters) == (1, {})


@in_made_up_time
async def test_closing_refuses_all() -> None:
    """Closed, there is no turn for who waits, who has just been granted one, nor who comes; turns may still end."""
    turns = turns_with()
    fill(turns)
    waiters = [asyncio.create_task(refused(turns.acquire(otp=False, deadline=at))) for at in (None, 3.0, None)]
    await settle()
    turns.release(otp=False)
    turns.pause(1)  # so that nobody hears of it from each other
    waiters[2].cancel()
    turns.close()
    hint = "; nothing was sent. Send it with an open client"
    for waiter in waiters[:2]:
        assert await waiter == (ClientClosed, 0, "the client was closed while the message waited for a slot" + hint)
    assert await refused(turns.acquire(otp=True)) == (ClientClosed, 0, "the client is closed" + hint)
    turns.release(otp=False)
    assert not turns.try_acquire(otp=True)
    assert [turns._admission.try_acquire(2.0, otp=False) for _ in range(3)] == [True, True, False]
    assert [timer.cancelled() for timer in leaping_loop().timers] == [True, True]


@in_made_up_time
async def test_who_got_a_turn_leaves_nothing_behind() -> None:
    """Neither timers nor deadlines pile up while many wait and go, past others that have to wait on."""
    turns = turns_with(otp_reserve=0.5)
    assert (fill(turns), fill(turns, otp=True)) == (1, 1)
    waiter = asyncio.create_task(refused(turns.acquire(otp=False, deadline=9.0)))
    for _ in range(100):
        following = asyncio.create_task(turns.acquire(otp=True, deadline=1e6))
        await settle()
        turns.release(otp=True)
        await following
    assert len(leaping_loop().timers) == 1
    assert len(turns._deadlines) <= 4
    assert (await waiter)[:2] == (DeadlinePassed, 9)


COMES, LASTS, DEADLINE, CANCELLED = st.integers(0, 30), st.integers(0, 20), st.integers(1, 40), st.integers(0, 60)
PLANS = st.lists(st.tuples(st.booleans(), COMES, LASTS, st.none() | DEADLINE, st.none() | CANCELLED), max_size=20)


@given(plans=PLANS, rate=st.none() | st.sampled_from([0.2, 1, 20]), hold=st.integers(0, 30))
@in_made_up_time
async def test_all_turns_come_back(plans: list[Any], rate: float | None, hold: int) -> None:
    """Whoever comes, waits, goes, gives up or is refused: never more go at once than may, and all turns come back."""
    turns = turns_with(pool_size=3, rate=rate, otp_reserve=0.5)
    under_way: list[bool] = []

    async def send(otp: bool, comes: float, lasts: float, deadline: float | None, _cancelled: float | None) -> None:
        await asyncio.sleep(comes)
        await turns.acquire(otp=otp, deadline=deadline)
        under_way.append(otp)
        assert clock() < (deadline or math.inf)
        assert len(under_way) <= 3
        assert under_way.count(False) <= 2
        try:
            await asyncio.sleep(lasts)
        finally:
            under_way.remove(otp)
            turns.release(otp=otp)

    loop = asyncio.get_running_loop()
    loop.call_later(10, turns.pause, hold)
    sends = [asyncio.create_task(send(*plan)) for plan in plans]
    for task, plan in zip(sends, plans, strict=True):
        if plan[-1] is not None:
            loop.call_later(plan[-1], task.cancel)
    for end in await asyncio.gather(*sends, return_exceptions=True):
        assert end is None or isinstance(end, asyncio.CancelledError | PoolTimeout | DeadlinePassed)
    turns.pause(100)
    assert await asyncio.gather(*(turns.acquire(otp=True) for _ in range(3))) == [None] * 3
    assert not turns.try_acquire(otp=True)
