"""Long polls: a flow or a PIN that is there, one that comes, one that does not, and a sandbox that stops meanwhile."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from routee_failover.sandbox.simulation.event_bus import MAX_PENDING_EVENTS, ClockChanged, EventBus
from routee_failover.sandbox.simulation.flow_store import AcceptedFlow, FlowStore
from routee_failover.sandbox.simulation.waiters import FlowWaiter
from tests.client.fake_routee import until
from tests.sandbox.raw_http import OTP, OTP_SMS_STEP, SMS_STEP, TRANSACTIONAL, VIBER_OTP, Caller, calling, changed

NEXT, PIN = "/sandbox/flows/next", "/sandbox/pin"


async def next_flow(caller: Caller, query: str) -> tuple[int, Any]:
    """Wait for a flow."""
    return await caller.call("nextSandboxFlow", f"{NEXT}?{query}")


async def pin(caller: Caller, query: str) -> tuple[int, Any]:
    """Wait for a PIN."""
    return await caller.call("getSandboxPin", f"{PIN}?{query}")


async def send_sms(caller: Caller, to: str) -> None:
    """A flow without a PIN."""
    assert (await caller.send("sendFailover", {"flow": [SMS_STEP | {"to": to}]}))[0] == 200


async def send_otp(caller: Caller, to: str, code: str) -> None:
    """A flow with a PIN."""
    step = OTP_SMS_STEP | {"to": to, "order": 1, "message": {"body": f"Code {code}"}}
    assert (await caller.send("sendFailoverOtp", {"flow": [step]}))[0] == 200


async def waiting(caller: Caller, listeners: int) -> None:
    """Until so many long polls wait."""
    await until(lambda: len(caller.sandbox._event_bus._subscriptions) == listeners)


async def test_flows_are_taken_one_after_another() -> None:
    """The oldest flow after a number comes first, so that a test walks through them and misses none."""
    async with calling(speed=0) as caller:
        for to in ("+306911111111", "+306922222222", "+306911111111"):
            await send_sms(caller, to)
        after, seen = 0, []
        while (answered := await next_flow(caller, f"to=306911111111&after={after}"))[0] == 200:
            after = answered[1]["number"]
            seen.append(after)
        assert seen == [1, 3]
        assert (await next_flow(caller, "after=1"))[1]["number"] == 2  # to anybody


async def test_a_flow_is_waited_for() -> None:
    """Who asks before the flow was sent is answered as soon as it is; flows to others do not answer it."""
    async with calling(speed=0) as caller:
        asked = asyncio.create_task(next_flow(caller, "to=%2B306911111111&timeout=30"))
        await waiting(caller, 1)
        await send_sms(caller, "+306922222222")
        await caller.call("setSandboxClock", "/sandbox/clock", method="POST", json={"advance": 1})
        await send_sms(caller, "+306911111111")
        status, flow = await asked
    assert (status, flow["number"], flow["to"]) == (200, 2, ["+306911111111"])


async def test_many_wait_at_once() -> None:
    """Each of many who wait is answered with the flow to its own number."""
    async with calling(speed=0) as caller:
        numbers = [f"+3069100000{digit}" for digit in range(10, 40)]
        asked = [asyncio.create_task(next_flow(caller, f"to={number[1:]}&timeout=30")) for number in numbers]
        await waiting(caller, len(numbers))
        for number in reversed(numbers):
            await send_sms(caller, number)
        answered = await asyncio.gather(*asked)
    assert [flow["to"] for _, flow in answered] == [[number] for number in numbers]


async def test_what_does_not_come() -> None:
    """When the time is over the answer is 404; without a timeout it is so at once."""
    async with calling(speed=0) as caller:
        await send_sms(caller, "+306911111111")
        assert (await next_flow(caller, "to=306922222222"))[0] == 404
        assert (await next_flow(caller, "to=306922222222&timeout=0.05"))[0] == 404
        assert (await pin(caller, "to=306911111111&timeout=0.05"))[0] == 404


@pytest.mark.parametrize("query", ["timeout=61", "timeout=-1", "timeout=soon", "timeout=nan", "after=-1"])
async def test_a_wrong_wait_is_refused(query: str) -> None:
    """No one waits for longer than a minute, nor for a time that is none."""
    async with calling(speed=0) as caller:
        assert (await next_flow(caller, query))[0] == 400
        assert (await pin(caller, f"to=306911111111&{query}"))[0] == 400
        assert (await pin(caller, ""))[0] == 400


async def test_a_slow_reader_looks_for_itself() -> None:
    """Who waits while more happens than is kept for him still finds his flow."""
    book, feed = FlowStore(10), EventBus()
    flow = AcceptedFlow(
        endpoint="viber-otp",
        id="f-1",
        created_at=datetime.now(UTC),
        number=1,
        body=VIBER_OTP,
        accepted_at=0.0,
        message_ids=(),
    )
    asked = asyncio.create_task(FlowWaiter(book, feed).wait_for_oldest(lambda one: one is flow, timeout=30))
    await until(lambda: feed._subscriptions)
    book.add(flow)
    for _ in range(MAX_PENDING_EVENTS + 1):
        feed.publish(ClockChanged())
    assert await asked is flow


async def test_the_newest_pin() -> None:
    """The PIN for a number is that of the newest flow that holds one, whatever came after it or to others."""
    async with calling(speed=0) as caller:
        await send_otp(caller, "306911111111", "1111")
        await send_otp(caller, "+306911111111", "2222")
        await send_otp(caller, "+306922222222", "3333")
        await send_sms(caller, "+306911111111")
        status, told = await pin(caller, "to=%2B306911111111")
        assert (status, told["pin"], told["to"], told["channel"], told["number"]) == (
            200,
            "2222",
            "+306911111111",
            "Sms",
            2,
        )
        assert (await pin(caller, "to=306911111111&after=2"))[0] == 404


async def test_a_pin_is_waited_for() -> None:
    """Who asks for a PIN before it was sent is answered as soon as it is; a flow without one does not answer it."""
    async with calling(speed=0) as caller:
        asked = asyncio.create_task(pin(caller, "to=306911111111&timeout=30"))
        await waiting(caller, 1)
        await send_sms(caller, "+306911111111")
        await send_otp(caller, "306911111111", "4444")
        assert (await asked)[1]["pin"] == "4444"


async def test_where_a_pin_comes_from() -> None:
    """The channel of a PIN is that of the latest message that holds it; before any was sent, the first to be."""
    async with calling(speed=0) as caller:
        await caller.send("sendFailoverOtp", {"flow": OTP["flow"]})
        assert (await pin(caller, "to=306900000001"))[1]["channel"] == "Viber"
        flow_id = (await pin(caller, "to=306900000001"))[1]["flowId"]
        path = f"/sandbox/flows/{flow_id}/actions"
        await caller.call("actOnSandboxFlow", path, method="POST", json={"action": "fail"})
        assert (await pin(caller, "to=306900000001"))[1]["channel"] == "Sms"
        await caller.send("sendViberOtp", VIBER_OTP)
        assert (await pin(caller, "to=306912345678"))[1]["pin"] == "847291"
        body = changed(TRANSACTIONAL, **{"flow.0.templateParams": {"pin": "9999"}, "flow.0.to": "+306933333333"})
        await caller.send("sendTransactionalFailover", body)  # queued for a virtual second
        assert (await pin(caller, "to=306933333333"))[1] | {"flowId": ""} == {
            "pin": "9999",
            "to": "+306933333333",
            "channel": "Viber",
            "flowId": "",
            "number": 3,
        }


async def test_a_sandbox_that_stops_keeps_nobody_waiting() -> None:
    """Long polls do not hold up the end of a sandbox: they are answered 404 at once."""
    async with calling(speed=0) as caller:
        asked = [asyncio.create_task(next_flow(caller, "timeout=60")) for _ in range(5)]
        asked.append(asyncio.create_task(pin(caller, "to=306911111111&timeout=60")))
        await waiting(caller, 6)
        began = time.monotonic()
        await caller.sandbox.__aexit__(None, None, None)
        assert [status for status, _ in await asyncio.gather(*asked)] == [404] * 6
        assert time.monotonic() - began < 30  # and not the minute that they would have waited
