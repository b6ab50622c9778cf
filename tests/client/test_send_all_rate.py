"""Rate and deadline of send_all."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from routee_failover import DeadlinePassed, InvalidConfig, InvalidFlow, Outcome, RouteeClient, SendResult
from routee_failover._send_all import RateLimiter

from .fake_routee import FakeRoutee, ReceivedRequest, accepted_response
from .sample_flows import otp, sms, viber_otp


class Clock:
    """An event loop clock that advances only in `asyncio.sleep`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.timer_delay = 0.0
        """How many seconds too late each timer fires."""
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: self.now)
        monkeypatch.setattr(asyncio, "sleep", self.sleep)

    async def sleep(self, seconds: float) -> None:
        """Advance the clock."""
        self.now += seconds + self.timer_delay


async def _start_times(clock: Clock, rate: float, count: int) -> list[float]:
    limiter, times = RateLimiter(1 / rate), list[float]()
    for _ in range(count):
        await limiter.acquire()
        times.append(clock.now - 1000.0)
    return times


@pytest.mark.parametrize("rate", [0.5, 1, 3, 10, 100, 1_000])
async def test_starts_never_exceed_the_rate(rate: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flows started as fast as possible keep the rate, with at most a tenth of a second's worth of starts too early."""
    with monkeypatch.context() as patch:
        times = await _start_times(Clock(patch), rate, 50)
    burst = max(1.0, 0.1 * rate)
    assert all(number + 1 <= rate * time + burst + 1e-6 for number, time in enumerate(times))
    assert times[-1] <= 49 / rate + 1e-6


async def test_late_timers_do_not_reduce_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """With timers that are 5 ms late, 1,000 flows at 100 per second still take ten seconds."""
    with monkeypatch.context() as patch:
        clock = Clock(patch)
        clock.timer_delay = 0.005
        times = await _start_times(clock, 100, 1_000)
    assert times[-1] == pytest.approx(10, abs=0.2)


async def test_idle_time_does_not_accumulate_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that had nothing for an hour is not followed by an hour's worth at once."""
    with monkeypatch.context() as patch:
        clock = Clock(patch)
        limiter = RateLimiter(0.01)
        await limiter.acquire()
        clock.now += 3600
        before = clock.now
        for _ in range(30):
            await limiter.acquire()
        assert clock.now - before >= 0.19


async def test_send_all_keeps_the_rate_over_the_network() -> None:
    """30 flows at 100 per second take at least a fifth of a second, whatever the concurrency."""
    async with FakeRoutee() as server, RouteeClient(server.config()) as client:
        started = asyncio.get_running_loop().time()
        results = [result async for result in client.send_all([sms()] * 30, concurrency=30, rate=100)]
        assert asyncio.get_running_loop().time() - started >= 0.19
    assert [result.outcome for result in results] == [Outcome.ACCEPTED] * 30
    assert len(server.requests) == 30


async def test_result_is_yielded_while_the_next_flow_waits() -> None:
    """The result of a flow is yielded while the next flow waits for the rate limit."""
    async with FakeRoutee() as server, RouteeClient(server.config()) as client:
        sending = client.send_all([sms()] * 3, rate=0.001)
        async with asyncio.timeout(5):
            first = await anext(sending)
            await sending.aclose()
    assert (first.outcome, len(server.requests)) == (Outcome.ACCEPTED, 1)


@pytest.mark.parametrize("rate", [0, -1, float("inf"), float("nan"), "10", True])
async def test_invalid_rate_is_refused_before_anything_is_drawn(rate: Any) -> None:
    """A rate that is not a number above 0 is refused before anything is drawn."""
    async with FakeRoutee() as server, RouteeClient(server.config()) as client:
        with pytest.raises(InvalidConfig, match="rate must be a number of flows a second, above 0; nothing was sent"):
            client.send_all([sms()], rate=rate)
        assert server.token_requests == 0


async def test_deadline_counts_from_the_start_of_each_send() -> None:
    """The deadline counts from the start of each send, so that the last flow has as much time as the first."""
    flows = [otp() for _ in range(6)]
    async with FakeRoutee() as server, RouteeClient(server.config()) as client:
        deadline = timedelta(seconds=100)
        async for _ in client.send_all(flows, concurrency=1, rate=20, deadline=deadline):
            pass
    ttls = [step["ttl"] for request in server.requests for step in json.loads(request.body)["flow"]]
    assert len(ttls) == 12
    assert all(47 <= ttl <= 50 for ttl in ttls)


async def test_passed_deadline_fails_only_the_waiting_flows() -> None:
    """A flow that waits too long is NOT_SENT, not raised, and never on the wire; the others are accepted."""
    release = asyncio.Event()

    async def slow(request: ReceivedRequest) -> Any:
        await release.wait()
        return accepted_response()

    results: list[SendResult] = []
    async with FakeRoutee(slow) as server, RouteeClient(server.config(pool_size=2, otp_reserve=0)) as client:
        async for result in client.send_all([viber_otp()] * 5, concurrency=5, deadline=timedelta(seconds=2.5)):
            results.append(result)
            if len(results) == 3:
                release.set()
        assert len(server.requests) == 2
    assert [type(result.error) for result in results] == [DeadlinePassed] * 3 + [type(None)] * 2
    assert [result.outcome for result in results] == [Outcome.NOT_SENT] * 3 + [Outcome.ACCEPTED] * 2


@pytest.mark.parametrize("deadline", [5, "5", True])
async def test_invalid_deadline_is_reported_in_each_result(deadline: Any) -> None:
    """A deadline that is not a timedelta is refused with each flow, and nothing is on the wire."""
    async with FakeRoutee() as server, RouteeClient(server.config()) as client:
        results = [result async for result in client.send_all([sms()] * 2, deadline=deadline)]
        assert [type(result.error) for result in results] == [InvalidFlow] * 2
        assert server.token_requests == 0
