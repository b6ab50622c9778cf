"""Scripted answers and broken connections, as this project's client judges them: the sandbox's count is the judge."""

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
    """An SMS."""
    return StandardFlow(steps=[SmsStep(to=to, from_="Demo", message="Hi")])


def otp(to: str = ADA) -> OtpFlow:
    """The same as an OTP."""
    return OtpFlow(steps=[OtpSmsStep(to=to, message="Your code is 847291", ttl=timedelta(minutes=1))])


JUDGED: list[tuple[dict[str, Any], type[RouteeError], Outcome, int]] = [
    ({"response": 400}, BadRequest, Outcome.REJECTED, 0),
    ({"response": ResponseScript(insufficient_balance=True)}, InsufficientBalance, Outcome.REJECTED, 0),
    ({"response": 409}, Rejected, Outcome.REJECTED, 0),
    ({"response": 500}, DeliveryUnknown, Outcome.UNKNOWN, 0),
    ({"fault": "reset"}, DeliveryUnknown, Outcome.UNKNOWN, 1),
    ({"fault": "reset-before"}, DeliveryUnknown, Outcome.UNKNOWN, 0),
    ({"fault": "truncated"}, DeliveryUnknown, Outcome.UNKNOWN, 1),
    ({"fault": "hang"}, DeliveryUnknown, Outcome.UNKNOWN, 1),
]


@pytest.mark.parametrize(("said", "kind", "outcome", "accepted"), JUDGED, ids=lambda value: str(value)[:40])
async def test_the_client_judges_right(
    said: dict[str, Any], kind: type[RouteeError], outcome: Outcome, accepted: int
) -> None:
    """Each answer and fault is the error of the client's that fits it, and nothing is sent twice."""
    patience = timedelta(seconds=2 if said.get("fault") == "hang" else 30)
    async with Sandbox(speed=0) as sandbox, RouteeClient(sandbox.config(total_timeout=patience)) as routee:
        await routee.send(failover())  # there is a token now, and a connection
        sandbox.script(**said)
        with pytest.raises(kind) as caught:
            await routee.send(failover())
        assert caught.value.outcome is outcome
        assert sandbox.counts.accepted == accepted + 1
        assert sandbox.rules[0]["applied"] == 1


async def test_the_client_honours_a_pause() -> None:
    """A 429 with a Retry-After is waited out, and the message is sent once."""
    async with Sandbox(speed=0) as sandbox, RouteeClient(sandbox.config()) as routee:
        sandbox.script(response=ResponseScript(429, retry_after=timedelta(seconds=1)), times=1)
        began = time.monotonic()
        await routee.send(failover())
        assert time.monotonic() - began >= 0.99
        assert sandbox.counts.accepted == 1
        sandbox.script(response=ResponseScript(429, retry_after=timedelta(hours=1)))
        with pytest.raises(RateLimited) as caught:
            await routee.send(failover())
        assert caught.value.retry_after == 3600


async def test_the_client_reads_why_an_otp_failed() -> None:
    """An OTP that is refused with 200 says by its statusCode why."""
    async with Sandbox(speed=0) as sandbox, RouteeClient(sandbox.config()) as routee:
        sandbox.script(response=ResponseScript(insufficient_balance=True), times=1)
        sandbox.script(sms="error", times=1)
        for reason in ("server error", "insufficient balance"):
            with pytest.raises(FlowFailed) as caught:
                await routee.send(otp())
            assert caught.value.reason == reason
        assert sandbox.counts.accepted == 0
        assert (await routee.send(otp())).status == "Succeeded"


async def test_the_client_without_a_token() -> None:
    """Where no token is to be had nothing is sent; one outage is got over."""
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


async def test_the_client_waits_through_an_outage_of_tracking() -> None:
    """Reading calls are repeated: two that fail are not noticed."""
    async with Sandbox(speed=0) as sandbox, RouteeClient(sandbox.config()) as routee:
        receipt = await routee.send(failover())
        sandbox.script(endpoint="reading", response=503, times=1)
        sandbox.script(endpoint="reading", fault="reset", times=1)
        assert (await routee.track(receipt)).status == "Queued"


async def test_a_storm_of_faults_at_a_rate() -> None:
    """Of many concurrent sends, each that is unknown or known has its place in the sandbox's count; none is twice."""
    async with Sandbox(speed=0) as sandbox, RouteeClient(sandbox.config()) as routee:
        sandbox.script(rate=0.1, seed=1, fault="truncated")
        sandbox.script(rate=0.1, seed=2, fault="reset")
        sandbox.script(rate=0.1, seed=3, response=400)
        numbers = [f"+3069123450{number:02}" for number in range(100)]
        ended = await asyncio.gather(*(routee.send(failover(to)) for to in numbers), return_exceptions=True)
        unknown = sum(isinstance(one, DeliveryUnknown) for one in ended)
        refused = sum(isinstance(one, BadRequest) for one in ended)
        sent = sum(not isinstance(one, BaseException) for one in ended)
        truncated, reset, answered = (rule["applied"] for rule in reversed(sandbox.rules))
        assert (unknown, refused, sent) == (truncated + reset, answered, 100 - truncated - reset - answered)
        assert sandbox.counts.accepted == sent + unknown
        to = [flow.steps[0].recipient for flow in sandbox.accepted]
        assert len(to) == len(set(to))
