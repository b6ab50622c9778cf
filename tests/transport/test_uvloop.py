"""uvloop: it counts whole milliseconds, and callbacks that are due by then get a handle without a time."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from routee_failover import Outcome
from routee_failover._transport.in_flight import InFlight
from routee_failover._transport.limiter import RequestLimiter

from .raw_server import POST, PausableHandler, RawServer, attempt_runner, open_transport


@pytest.fixture
async def coarse_timers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give timers of the transport that are due within two milliseconds a handle without a time, as uvloop does."""
    loop = asyncio.get_running_loop()
    call_at = loop.call_at

    def coarse_call_at(when: float, callback: Callable[..., Any], *args: Any, **named: Any) -> asyncio.Handle:
        if isinstance(getattr(callback, "__self__", None), RequestLimiter | InFlight) and when < loop.time() + 0.002:
            return loop.call_soon(callback)
        return call_at(when, callback, *args, **named)

    monkeypatch.setattr(loop, "call_at", coarse_call_at)


@pytest.mark.usefixtures("coarse_timers")
async def test_expired_attempts_are_started_and_cancelled() -> None:
    """Attempts that are due at once, each earlier than the one before, are started and cancelled."""
    handler = PausableHandler()
    async with RawServer(handler) as server, attempt_runner(server.config()) as runner:
        attempts = [runner.new_attempt(server.url) for _ in range(3)]
        for number, attempt in enumerate(attempts):
            attempt.expires_at = asyncio.get_running_loop().time() - number
            runner.in_flight.start(attempt)
        for attempt in attempts:
            assert (await attempt.result).reason == "no connection within total_timeout"
    assert handler.request_count == 0


@pytest.mark.usefixtures("coarse_timers")
async def test_rate_limit_above_timer_resolution_admits_all_waiters() -> None:
    """At 1,000 requests per second the next slot is due within a millisecond: every waiter is admitted all the same."""
    async with (
        RawServer(PausableHandler()) as server,
        open_transport(server, rate=1_000, pool_size=200, otp_reserve=0) as transport,
    ):
        outcomes = await asyncio.gather(*(transport.send_request(POST) for _ in range(150)))
        assert {outcome for outcome, *_ in outcomes} == {Outcome.ACCEPTED}
