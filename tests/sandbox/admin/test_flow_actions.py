"""Actions on a flow: forced outcomes, replies, redelivered callbacks."""

from datetime import timedelta
from typing import Any

import pytest

from routee_failover.sandbox import SandboxError
from tests.sandbox.raw_http import OTP_SMS_STEP, OTP_VIBER_STEP, SMS_STEP, VIBER_OTP, VIBER_STEP, open_caller

from .test_flows_api import LIST, act, list_flows, newest_flow, send_to


async def test_actions_force_the_outcome_of_a_message() -> None:
    """Deliver, seen, fail and expire force this outcome, whatever was scripted, and the flow continues from it."""
    async with open_caller(speed=0) as caller:
        await caller.send("sendFailoverOtp", {"flow": [OTP_VIBER_STEP, OTP_SMS_STEP]})
        assert (await newest_flow(caller))["steps"][0]["message"]["actions"] == ["deliver", "seen", "fail", "expire"]
        status, flow = await act(caller, action="expire")
        assert (status, flow["steps"][0]["message"]["status"]) == (200, "EXPIRED")
        assert flow["steps"][1]["message"]["status"] == "Queued"
        status, flow = await act(caller, action="deliver", position=1)
        assert (status, flow["status"], flow["terminationChannel"], flow["final"]) == (200, "Succeeded", "Sms", True)
        assert flow["price"] == 0.04
    async with open_caller(speed=0) as caller:
        await caller.send("sendFailoverOtp", {"flow": [OTP_SMS_STEP]})
        _, flow = await act(caller, action="fail")
        assert (flow["status"], flow["statusCode"]) == ("Failed", 2)
    async with open_caller(speed=0) as caller:
        await caller.send("sendViberOtp", VIBER_OTP)
        await act(caller, action="deliver")
        _, flow = await act(caller, action="seen")
        assert flow["steps"][0]["message"]["actions"] == []


async def test_python_act_forces_outcomes_and_names_what_is_impossible() -> None:
    """The Python API has the same actions, and raises an error for one that is not possible."""
    async with open_caller(speed=0) as caller:
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


async def test_python_reset_clears_all_but_the_clock() -> None:
    """A sandbox shared by several tests is reset to its initial state; its clock keeps running."""
    async with open_caller(speed=0) as caller:
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


async def test_setting_speed_starts_a_stopped_clock() -> None:
    """A stopped clock can be started during a test, and pending messages are delivered."""
    async with open_caller(speed=0) as caller:
        sandbox = caller.sandbox
        await caller.send("sendFailover", {"flow": [SMS_STEP]})
        sandbox.speed = 100_000
        assert sandbox.speed == 100_000
        assert await sandbox.inbox.texts_to(SMS_STEP["to"]) == ["Hi"]
        for invalid in (-1, float("nan"), "fast", 10**400):
            with pytest.raises(SandboxError):
                sandbox.speed = invalid  # type: ignore[assignment]
        assert sandbox.speed == 100_000


async def test_impossible_action_returns_409_and_changes_nothing() -> None:
    """An action on a message that has ended, was not sent, or lacks the outcome gets a 409, and nothing changes."""
    async with open_caller(speed=0) as caller:
        await caller.send("sendFailover", {"flow": [SMS_STEP]})
        assert (await act(caller, action="deliver"))[0] == 409  # queued: no message was sent yet
        await caller.sandbox.advance(timedelta(seconds=1))
        assert (await act(caller, action="seen"))[0] == 409  # no SMS is ever seen
        assert (await act(caller, action="deliver", position=7))[0] == 409
        assert (await act(caller, action="deliver"))[0] == 200
        before = await newest_flow(caller)
        assert (await act(caller, action="fail"))[0] == 409
        assert await newest_flow(caller) == before


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
async def test_invalid_action_returns_400(change: Any) -> None:
    """An unknown action, or an invalid position, is rejected."""
    async with open_caller(speed=0) as caller:
        await caller.send("sendViberOtp", VIBER_OTP)
        page = await list_flows(caller)
        path = f"{LIST}/{page['flows'][0]['id']}/actions"
        assert (await caller.call("actOnSandboxFlow", path, method="POST", json=change))[0] == 400


async def test_reply_is_offered_for_delivered_viber_with_inbound_url_only() -> None:
    """A delivered Viber message with an inboundUrl can be replied to; an SMS, or a message in flight, cannot."""
    async with open_caller(speed=0) as caller:
        await caller.send("sendFailover", {"flow": [VIBER_STEP]})
        await caller.sandbox.advance(timedelta(seconds=2))
        assert "reply" not in (await newest_flow(caller))["steps"][0]["message"]["actions"]
        _, flow = await act(caller, action="deliver")
        assert flow["steps"][0]["message"]["actions"] == ["seen", "reply"]
        await caller.send("sendFailover", {"flow": [SMS_STEP | {"inboundUrl": "https://example.test/in"}]})
        await caller.sandbox.advance(timedelta(seconds=20))
        assert (await newest_flow(caller))["steps"][0]["message"]["actions"] == []


async def test_reply_is_posted_to_the_inbound_url() -> None:
    """A reply is posted to the inboundUrl of its step and listed among the flow's callbacks; it needs a text."""
    async with open_caller(speed=0) as caller:
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
        (callback,) = (await newest_flow(caller))["callbacks"]
        assert [attempt["error"] for attempt in callback["attempts"]] == ["the connection was refused"]


async def test_redelivered_callback_is_posted_again() -> None:
    """A callback can be posted again by its id, from its own flow."""
    async with open_caller(speed=0) as caller:
        callback = {"url": "http://127.0.0.1:9/cb", "strategy": "OnCompletion"}
        await caller.send("sendFailover", {"flow": [SMS_STEP], "callback": callback})
        await caller.sandbox.advance(timedelta(seconds=10))
        (posted,) = (await newest_flow(caller))["callbacks"]
        assert len(posted["attempts"]) == 1
        assert (await act(caller, action="callback", callback=posted["id"]))[0] == 200
        await caller.sandbox.advance(timedelta(0))
        assert len((await newest_flow(caller))["callbacks"][0]["attempts"]) == 2
        assert (await act(caller, action="callback"))[0] == 400
        await send_to(caller, "+306911111111")
        assert (await act(caller, action="callback", callback=posted["id"]))[0] == 409
