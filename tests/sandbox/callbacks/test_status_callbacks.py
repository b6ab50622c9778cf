"""Status callbacks of flows: the tracking record, at every change or at the end."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routee_failover.sandbox.contract import load_contract
from routee_failover.sandbox.simulation.outcomes import ScriptedOutcome

from ..raw_http import REMOVED, VIBER_OTP, Caller, open_caller, with_changes
from .callback_receiver import Receiver, accept, otp, single_viber, standard, statuses, transactional

HOUR = timedelta(hours=1)
BUILDERS = {
    "sendFailover": standard,
    "sendTransactionalFailover": transactional,
    "sendFailoverOtp": otp,
}


def schema_violations(schema: str, body: object) -> list[str]:
    """Return the contract's violations in a body."""
    from jsonschema_rs import Draft202012Validator

    components = load_contract().document["components"]
    validator = Draft202012Validator({"$ref": f"#/components/schemas/{schema}", "components": components})
    return [str(error) for error in validator.iter_errors(body)]


async def test_on_step_posts_every_status_change_in_order() -> None:
    """With OnStep each status change is posted as it happens; the end of a step and the start of the next are one."""
    async with open_caller(speed=0) as caller, Receiver() as receiver:
        await accept(caller, "sendFailover", standard(receiver.url, "310"))
        await caller.sandbox.advance(HOUR * 24)
        expected = ["QUEUED", "Queued", "Sent", "Queued", "Initiated", "Ringing", "InProgress", "Completed"]
        assert statuses(receiver.bodies) == expected
        assert [body["status"] for body in receiver.bodies] == ["InProgress"] * 7 + ["Succeeded"]
        assert [record.state for record in caller.sandbox.callbacks] == ["delivered"] * 8


@settings(max_examples=20)
@given(
    operation=st.sampled_from(sorted(BUILDERS)),
    digits=st.text("01234", min_size=3, max_size=3),
)
def test_payloads_equal_the_tracking_records_at_each_change(operation: str, digits: str) -> None:
    """The payloads are the tracking records at the times of all changes of the flow, and no others."""

    async def run() -> tuple[list[Any], list[Any]]:
        async with open_caller(speed=0) as caller, Receiver() as receiver:
            body = BUILDERS[operation](receiver.url, digits)
            if (await caller.send(operation, body))[1].get("status") == "Failed":
                return [], receiver.bodies
            (flow,) = caller.sandbox.accepted
            track = caller.track_otp if operation == "sendFailoverOtp" else caller.track
            records: list[Any] = []
            change_at = flow.timeline.next_change_at(0.0)
            now = 0.0
            while change_at is not None:
                await caller.sandbox.advance(timedelta(seconds=change_at - now))
                records.append(await track(flow.id))
                now, change_at = change_at, flow.timeline.next_change_at(change_at)
            return records, receiver.bodies

    records, bodies = asyncio.run(run())
    service = {} if operation == "sendFailoverOtp" else {"originatingService": "Failover"}
    assert bodies == [record | service for record in records]
    schema = "OtpTracking" if operation == "sendFailoverOtp" else "FlowCallback"
    assert [schema_violations(schema, body) for body in bodies] == [[]] * len(bodies)


@pytest.mark.parametrize("operation", ["sendFailover", "sendTransactionalFailover"])
async def test_on_completion_posts_the_final_status_once(operation: str) -> None:
    """With OnCompletion only the final status is posted; a message seen later does not complete the flow again."""
    build = standard if operation == "sendFailover" else transactional
    async with open_caller(speed=0) as caller, Receiver() as receiver:
        await accept(caller, operation, build(receiver.url, "400", strategy="OnCompletion"))
        await caller.sandbox.advance(HOUR)
        (body,) = receiver.bodies
        assert (body["status"], statuses([body])) == ("Succeeded", ["DELIVERED"])
        assert (await caller.track(body["trackingId"]))["messages"][0]["status"]["name"] == "SEEN"


async def test_on_completion_posts_a_failure_with_status_code() -> None:
    """OnCompletion reports a failure with its statusCode, as a string."""
    async with open_caller(speed=0) as caller, Receiver() as receiver:
        await accept(caller, "sendFailover", standard(receiver.url, "121", strategy="OnCompletion"))
        await caller.sandbox.advance(HOUR * 24)
        (body,) = receiver.bodies
        assert (body["status"], body["statusCode"], body["terminationChannel"]) == ("Failed", "2", "Voice")


async def test_missing_strategy_posts_every_change() -> None:
    """No page says what applies where the strategy is absent: nothing is left out."""
    async with open_caller(speed=0) as caller, Receiver() as receiver:
        await accept(caller, "sendFailover", standard(receiver.url, strategy=None))
        await caller.sandbox.advance(HOUR)
        assert statuses(receiver.bodies) == ["QUEUED", "DELIVERED"]


async def test_otp_flow_posts_status_changes_without_the_pin() -> None:
    """The OTP service posts the tracking record at status changes and when failover is sent; it contains no PIN."""
    async with open_caller(speed=0) as caller, Receiver() as receiver:
        await accept(caller, "sendFailoverOtp", otp(receiver.url, "300"))
        await caller.sandbox.advance(HOUR)
        assert statuses(receiver.bodies) == ["queued", "sent", "delivered"]
        first, *_, last = receiver.bodies
        assert [(step["role"], step["status"]) for step in first["steps"]] == [
            ("primary", "EXPIRED"),
            ("failover", "queued"),
        ]
        assert (first["status"], last["status"]) == ("InProgress", "Succeeded")
        assert "123456" not in str(receiver.bodies)


async def test_flow_without_callback_opens_no_session() -> None:
    """Without a callback nothing is posted or stored; a Viber OTP has none, because no page documents one."""
    async with open_caller(speed=0) as caller, Receiver() as receiver:
        await accept(caller, "sendFailover", standard(receiver.url, callback=REMOVED))
        await accept(caller, "sendViberOtp", with_changes(VIBER_OTP, callback={"url": receiver.url}))
        await caller.sandbox.advance(HOUR)
        assert caller.sandbox.callbacks == []
        assert receiver.bodies == []
        assert caller.sandbox._callback_dispatcher._poster._session is None


async def test_callback_is_a_json_post_with_user_agent() -> None:
    """A callback is a POST of JSON to the URL as it was given, with the sandbox's User-Agent."""
    async with open_caller(speed=0) as caller, Receiver() as receiver:
        await accept(caller, "sendFailover", single_viber(f"{receiver.url}?key=a%20b&n=1#top"))
        await caller.sandbox.advance(HOUR)
        request = receiver.requests[0]
        assert (request.method, str(request.rel_url)) == ("POST", "/cb?key=a%20b&n=1")
        assert request.headers["Content-Type"] == "application/json"
        assert request.headers["User-Agent"] == "routee-failover-sandbox"
        assert "Cookie" not in request.headers


async def test_forced_outcome_is_posted_at_once() -> None:
    """A forced outcome is posted immediately on a stopped clock, and the rest of the flow when it is due."""
    async with open_caller(speed=0) as caller, Receiver() as receiver:
        flow = await accept(caller, "sendFailover", standard(receiver.url, "300"))
        await caller.sandbox.advance(timedelta(seconds=1.7))
        await receiver.received(1)
        caller.sandbox._lifecycle.force_outcome(flow, 0, ScriptedOutcome.FAILED)
        await receiver.received(2)
        assert statuses(receiver.bodies) == ["QUEUED", "Queued"]
        assert [message["status"]["name"] for message in receiver.bodies[1]["messages"]] == ["FAILED", "Queued"]
        await caller.sandbox.advance(HOUR)
        assert statuses(receiver.bodies)[2:] == ["Sent", "Delivered"]


async def _wait_until_final(caller: Caller, receiver: Receiver, flows: int) -> list[Any]:
    while sum(body["status"] in {"Succeeded", "Failed"} for body in receiver.bodies) < flows:
        await receiver.received(len(receiver.bodies) + 1)
    return receiver.bodies


@pytest.mark.parametrize("speed", [60.0, 100_000.0])
async def test_callbacks_keep_their_order_at_any_speed(speed: float) -> None:
    """At any speed of the clock, the callbacks of a flow arrive one at a time, in order."""
    async with open_caller(speed=speed) as caller, Receiver() as receiver:
        for _ in range(5):
            await accept(caller, "sendFailover", standard(receiver.url, "100"))
        bodies = await _wait_until_final(caller, receiver, 5)
        for flow in caller.sandbox.accepted:
            posted = [body for body in bodies if body["trackingId"] == flow.id]
            assert statuses(posted) == ["QUEUED", "Queued", "Sent", "Delivered"]
