"""The Python inbox: codes, flows and texts, and the errors when they do not arrive."""

import asyncio
import pickle
from datetime import timedelta
from typing import Any

import pytest

from routee_failover.sandbox import InboxTimeout, Sandbox

from .raw_http import OTP_SMS_STEP, OTP_VIBER_STEP, SMS_STEP, VIBER_STEP, VOICE_STEP, Caller, open_caller

ADA, BOB = "+306911111111", "+306922222222"
SHORT_TIMEOUT = 0.02


async def send_otp(caller: Caller, to: str, code: str) -> None:
    """Send a flow with a PIN."""
    step = OTP_SMS_STEP | {"to": to, "order": 1, "message": {"body": f"Code {code}"}}
    assert (await caller.send("sendFailoverOtp", {"flow": [step]}))[0] == 200


async def send(caller: Caller, *steps: dict[str, Any]) -> None:
    """Send a standard flow."""
    flow = [step | {"order": order} for order, step in enumerate(steps, start=1)]
    assert (await caller.send("sendFailover", {"flow": flow}))[0] == 200


async def test_pin_is_returned_once_and_the_next_one_is_awaited() -> None:
    """A code is returned once: the second login in a test waits for its own, however its number is written."""
    async with open_caller(speed=0) as caller:
        inbox = caller.sandbox.inbox
        await send_otp(caller, ADA, "1111")
        await send_otp(caller, BOB, "2222")
        assert await inbox.pin_for(ADA) == "1111"
        second = asyncio.create_task(inbox.pin_for("30 691 111 1111"))
        await asyncio.sleep(0)
        await send_otp(caller, ADA, "3333")
        assert await second == "3333"
        assert await inbox.pin_for(BOB) == "2222"
        with pytest.raises(InboxTimeout, match="has been returned already"):
            await inbox.pin_for(ADA, timeout=0)


async def test_newest_of_several_pins_is_returned() -> None:
    """Of several codes that arrived meanwhile the newest is returned, as a user would enter it."""
    async with open_caller(speed=0) as caller:
        for code in ("1111", "2222"):
            await send_otp(caller, ADA, code)
        assert await caller.sandbox.inbox.pin_for(ADA) == "2222"
        with pytest.raises(InboxTimeout):
            await caller.sandbox.inbox.pin_for(ADA, timeout=0)


async def test_each_recipient_of_a_flow_has_its_own_pin() -> None:
    """Of a flow with several recipients, each gets the code of its own message, and others get none."""
    async with open_caller(speed=0) as caller:
        sms = [
            OTP_SMS_STEP | {"order": order, "to": to, "message": {"body": f"Code {code}"}}
            for order, (to, code) in enumerate(((ADA, "1111"), (BOB, "2222"), ("+306933333333", "soon")), start=1)
        ]
        assert (await caller.send("sendFailoverOtp", {"flow": sms}))[0] == 200
        for to, code in ((BOB, "2222"), (ADA, "1111")):
            status, response = await caller.call("getSandboxPin", f"/sandbox/pin?to={to[1:]}&timeout=0")
            assert (status, response["pin"], response["to"]) == (200, code, to)
            assert await caller.sandbox.inbox.pin_for(to) == code
        with pytest.raises(InboxTimeout):
            await caller.sandbox.inbox.pin_for("+306933333333", timeout=0)


async def test_next_flow_returns_flows_in_order_and_waits() -> None:
    """`next_flow` returns the flows to a number, or to any number, in order, and waits for the next."""
    async with open_caller(speed=0) as caller:
        inbox = caller.sandbox.inbox
        for to in (ADA, BOB, ADA):
            await send(caller, SMS_STEP | {"to": to})
        assert [(await inbox.next_flow(ADA)).number for _ in range(2)] == [1, 3]
        assert [(await inbox.next_flow()).number for _ in range(3)] == [1, 2, 3]
        pending = asyncio.create_task(inbox.next_flow())
        await asyncio.sleep(0)
        await send(caller, SMS_STEP | {"to": BOB})
        flow = await pending
        assert (flow.number, flow.to, flow.endpoint) == (4, (BOB,), "standard")
        assert flow.body["flow"][0]["message"]["body"] == "Hi"
        assert [flow.number for flow in inbox.flows_to(BOB)] == [2, 4]


async def test_texts_to_returns_delivered_texts_only() -> None:
    """A message that was not delivered is not among the texts; texts of calls, and names of files, are."""
    async with open_caller(speed=0) as caller:
        inbox = caller.sandbox.inbox
        caller.sandbox.script(to=ADA, viber="undelivered")
        await send(caller, VIBER_STEP | {"to": ADA, "message": {"text": "by Viber"}}, SMS_STEP | {"to": ADA})
        pending = asyncio.create_task(inbox.texts_to(ADA))
        await caller.sandbox.advance(timedelta(seconds=30))
        assert await pending == ["Hi"]
        await send(caller, VOICE_STEP | {"to": {"phone": ADA}})
        await send(caller, VIBER_STEP | {"to": BOB, "message": {"viberFile": {}}}, SMS_STEP | {"to": ADA})
        await caller.sandbox.advance(timedelta(seconds=30))
        assert await inbox.texts_to(ADA, count=2) == ["Hi", "Hi"]
        assert await inbox.texts_to(BOB) == ["[file]"]


async def test_missing_texts_raise_with_the_count_and_a_stopped_clock() -> None:
    """Too few texts end in an error with their number; on a stopped clock it mentions that too."""
    async with open_caller(speed=0) as caller:
        await send(caller, SMS_STEP | {"to": ADA})
        with pytest.raises(InboxTimeout, match=r"0 of 1 messages to .*the sandbox's clock is stopped"):
            await caller.sandbox.inbox.texts_to(ADA, timeout=SHORT_TIMEOUT)
        await caller.sandbox.advance(timedelta(seconds=30))
        with pytest.raises(InboxTimeout, match="1 of 2 messages to"):
            await caller.sandbox.inbox.texts_to(ADA, count=2, timeout=SHORT_TIMEOUT)
    async with Sandbox() as sandbox:
        with pytest.raises(InboxTimeout) as caught:
            await sandbox.inbox.texts_to(ADA, timeout=0)
    assert "is stopped" not in str(caught.value)


async def test_timeout_error_lists_flows_and_rejections_without_pins() -> None:
    """The error lists the flows that arrived with recipients and status, and rejected requests; no PIN and no text."""
    async with open_caller(speed=0) as caller:
        with pytest.raises(InboxTimeout) as without_flows:
            await caller.sandbox.inbox.next_flow(timeout=SHORT_TIMEOUT)
        assert str(without_flows.value) == "no new flow has arrived within 0.02 s\n  the sandbox has accepted no flow"
        await caller.send("sendFailoverOtp", {"flow": [OTP_VIBER_STEP | {"to": ADA}, OTP_SMS_STEP | {"to": ADA}]})
        await send(caller, SMS_STEP | {"to": BOB})
        await caller.send("sendFailover", {"flow": []})
        with pytest.raises(InboxTimeout) as caught:
            await caller.sandbox.inbox.pin_for(BOB, timeout=SHORT_TIMEOUT)
    assert str(caught.value).splitlines() == [
        f"no PIN for {BOB} has arrived within 0.02 s",
        f"  flow 1: otp to {ADA}, with a PIN: InProgress (Viber QUEUED)",
        f"  flow 2: standard to {BOB}: Queued (nothing sent yet)",
        "  requests that the sandbox rejected: 1",
    ]
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


async def test_timeout_error_lists_only_the_newest_flows() -> None:
    """The error stays short, however many flows arrived."""
    async with open_caller(speed=0) as caller:
        for _ in range(7):
            await send(caller, SMS_STEP | {"to": ADA})
        with pytest.raises(InboxTimeout) as caught:
            await caller.sandbox.inbox.next_flow(BOB, timeout=0)
    lines = str(caught.value).splitlines()
    assert (len(lines), lines[1]) == (7, "  (2 more)")


async def test_detail_equals_the_admin_api_response() -> None:
    """`detail` returns what GET /sandbox/flows/{id} returns, in the current state of the flow."""
    async with open_caller(speed=0) as caller:
        await send(caller, SMS_STEP | {"to": ADA})
        flow = await caller.sandbox.inbox.next_flow(ADA)
        await caller.sandbox.advance(timedelta(seconds=30))
        detail = caller.sandbox.inbox.detail(flow)
        assert detail["status"] == "Succeeded"
        assert await caller.call("getSandboxFlow", f"/sandbox/flows/{flow.id}") == (200, detail)
        await caller.call("clearSandboxFlows", "/sandbox/flows", method="DELETE")
        assert caller.sandbox.inbox.detail(flow) == detail  # although it was deleted


async def test_pin_after_a_reset_is_awaited_as_before() -> None:
    """After all flows were deleted the next code is waited for as before."""
    async with open_caller(speed=0) as caller:
        await send_otp(caller, ADA, "1111")
        assert await caller.sandbox.inbox.pin_for(ADA) == "1111"
        await caller.call("resetSandbox", "/sandbox/reset", method="POST")
        await send_otp(caller, ADA, "2222")
        assert await caller.sandbox.inbox.pin_for(ADA) == "2222"


def test_environ_has_the_variables_of_from_env() -> None:
    """`environ` has the variables that `RouteeClient.from_env` reads."""
    with Sandbox() as sandbox:
        environ = sandbox.environ
        assert environ["ROUTEE_API_URL"] == environ["ROUTEE_AUTH_URL"] == sandbox.url
        assert sorted(environ) == [
            "ROUTEE_API_URL",
            "ROUTEE_APPLICATION_ID",
            "ROUTEE_APPLICATION_SECRET",
            "ROUTEE_AUTH_URL",
        ]
