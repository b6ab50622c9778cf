"""Scripted responses and faults, as this project's client classifies them: the sandbox's counters are the reference."""

import asyncio
import time
from datetime import timedelta
from typing import Any

import pytest

from routee_failover import (
    BadRequest,
    DeliveryUnknown,
    FlowFailed,
    InsufficientBalance,
    NotSent,
    OtpFlow,
    OtpSmsStep,
    Outcome,
    RateLimited,
    Rejected,
    RouteeClient,
    RouteeError,
    SmsStep,
    StandardFlow,
    TokenUnavailable,
)
from routee_failover.sandbox import ResponseScript, Sandbox

ADA = "+306912345678"


def failover(to: str = ADA) -> StandardFlow:
    """Return a flow of one SMS."""
    return StandardFlow(steps=[SmsStep(to=to, from_="Demo", message="Hi")])


def otp(to: str = ADA) -> OtpFlow:
    """Return an OTP flow of one SMS."""
    return OtpFlow(steps=[OtpSmsStep(to=to, message="Your code is 847291", ttl=timedelta(minutes=1))])


EXPECTATIONS: list[tuple[dict[str, Any], type[RouteeError], Outcome, int]] = [
    ({"response": 400}, BadRequest, Outcome.REJECTED, 0),
    ({"response": ResponseScript(insufficient_balance=True)}, InsufficientBalance, Outcome.REJECTED, 0),
    ({"response": 409}, Rejected, Outcome.REJECTED, 0),
    ({"response": 500}, DeliveryUnknown, Outcome.UNKNOWN, 0),
    ({"fault": "reset"}, DeliveryUnknown, Outcome.UNKNOWN, 1),
    ({"fault": "reset-before"}, DeliveryUnknown, Outcome.UNKNOWN, 0),
    ({"fault": "truncated"}, DeliveryUnknown, Outcome.UNKNOWN, 1),
    ({"fault": "hang"}, DeliveryUnknown, Outcome.UNKNOWN, 1),
]


@pytest.mark.parametrize(("script", "kind", "outcome", "accepted"), EXPECTATIONS, ids=lambda value: str(value)[:40])
async def test_each_response_and_fault_raises_the_matching_error(
    script: dict[str, Any], kind: type[RouteeError], outcome: Outcome, accepted: int
) -> None:
    """Each response and fault raises the matching error of the client, and nothing is sent twice."""
    total_timeout = timedelta(seconds=2 if script.get("fault") == "hang" else 30)
    async with Sandbox(speed=0) as sandbox, RouteeClient(sandbox.config(total_timeout=total_timeout)) as routee:
        await routee.send(failover())  # so that there are a token and a connection
        sandbox.script(**script)
        with pytest.raises(kind) as caught:
            await routee.send(failover())
        assert caught.value.outcome is outcome
        assert sandbox.counts.accepted == accepted + 1
        assert sandbox.rules[0]["applied"] == 1


async def test_client_waits_for_retry_after() -> None:
    """The client waits for the Retry-After of a 429, and sends the message once."""
    async with Sandbox(speed=0) as sandbox, RouteeClient(sandbox.config()) as routee:
        sandbox.script(response=ResponseScript(429, retry_after=timedelta(seconds=1)), times=1)
        started = time.monotonic()
        await routee.send(failover())
        assert time.monotonic() - started >= 0.99
        assert sandbox.counts.accepted == 1
        sandbox.script(response=ResponseScript(429, retry_after=timedelta(hours=1)))
        with pytest.raises(RateLimited) as caught:
            await routee.send(failover())
        assert caught.value.retry_after == 3600


async def test_failed_otp_has_the_reason_of_its_status_code() -> None:
    """An OTP that is rejected with 200 has the reason of its statusCode."""
    async with Sandbox(speed=0) as sandbox, RouteeClient(sandbox.config()) as routee:
        sandbox.script(response=ResponseScript(insufficient_balance=True), times=1)
        sandbox.script(sms="error", times=1)
        for reason in ("server error", "insufficient balance"):
            with pytest.raises(FlowFailed) as caught:
                await routee.send(otp())
            assert caught.value.reason == reason
        assert sandbox.counts.accepted == 0
        assert (await routee.send(otp())).status == "Succeeded"


async def test_token_outage_sends_nothing_and_is_retried() -> None:
    """Without a token nothing is sent; a single failure of the token service is retried."""
    async with Sandbox(speed=0) as sandbox:
        sandbox.script(endpoint="token", fault="reset", times=1)
        async with RouteeClient(sandbox.config()) as routee:
            await routee.send(failover())
        sandbox.script(endpoint="token", response=400)
        async with RouteeClient(sandbox.config()) as routee:
            with pytest.raises(NotSent) as caught:
                await routee.send(failover())
        assert isinstance(caught.value, TokenUnavailable)
        assert sandbox.counts.accepted == 1


async def test_tracking_is_retried() -> None:
    """Reads are retried: two that fail are not visible to the caller."""
    async with Sandbox(speed=0) as sandbox, RouteeClient(sandbox.config()) as routee:
        receipt = await routee.send(failover())
        sandbox.script(endpoint="reading", response=503, times=1)
        sandbox.script(endpoint="reading", fault="reset", times=1)
        assert (await routee.track(receipt)).status == "Queued"


async def test_concurrent_sends_with_faults_match_the_counters() -> None:
    """Of many concurrent sends, the results match the sandbox's counters, and nothing is sent twice."""
    async with Sandbox(speed=0) as sandbox, RouteeClient(sandbox.config()) as routee:
        sandbox.script(rate=0.1, seed=1, fault="truncated")
        sandbox.script(rate=0.1, seed=2, fault="reset")
        sandbox.script(rate=0.1, seed=3, response=400)
        numbers = [f"+3069123450{number:02}" for number in range(100)]
        results = await asyncio.gather(*(routee.send(failover(to)) for to in numbers), return_exceptions=True)
        unknown = sum(isinstance(result, DeliveryUnknown) for result in results)
        rejected = sum(isinstance(result, BadRequest) for result in results)
        sent = sum(not isinstance(result, BaseException) for result in results)
        truncated, reset, scripted = (rule["applied"] for rule in reversed(sandbox.rules))
        assert (unknown, rejected, sent) == (truncated + reset, scripted, 100 - truncated - reset - scripted)
        assert sandbox.counts.accepted == sent + unknown
        to = [flow.steps[0].recipient for flow in sandbox.accepted]
        assert len(to) == len(set(to))
