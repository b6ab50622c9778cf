"""The inbox as a test in Python asks it: codes, flows and texts, and what it says when they do not come."""

import asyncio
import pickle
from datetime import timedelta
from typing import Any

import pytest

from routee_failover.sandbox import InboxTimeout, Sandbox

from .raw_http import OTP_SMS_STEP, OTP_VIBER_STEP, SMS_STEP, VIBER_STEP, VOICE_STEP, Caller, calling

ADA, BOB = "+306911111111", "+306922222222"
SOON = 0.02


async def send_otp(caller: Caller, to: str, code: str) -> None:
    """A flow with a PIN."""
    step = OTP_SMS_STEP | {"to": to, "order": 1, "message": {"body": f"Code {code}"}}
    assert (await caller.send("sendFailoverOtp", {"flow": [step]}))[0] == 200


async def send(caller: Caller, *steps: dict[str, Any]) -> None:
    """A standard flow."""
    flow = [step | {"order": order} for order, step in enumerate(steps, start=1)]
    assert (await caller.send("sendFailover", {"flow": flow}))[0] == 200


async def test_each_login_has_its_own_code() -> None:
    """A code is given once: the second login in a test waits for its own, however its number is written."""
    async with calling(speed=0) as caller:
        inbox = caller.sandbox.inbox
        await send_otp(caller, ADA, "1111")
        await send_otp(caller, BOB, "2222")
        assert await inbox.pin_for(ADA) == "1111"
        again = asyncio.create_task(inbox.pin_for("30 691 111 1111"))
        await asyncio.sleep(0)
        await send_otp(caller, ADA, "3333")
        assert await again == "3333"
        assert await inbox.pin_for(BOB) == "2222"
        with pytest.raises(InboxTimeout, match="has been given already"):
            await inbox.pin_for(ADA, timeout=0)


async def test_the_newest_code_counts() -> None:
    """Of several codes that came meanwhile the newest is given, as a person would type it."""
    async with calling(speed=0) as caller:
        for code in ("1111", "2222"):
            await send_otp(caller, ADA, code)
        assert await caller.sandbox.inbox.pin_for(ADA) == "2222"
        with pytest.raises(InboxTimeout):
            await caller.sandbox.inbox.pin_for(ADA, timeout=0)


async def test_everybody_gets_their_own_code() -> None:
    """Of a flow whose steps go to several people, each is given the code of their own message, and others none."""
    async with calling(speed=0) as caller:
        sms = [
            OTP_SMS_STEP | {"order": order, "to": to, "message": {"body": f"Code {code}"}}
            for order, (to, code) in enumerate(((ADA, "1111"), (BOB, "2222"), ("+306933333333", "soon")), start=1)
        ]
        assert (await caller.send("sendFailoverOtp", {"flow": sms}))[0] == 200
        for to, code in ((BOB, "2222"), (ADA, "1111")):
            status, answered = await caller.call("getSandboxPin", f"/sandbox/pin?to={to[1:]}&timeout=0")
            assert (status, answered["pin"], answered["to"]) == (200, code, to)
            assert await caller.sandbox.inbox.pin_for(to) == code
        with pytest.raises(InboxTimeout):
            await caller.sandbox.inbox.pin_for("+306933333333", timeout=0)


async def test_flows_come_one_after_another() -> None:
    """`next_flow` walks through the flows to a number, or to anybody, and waits for the next."""
    async with calling(speed=0) as caller:
        inbox = caller.sandbox.inbox
        for to in (ADA, BOB, ADA):
            await send(caller, SMS_STEP | {"to": to})
        assert [(await inbox.next_flow(ADA)).number for _ in range(2)] == [1, 3]
        assert [(await inbox.next_flow()).number for _ in range(3)] == [1, 2, 3]
        coming = asyncio.create_task(inbox.next_flow())
        await asyncio.sleep(0)
        await send(caller, SMS_STEP | {"to": BOB})
        flow = await coming
        assert (flow.number, flow.to, flow.endpoint) == (4, (BOB,), "standard")
        assert flow.body["flow"][0]["message"]["body"] == "Hi"
        assert [one.number for one in inbox.flows_to(BOB)] == [2, 4]


async def test_texts_are_those_that_were_delivered() -> None:
    """A message that did not reach the person is not among the texts; what is said in a call, and files, are."""
    async with calling(speed=0) as caller:
        inbox = caller.sandbox.inbox
        caller.sandbox.script(to=ADA, viber="undelivered")
        await send(caller, VIBER_STEP | {"to": ADA, "message": {"text": "by Viber"}}, SMS_STEP | {"to": ADA})
        coming = asyncio.create_task(inbox.texts_to(ADA))
        await caller.sandbox.advance(timedelta(seconds=30))
        assert await coming == ["Hi"]
        await send(caller, VOICE_STEP | {"to": {"phone": ADA}})
        await send(caller, VIBER_STEP | {"to": BOB, "message": {"viberFile": {}}}, SMS_STEP | {"to": ADA})
        await caller.sandbox.advance(timedelta(seconds=30))
        assert await inbox.texts_to(ADA, count=2) == ["Hi", "Hi"]
        assert await inbox.texts_to(BOB) == ["[file]"]


async def test_texts_that_do_not_come() -> None:
    """Too few texts end in an error that says so; on a clock that stands still, it says that, too."""
    async with calling(speed=0) as caller:
        await send(caller, SMS_STEP | {"to": ADA})
        with pytest.raises(InboxTimeout, match=r"0 of 1 messages to .*the sandbox's clock stands still"):
            await caller.sandbox.inbox.texts_to(ADA, timeout=SOON)
        await caller.sandbox.advance(timedelta(seconds=30))
        with pytest.raises(InboxTimeout, match="1 of 2 messages to"):
            await caller.sandbox.inbox.texts_to(ADA, count=2, timeout=SOON)
    async with Sandbox() as sandbox:
        with pytest.raises(InboxTimeout) as caught:
            await sandbox.inbox.texts_to(ADA, timeout=0)
    assert "stands still" not in str(caught.value)


async def test_what_did_come_is_told() -> None:
    """The error lists the flows that came, to whom and how they stand, and refused requests; no PIN, and no text."""
    async with calling(speed=0) as caller:
        with pytest.raises(InboxTimeout) as nothing:
            await caller.sandbox.inbox.next_flow(timeout=SOON)
        assert str(nothing.value) == "no new flow has arrived within 0.02 s\n  the sandbox has accepted no flow"
        await caller.send("sendFailoverOtp", {"flow": [OTP_VIBER_STEP | {"to": ADA}, OTP_SMS_STEP | {"to": ADA}]})
        await send(caller, SMS_STEP | {"to": BOB})
        await caller.send("sendFailover", {"flow": []})
        with pytest.raises(InboxTimeout) as caught:
            await caller.sandbox.inbox.pin_for(BOB, timeout=SOON)
    assert str(caught.value).splitlines() == [
        f"no PIN for {BOB} has arrived within 0.02 s",
        f"  flow 1: otp to {ADA}, with a PIN: InProgress (Viber QUEUED)",
        f"  flow 2: standard to {BOB}: Queued (nothing sent yet)",
        "  requests that the sandbox refused: 1",
    ]
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


async def test_of_many_flows_the_newest_are_told() -> None:
    """The error stays short, however much came."""
    async with calling(speed=0) as caller:
        for _ in range(7):
            await send(caller, SMS_STEP | {"to": ADA})
        with pytest.raises(InboxTimeout) as caught:
            await caller.sandbox.inbox.next_flow(BOB, timeout=0)
    lines = str(caught.value).splitlines()
    assert (len(lines), lines[1]) == (7, "  (2 more)")


async def test_everything_about_a_flow() -> None:
    """`detail` tells what GET /sandbox/flows/{id} tells, as the flow stands now."""
    async with calling(speed=0) as caller:
        await send(caller, SMS_STEP | {"to": ADA})
        flow = await caller.sandbox.inbox.next_flow(ADA)
        await caller.sandbox.advance(timedelta(seconds=30))
        detail = caller.sandbox.inbox.detail(flow)
        assert detail["status"] == "Succeeded"
        assert await caller.call("getSandboxFlow", f"/sandbox/flows/{flow.id}") == (200, detail)
        await caller.call("clearSandboxFlows", "/sandbox/flows", method="DELETE")
        assert caller.sandbox.inbox.detail(flow) == detail  # though it is forgotten


async def test_a_reset_takes_nothing_for_new() -> None:
    """After the flows were forgotten the next code is waited for as before."""
    async with calling(speed=0) as caller:
        await send_otp(caller, ADA, "1111")
        assert await caller.sandbox.inbox.pin_for(ADA) == "1111"
        await caller.call("resetSandbox", "/sandbox/reset", method="POST")
        await send_otp(caller, ADA, "2222")
        assert await caller.sandbox.inbox.pin_for(ADA) == "2222"


def test_the_environment_is_that_of_a_client() -> None:
    """`environ` holds what `RouteeClient.from_env` reads."""
    with Sandbox() as sandbox:
        environ = sandbox.environ
        assert environ["ROUTEE_API_URL"] == environ["ROUTEE_AUTH_URL"] == sandbox.url
        assert sorted(environ) == [
            "ROUTEE_API_URL",
            "ROUTEE_APPLICATION_ID",
            "ROUTEE_APPLICATION_SECRET",
            "ROUTEE_AUTH_URL",
        ]
