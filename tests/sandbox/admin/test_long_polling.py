"""Long polling: a flow or PIN that exists, arrives later, or does not arrive, and a sandbox that stops meanwhile."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from routee_failover.sandbox.simulation.event_bus import MAX_PENDING_EVENTS, ClockChanged, EventBus
from routee_failover.sandbox.simulation.flow_store import AcceptedFlow, FlowStore
from routee_failover.sandbox.simulation.waiters import FlowWaiter
from tests.client.fake_routee import until
from tests.sandbox.raw_http import (
    OTP,
    OTP_SMS_STEP,
    SMS_STEP,
    TRANSACTIONAL,
    VIBER_OTP,
    Caller,
    open_caller,
    with_changes,
)

NEXT, PIN = "/sandbox/flows/next", "/sandbox/pin"


async def next_flow(caller: Caller, query: str) -> tuple[int, Any]:
    """Wait for a flow."""
    return await caller.call("nextSandboxFlow", f"{NEXT}?{query}")


async def get_pin(caller: Caller, query: str) -> tuple[int, Any]:
    """Wait for a PIN."""
    return await caller.call("getSandboxPin", f"{PIN}?{query}")


async def send_sms(caller: Caller, to: str) -> None:
    """Send a flow without a PIN."""
    assert (await caller.send("sendFailover", {"flow": [SMS_STEP | {"to": to}]}))[0] == 200


async def send_otp(caller: Caller, to: str, code: str) -> None:
    """Send a flow with a PIN."""
    step = OTP_SMS_STEP | {"to": to, "order": 1, "message": {"body": f"Code {code}"}}
    assert (await caller.send("sendFailoverOtp", {"flow": [step]}))[0] == 200


async def wait_for_listeners(caller: Caller, listeners: int) -> None:
    """Wait until this many long polls are waiting."""
    await until(lambda: len(caller.sandbox._event_bus._subscriptions) == listeners)


async def test_after_walks_through_flows_oldest_first() -> None:
    """The oldest flow after a number is returned first, so that a test misses none."""
    async with open_caller(speed=0) as caller:
        for to in ("+306911111111", "+306922222222", "+306911111111"):
            await send_sms(caller, to)
        after, seen = 0, []
        while (response := await next_flow(caller, f"to=306911111111&after={after}"))[0] == 200:
            after = response[1]["number"]
            seen.append(after)
        assert seen == [1, 3]
        assert (await next_flow(caller, "after=1"))[1]["number"] == 2  # to any recipient


async def test_next_flow_waits_for_a_flow_to_the_number() -> None:
    """A request before the flow was sent gets it as soon as it arrives; flows to other numbers do not end the wait."""
    async with open_caller(speed=0) as caller:
        request = asyncio.create_task(next_flow(caller, "to=%2B306911111111&timeout=30"))
        await wait_for_listeners(caller, 1)
        await send_sms(caller, "+306922222222")
        await caller.call("setSandboxClock", "/sandbox/clock", method="POST", json={"advance": 1})
        await send_sms(caller, "+306911111111")
        status, flow = await request
    assert (status, flow["number"], flow["to"]) == (200, 2, ["+306911111111"])


async def test_concurrent_waits_each_get_their_own_flow() -> None:
    """Each of many concurrent requests gets the flow to its own number."""
    async with open_caller(speed=0) as caller:
        numbers = [f"+3069100000{digit}" for digit in range(10, 40)]
        requests = [asyncio.create_task(next_flow(caller, f"to={number[1:]}&timeout=30")) for number in numbers]
        await wait_for_listeners(caller, len(numbers))
        for number in reversed(numbers):
            await send_sms(caller, number)
        responses = await asyncio.gather(*requests)
    assert [flow["to"] for _, flow in responses] == [[number] for number in numbers]


async def test_timeout_returns_404() -> None:
    """After the timeout the response is a 404; without a timeout it is immediate."""
    async with open_caller(speed=0) as caller:
        await send_sms(caller, "+306911111111")
        assert (await next_flow(caller, "to=306922222222"))[0] == 404
        assert (await next_flow(caller, "to=306922222222&timeout=0.05"))[0] == 404
        assert (await get_pin(caller, "to=306911111111&timeout=0.05"))[0] == 404


@pytest.mark.parametrize("query", ["timeout=61", "timeout=-1", "timeout=soon", "timeout=nan", "after=-1"])
async def test_invalid_timeout_is_rejected(query: str) -> None:
    """A timeout of more than a minute, or an invalid one, is rejected."""
    async with open_caller(speed=0) as caller:
        assert (await next_flow(caller, query))[0] == 400
        assert (await get_pin(caller, f"to=306911111111&{query}"))[0] == 400
        assert (await get_pin(caller, ""))[0] == 400


async def test_waiter_that_lagged_searches_the_store() -> None:
    """A waiter that missed events because its queue was full still finds its flow."""
    flow_store, event_bus = FlowStore(10), EventBus()
    flow = AcceptedFlow(
        endpoint="viber-otp",
        id="f-1",
        created_at=datetime.now(UTC),
        number=1,
        body=VIBER_OTP,
        accepted_at=0.0,
        message_ids=(),
    )
    request = asyncio.create_task(
        FlowWaiter(flow_store, event_bus).wait_for_oldest(lambda candidate: candidate is flow, timeout=30)
    )
    await until(lambda: event_bus._subscriptions)
    flow_store.add(flow)
    for _ in range(MAX_PENDING_EVENTS + 1):
        event_bus.publish(ClockChanged())
    assert await request is flow


async def test_pin_is_that_of_the_newest_flow_with_one() -> None:
    """The PIN for a number is that of the newest flow that contains one, whatever was sent later or to others."""
    async with open_caller(speed=0) as caller:
        await send_otp(caller, "306911111111", "1111")
        await send_otp(caller, "+306911111111", "2222")
        await send_otp(caller, "+306922222222", "3333")
        await send_sms(caller, "+306911111111")
        status, response = await get_pin(caller, "to=%2B306911111111")
        assert (status, response["pin"], response["to"], response["channel"], response["number"]) == (
            200,
            "2222",
            "+306911111111",
            "Sms",
            2,
        )
        assert (await get_pin(caller, "to=306911111111&after=2"))[0] == 404


async def test_get_pin_waits_for_a_flow_with_a_pin() -> None:
    """A request before the PIN was sent gets it as soon as it arrives; a flow without one does not end the wait."""
    async with open_caller(speed=0) as caller:
        request = asyncio.create_task(get_pin(caller, "to=306911111111&timeout=30"))
        await wait_for_listeners(caller, 1)
        await send_sms(caller, "+306911111111")
        await send_otp(caller, "306911111111", "4444")
        assert (await request)[1]["pin"] == "4444"


async def test_channel_of_a_pin_is_that_of_the_latest_message() -> None:
    """The channel of a PIN is that of the latest message with it; before any was sent, the first to be sent."""
    async with open_caller(speed=0) as caller:
        await caller.send("sendFailoverOtp", {"flow": OTP["flow"]})
        assert (await get_pin(caller, "to=306900000001"))[1]["channel"] == "Viber"
        flow_id = (await get_pin(caller, "to=306900000001"))[1]["flowId"]
        path = f"/sandbox/flows/{flow_id}/actions"
        await caller.call("actOnSandboxFlow", path, method="POST", json={"action": "fail"})
        assert (await get_pin(caller, "to=306900000001"))[1]["channel"] == "Sms"
        await caller.send("sendViberOtp", VIBER_OTP)
        assert (await get_pin(caller, "to=306912345678"))[1]["pin"] == "847291"
        body = with_changes(TRANSACTIONAL, **{"flow.0.templateParams": {"pin": "9999"}, "flow.0.to": "+306933333333"})
        await caller.send("sendTransactionalFailover", body)  # queued for a virtual second
        assert (await get_pin(caller, "to=306933333333"))[1] | {"flowId": ""} == {
            "pin": "9999",
            "to": "+306933333333",
            "channel": "Viber",
            "flowId": "",
            "number": 3,
        }


async def test_stopping_the_sandbox_ends_long_polls() -> None:
    """Long polls do not delay the stop of a sandbox: they get a 404 at once."""
    async with open_caller(speed=0) as caller:
        requests = [asyncio.create_task(next_flow(caller, "timeout=60")) for _ in range(5)]
        requests.append(asyncio.create_task(get_pin(caller, "to=306911111111&timeout=60")))
        await wait_for_listeners(caller, 6)
        started = time.monotonic()
        await caller.sandbox.__aexit__(None, None, None)
        assert [status for status, _ in await asyncio.gather(*requests)] == [404] * 6
        assert time.monotonic() - started < 30  # and not the minute that they would have waited
