"""Loops that are not asyncio's own: uvloop counts whole milliseconds, and what is due by then is no timer to it."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from routee_failover import Outcome
from routee_failover._transport.in_flight import InFlight
from routee_failover._transport.limiter import RequestLimiter

from .raw_server import POST, Door, RawServer, bench, opened


@pytest.fixture
async def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever of the transport asks for a moment that is near gets a handle that does not know its time."""
    loop = asyncio.get_running_loop()
    call_at = loop.call_at

    def coarsely(when: float, callback: Callable[..., Any], *args: Any, **named: Any) -> asyncio.Handle:
        if isinstance(getattr(callback, "__self__", None), RequestLimiter | InFlight) and when < loop.time() + 0.002:
            return loop.call_soon(callback)
        return call_at(when, callback, *args, **named)

    monkeypatch.setattr(loop, "call_at", coarsely)


@pytest.mark.usefixtures("coarse")
async def test_deadlines_that_are_over_keep_nobody_from_starting() -> None:
    """Exchanges that are due at once, one before the other, are started and ended."""
    door = Door()
    async with RawServer(door) as server, bench(server.config()) as made:
        exchanges = [made.new_attempt(server.url) for _ in range(3)]
        for number, exchange in enumerate(exchanges):
            exchange.expires_at = asyncio.get_running_loop().time() - number
            made.in_flight.start(exchange)
        for exchange in exchanges:
            assert (await exchange.result).reason == "no connection within total_timeout"
    assert door.begun == 0


@pytest.mark.usefixtures("coarse")
async def test_turns_that_are_due_at_once_keep_nobody_from_waiting() -> None:
    """At 1,000 a second the next turn is due within a millisecond: everybody gets one all the same."""
    async with RawServer(Door()) as server, opened(server, rate=1_000, pool_size=200, otp_reserve=0) as transport:
        outcomes = await asyncio.gather(*(transport.send_request(POST) for _ in range(150)))
        assert {outcome for outcome, _ in outcomes} == {Outcome.ACCEPTED}
