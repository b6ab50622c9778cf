"""How fast many flows go out, and what becomes of those whose time is over."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from routee_failover import DeadlinePassed, InvalidConfig, InvalidFlow, Outcome, RouteeClient, SendResult
from routee_failover._send_all import RateLimiter

from .fake_routee import FakeRoutee, Seen, accepted
from .sample_flows import otp, sms, viber_otp


class Clock:
    """A loop's time that passes only where somebody sleeps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.late = 0.0
        """How much later than asked for each timer comes."""
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: self.now)
        monkeypatch.setattr(asyncio, "sleep", self.sleep)

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds + self.late


async def _begun(clock: Clock, rate: float, count: int) -> list[float]:
    begins, at = RateLimiter(1 / rate), list[float]()
    for _ in range(count):
        await begins.acquire()
        at.append(clock.now - 1000.0)
    return at


@pytest.mark.parametrize("rate", [0.5, 1, 3, 10, 100, 1_000])
async def test_no_second_sees_more_than_the_rate(rate: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of flows that are begun as fast as they may, none comes before its time but for a tenth of a second's worth."""
    with monkeypatch.context() as patch:
        at = await _begun(Clock(patch), rate, 50)
    early = max(1.0, 0.1 * rate)
    assert all(number + 1 <= rate * moment + early + 1e-6 for number, moment in enumerate(at))
    assert at[-1] <= 49 / rate + 1e-6


async def test_timers_that_come_late_cost_nothing_of_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where each timer is 5 ms late, 1,000 flows at 100 a second take ten seconds all the same."""
    with monkeypatch.context() as patch:
        clock = Clock(patch)
        clock.late = 0.005
        at = await _begun(clock, 100, 1_000)
    assert at[-1] == pytest.approx(10, abs=0.2)


async def test_a_long_rest_is_not_made_up_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that had nothing for an hour is not followed by an hour's worth at once."""
    with monkeypatch.context() as patch:
        clock = Clock(patch)
        begins = RateLimiter(0.01)
        await begins.acquire()
        clock.now += 3600
        before = clock.now
        for _ in range(30):
            await begins.acquire()
        assert clock.now - before >= 0.19


async def test_the_rate_holds_on_the_wire() -> None:
    """30 flows at 100 a second take a fifth of a second at least, however many may be under way."""
    async with FakeRoutee() as server, RouteeClient(server.config()) as client:
        started = asyncio.get_running_loop().time()
        told = [sent async for sent in client.send_all([sms()] * 30, concurrency=30, rate=100)]
        assert asyncio.get_running_loop().time() - started >= 0.19
    assert [sent.outcome for sent in told] == [Outcome.ACCEPTED] * 30
    assert len(server.requests) == 30


async def test_a_rate_is_no_reason_to_wait_for_the_end() -> None:
    """What was begun is told while the next flow waits for its time."""
    async with FakeRoutee() as server, RouteeClient(server.config()) as client:
        sending = client.send_all([sms()] * 3, rate=0.001)
        async with asyncio.timeout(5):
            first = await anext(sending)
            await sending.aclose()
    assert (first.outcome, len(server.requests)) == (Outcome.ACCEPTED, 1)


@pytest.mark.parametrize("rate", [0, -1, float("inf"), float("nan"), "10", True])
async def test_a_rate_that_cannot_be_is_refused(rate: Any) -> None:
    """A rate that is no number above 0 is refused before anything is drawn."""
    async with FakeRoutee() as server, RouteeClient(server.config()) as client:
        with pytest.raises(InvalidConfig, match="rate must be a number of flows a second, above 0; nothing was sent"):
            client.send_all([sms()], rate=rate)
        assert server.token_requests == 0


async def test_each_flow_has_the_whole_deadline() -> None:
    """The deadline counts from where each flow is begun, so that the last has as much time as the first."""
    flows = [otp() for _ in range(6)]
    async with FakeRoutee() as server, RouteeClient(server.config()) as client:
        deadline = timedelta(seconds=100)
        async for _ in client.send_all(flows, concurrency=1, rate=20, deadline=deadline):
            pass
    ttls = [step["ttl"] for seen in server.requests for step in json.loads(seen.body)["flow"]]
    assert len(ttls) == 12
    assert all(47 <= ttl <= 50 for ttl in ttls)


async def test_a_deadline_that_passes_is_told_of_that_flow_alone() -> None:
    """A flow that waits too long is NOT_SENT, never raised, and never on the wire; the others are accepted."""
    release = asyncio.Event()

    async def slow(seen: Seen) -> Any:
        await release.wait()
        return accepted()

    told: list[SendResult] = []
    async with FakeRoutee(slow) as server, RouteeClient(server.config(pool_size=2, otp_reserve=0)) as client:
        async for sent in client.send_all([viber_otp()] * 5, concurrency=5, deadline=timedelta(seconds=2.5)):
            told.append(sent)
            if len(told) == 3:
                release.set()
        assert len(server.requests) == 2
    assert [type(sent.error) for sent in told] == [DeadlinePassed] * 3 + [type(None)] * 2
    assert [sent.outcome for sent in told] == [Outcome.NOT_SENT] * 3 + [Outcome.ACCEPTED] * 2


@pytest.mark.parametrize("deadline", [5, "5", True])
async def test_a_deadline_that_is_none_is_told_of_each_flow(deadline: Any) -> None:
    """A deadline that is no timedelta is refused with each flow, and nothing is on the wire."""
    async with FakeRoutee() as server, RouteeClient(server.config()) as client:
        told = [sent async for sent in client.send_all([sms()] * 2, deadline=deadline)]
        assert [type(sent.error) for sent in told] == [InvalidFlow] * 2
        assert server.token_requests == 0
