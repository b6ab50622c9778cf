"""What is done to a flow by hand: messages that end, replies, callbacks posted again."""

from datetime import timedelta
from typing import Any

import pytest

from routee_failover.sandbox import SandboxError
from tests.sandbox.raw_http import OTP_SMS_STEP, OTP_VIBER_STEP, SMS_STEP, VIBER_OTP, VIBER_STEP, calling

from .test_flows_api import LIST, act, listed, only, send_to


async def test_a_message_is_made_to_end() -> None:
    """Deliver, seen, fail and expire have the last message end so, whatever was scripted; the flow follows."""
    async with calling(speed=0) as caller:
        await caller.send("sendFailoverOtp", {"flow": [OTP_VIBER_STEP, OTP_SMS_STEP]})
        assert (await only(caller))["steps"][0]["message"]["actions"] == ["deliver", "seen", "fail", "expire"]
        status, flow = await act(caller, action="expire")
        assert (status, flow["steps"][0]["message"]["status"]) == (200, "EXPIRED")
        assert flow["steps"][1]["message"]["status"] == "Queued"
        status, flow = await act(caller, action="deliver", position=1)
        assert (status, flow["status"], flow["terminationChannel"], flow["final"]) == (200, "Succeeded", "Sms", True)
        assert flow["price"] == 0.04
    async with calling(speed=0) as caller:
        await caller.send("sendFailoverOtp", {"flow": [OTP_SMS_STEP]})
        _, flow = await act(caller, action="fail")
        assert (flow["status"], flow["statusCode"]) == ("Failed", 2)
    async with calling(speed=0) as caller:
        await caller.send("sendViberOtp", VIBER_OTP)
        await act(caller, action="deliver")
        _, flow = await act(caller, action="seen")
        assert flow["steps"][0]["message"]["actions"] == []


async def test_a_message_is_made_to_end_in_python() -> None:
    """A test in Python has a message end by the same words, and is told when it cannot."""
    async with calling(speed=0) as caller:
        sandbox = caller.sandbox
        await caller.send("sendFailoverOtp", {"flow": [OTP_VIBER_STEP, OTP_SMS_STEP]})
        (flow,) = sandbox.accepted
        assert sandbox.act(flow.id, "expire").id == flow.id
        assert sandbox.inbox.detail(sandbox.act(flow.id, "deliver", position=1))["status"] == "Succeeded"
        with pytest.raises(SandboxError, match="can no longer"):
            sandbox.act(flow.id, "fail", position=0)
        with pytest.raises(SandboxError, match="no such flow"):
            sandbox.act("?", "deliver")
        with pytest.raises(SandboxError, match="deliver, seen, fail, expire"):
            sandbox.act(flow.id, "burn")  # type: ignore[arg-type]
        await caller.send("sendFailover", {"flow": [SMS_STEP]})
        with pytest.raises(SandboxError, match="no message yet"):
            sandbox.act(sandbox.accepted[-1].id, "deliver")


async def test_a_reset_in_python() -> None:
    """A sandbox that several tests share is set back to its start, and its clock runs on."""
    async with calling(speed=0) as caller:
        sandbox = caller.sandbox
        await sandbox.advance(timedelta(seconds=5))
        sandbox.script(sms="failed")
        sandbox.search_lag = timedelta(seconds=5)
        await caller.send("sendFailover", {"flow": [SMS_STEP]})
        sandbox.reset()
        assert (sandbox.accepted, sandbox.rules, sandbox.search_lag) == ([], [], timedelta(0))
        assert (sandbox.counts.accepted, sandbox.counts.requests) == (0, 0)
        _, clock = await caller.call("getSandboxClock", "/sandbox/clock")
        assert clock["now"] == 5
        assert (await caller.send("sendFailover", {"flow": [SMS_STEP]}))[0] == 200


async def test_the_speed_in_python() -> None:
    """A clock that stands is let run in the middle of a test, and what waited for it comes."""
    async with calling(speed=0) as caller:
        sandbox = caller.sandbox
        await caller.send("sendFailover", {"flow": [SMS_STEP]})
        sandbox.speed = 100_000
        assert sandbox.speed == 100_000
        assert await sandbox.inbox.texts_to(SMS_STEP["to"]) == ["Hi"]
        for wrong in (-1, float("nan"), "fast", 10**400):
            with pytest.raises(SandboxError):
                sandbox.speed = wrong  # type: ignore[assignment]
        assert sandbox.speed == 100_000


async def test_what_can_no_longer_be_done() -> None:
    """A message that has ended, was not sent, or knows no such status is answered 409, and nothing changes."""
    async with calling(speed=0) as caller:
        await caller.send("sendFailover", {"flow": [SMS_STEP]})
        assert (await act(caller, action="deliver"))[0] == 409  # queued: no message was sent yet
        await caller.sandbox.advance(timedelta(seconds=1))
        assert (await act(caller, action="seen"))[0] == 409  # no SMS is ever seen
        assert (await act(caller, action="deliver", position=7))[0] == 409
        assert (await act(caller, action="deliver"))[0] == 200
        before = await only(caller)
        assert (await act(caller, action="fail"))[0] == 409
        assert await only(caller) == before


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"action": "explode"},
        {"action": "seen", "position": -1},
        {"action": "seen", "position": "1"},
        {"more": 1},
        [],
    ],
)
async def test_a_wrong_action_is_refused(change: Any) -> None:
    """An action that nobody knows, or a position that is none, is refused."""
    async with calling(speed=0) as caller:
        await caller.send("sendViberOtp", VIBER_OTP)
        page = await listed(caller)
        path = f"{LIST}/{page['flows'][0]['id']}/actions"
        assert (await caller.call("actOnSandboxFlow", path, method="POST", json=change))[0] == 400


async def test_a_person_can_reply_to_what_was_delivered() -> None:
    """A delivered Viber message whose step says where answers go can be replied to; an SMS, or one on its way, not."""
    async with calling(speed=0) as caller:
        await caller.send("sendFailover", {"flow": [VIBER_STEP]})
        await caller.sandbox.advance(timedelta(seconds=2))
        assert "reply" not in (await only(caller))["steps"][0]["message"]["actions"]
        _, flow = await act(caller, action="deliver")
        assert flow["steps"][0]["message"]["actions"] == ["seen", "reply"]
        await caller.send("sendFailover", {"flow": [SMS_STEP | {"inboundUrl": "https://example.test/in"}]})
        await caller.sandbox.advance(timedelta(seconds=20))
        assert (await only(caller))["steps"][0]["message"]["actions"] == []


async def test_a_reply_is_posted() -> None:
    """A reply goes to the inboundUrl of its step, and stands among the flow's callbacks; without a text it is none."""
    async with calling(speed=0) as caller:
        await caller.send("sendFailover", {"flow": [VIBER_STEP | {"inboundUrl": "http://127.0.0.1:9/in"}]})
        assert (await act(caller, action="reply", text="Hi"))[0] == 409  # queued
        await caller.sandbox.advance(timedelta(seconds=5))
        assert (await act(caller, action="reply"))[0] == 400
        assert (await act(caller, action="reply", text="Hi", position=1))[0] == 409
        status, flow = await act(caller, action="reply", text="Hello there")
        (callback,) = flow["callbacks"]
        assert (status, callback["kind"], callback["body"]["message"]) == (200, "inbound", "Hello there")
        assert callback["state"] == "pending"
        await caller.sandbox.advance(timedelta(0))
        (callback,) = (await only(caller))["callbacks"]
        assert [attempt["error"] for attempt in callback["attempts"]] == ["the connection was refused"]


async def test_a_callback_is_posted_again() -> None:
    """A callback can be posted once more, by its id, from its own flow."""
    async with calling(speed=0) as caller:
        callback = {"url": "http://127.0.0.1:9/cb", "strategy": "OnCompletion"}
        await caller.send("sendFailover", {"flow": [SMS_STEP], "callback": callback})
        await caller.sandbox.advance(timedelta(seconds=10))
        (posted,) = (await only(caller))["callbacks"]
        assert len(posted["attempts"]) == 1
        assert (await act(caller, action="callback", callback=posted["id"]))[0] == 200
        await caller.sandbox.advance(timedelta(0))
        assert len((await only(caller))["callbacks"][0]["attempts"]) == 2
        assert (await act(caller, action="callback"))[0] == 400
        await send_to(caller, "+306911111111")
        assert (await act(caller, action="callback", callback=posted["id"]))[0] == 409
