"""What is posted about a flow, and when: its record, at every change or at the end."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routee_failover.sandbox.contract import load_contract
from routee_failover.sandbox.simulation.outcomes import ScriptedOutcome

from ..raw_http import GONE, VIBER_OTP, Caller, calling, changed
from .callback_receiver import Receiver, accepted, otp, single, standard, statuses, transactional

HOUR = timedelta(hours=1)
BUILD = {
    "sendFailover": standard,
    "sendTransactionalFailover": transactional,
    "sendFailoverOtp": otp,
}


def complaints(schema: str, body: object) -> list[str]:
    """What the contract has against a body."""
    from jsonschema_rs import Draft202012Validator

    components = load_contract().document["components"]
    validator = Draft202012Validator({"$ref": f"#/components/schemas/{schema}", "components": components})
    return [str(error) for error in validator.iter_errors(body)]


async def test_every_change_is_posted_in_order() -> None:
    """With OnStep each change of a status is posted as it happens; an end and the next step's beginning are one."""
    async with calling(speed=0) as caller, Receiver() as receiver:
        await accepted(caller, "sendFailover", standard(receiver.url, "310"))
        await caller.sandbox.advance(HOUR * 24)
        seen = ["QUEUED", "Queued", "Sent", "Queued", "Initiated", "Ringing", "InProgress", "Completed"]
        assert statuses(receiver.bodies) == seen
        assert [body["status"] for body in receiver.bodies] == ["InProgress"] * 7 + ["Succeeded"]
        assert [one.state for one in caller.sandbox.callbacks] == ["delivered"] * 8


@settings(max_examples=20)
@given(
    operation=st.sampled_from(sorted(BUILD)),
    digits=st.text("01234", min_size=3, max_size=3),
)
def test_what_is_posted_is_what_tracking_says(operation: str, digits: str) -> None:
    """The bodies are the tracking records at the moments at which something became of the flow: each, and no other."""

    async def play() -> tuple[list[Any], list[Any]]:
        async with calling(speed=0) as caller, Receiver() as receiver:
            body = BUILD[operation](receiver.url, digits)
            if (await caller.send(operation, body))[1].get("status") == "Failed":
                return [], receiver.bodies
            (flow,) = caller.sandbox.accepted
            track = caller.track_otp if operation == "sendFailoverOtp" else caller.track
            records: list[Any] = []
            moment = flow.timeline.next_change_at(0.0)
            now = 0.0
            while moment is not None:
                await caller.sandbox.advance(timedelta(seconds=moment - now))
                records.append(await track(flow.id))
                now, moment = moment, flow.timeline.next_change_at(moment)
            return records, receiver.bodies

    records, bodies = asyncio.run(play())
    service = {} if operation == "sendFailoverOtp" else {"originatingService": "Failover"}
    assert bodies == [record | service for record in records]
    schema = "OtpTracking" if operation == "sendFailoverOtp" else "FlowCallback"
    assert [complaints(schema, body) for body in bodies] == [[]] * len(bodies)


@pytest.mark.parametrize("operation", ["sendFailover", "sendTransactionalFailover"])
async def test_the_completion_is_posted_once(operation: str) -> None:
    """With OnCompletion the final status alone is posted; a message seen later does not complete the flow again."""
    build = standard if operation == "sendFailover" else transactional
    async with calling(speed=0) as caller, Receiver() as receiver:
        await accepted(caller, operation, build(receiver.url, "400", strategy="OnCompletion"))
        await caller.sandbox.advance(HOUR)
        (body,) = receiver.bodies
        assert (body["status"], statuses([body])) == ("Succeeded", ["DELIVERED"])
        assert (await caller.track(body["trackingId"]))["messages"][0]["status"]["name"] == "SEEN"


async def test_a_failed_flow_completes_too() -> None:
    """OnCompletion tells a failure with its statusCode, as a string."""
    async with calling(speed=0) as caller, Receiver() as receiver:
        await accepted(caller, "sendFailover", standard(receiver.url, "121", strategy="OnCompletion"))
        await caller.sandbox.advance(HOUR * 24)
        (body,) = receiver.bodies
        assert (body["status"], body["statusCode"], body["terminationChannel"]) == ("Failed", "2", "Voice")


async def test_without_a_strategy_every_change_is_posted() -> None:
    """No page says what holds where the strategy is absent: nothing is left out."""
    async with calling(speed=0) as caller, Receiver() as receiver:
        await accepted(caller, "sendFailover", standard(receiver.url, strategy=None))
        await caller.sandbox.advance(HOUR)
        assert statuses(receiver.bodies) == ["QUEUED", "DELIVERED"]


async def test_an_otp_flow_tells_when_its_failover_is_sent() -> None:
    """The OTP service posts the tracking record at changes of a status and when failover is sent; no PIN is in it."""
    async with calling(speed=0) as caller, Receiver() as receiver:
        await accepted(caller, "sendFailoverOtp", otp(receiver.url, "300"))
        await caller.sandbox.advance(HOUR)
        assert statuses(receiver.bodies) == ["queued", "sent", "delivered"]
        first, *_, last = receiver.bodies
        assert [(step["role"], step["status"]) for step in first["steps"]] == [
            ("primary", "EXPIRED"),
            ("failover", "queued"),
        ]
        assert (first["status"], last["status"]) == ("InProgress", "Succeeded")
        assert "123456" not in str(receiver.bodies)


async def test_flows_that_ask_for_nothing_cost_nothing() -> None:
    """Without a callback nothing is posted or kept, and a Viber OTP has none: what it may carry is not documented."""
    async with calling(speed=0) as caller, Receiver() as receiver:
        await accepted(caller, "sendFailover", standard(receiver.url, callback=GONE))
        await accepted(caller, "sendViberOtp", changed(VIBER_OTP, callback={"url": receiver.url}))
        await caller.sandbox.advance(HOUR)
        assert caller.sandbox.callbacks == []
        assert receiver.bodies == []
        assert caller.sandbox._callback_dispatcher._poster._session is None


async def test_it_is_posted_as_json() -> None:
    """A callback is a POST of JSON to the address as it was given, and says that it comes from a sandbox."""
    async with calling(speed=0) as caller, Receiver() as receiver:
        await accepted(caller, "sendFailover", single(f"{receiver.url}?key=a%20b&n=1#top"))
        await caller.sandbox.advance(HOUR)
        request = receiver.requests[0]
        assert (request.method, str(request.rel_url)) == ("POST", "/cb?key=a%20b&n=1")
        assert request.headers["Content-Type"] == "application/json"
        assert request.headers["User-Agent"] == "routee-failover-sandbox"
        assert "Cookie" not in request.headers


async def test_what_is_done_by_hand_is_posted_at_once() -> None:
    """A message that is made to end on a clock that stands is told right away, and the rest of the flow in its time."""
    async with calling(speed=0) as caller, Receiver() as receiver:
        flow = await accepted(caller, "sendFailover", standard(receiver.url, "300"))
        await caller.sandbox.advance(timedelta(seconds=1.7))
        await receiver.received(1)
        caller.sandbox._lifecycle.force_outcome(flow, 0, ScriptedOutcome.FAILED)
        await receiver.received(2)
        assert statuses(receiver.bodies) == ["QUEUED", "Queued"]
        assert [one["status"]["name"] for one in receiver.bodies[1]["messages"]] == ["FAILED", "Queued"]
        await caller.sandbox.advance(HOUR)
        assert statuses(receiver.bodies)[2:] == ["Sent", "Delivered"]


async def _ended(caller: Caller, receiver: Receiver, flows: int) -> list[Any]:
    while sum(body["status"] in {"Succeeded", "Failed"} for body in receiver.bodies) < flows:
        await receiver.received(len(receiver.bodies) + 1)
    return receiver.bodies


@pytest.mark.parametrize("speed", [60.0, 100_000.0])
async def test_callbacks_keep_their_order_at_any_speed(speed: float) -> None:
    """However fast time passes, the callbacks of a flow arrive one after the other, in the order of what they tell."""
    async with calling(speed=speed) as caller, Receiver() as receiver:
        for _ in range(5):
            await accepted(caller, "sendFailover", standard(receiver.url, "100"))
        bodies = await _ended(caller, receiver, 5)
        for flow in caller.sandbox.accepted:
            told = [body for body in bodies if body["trackingId"] == flow.id]
            assert statuses(told) == ["QUEUED", "Queued", "Sent", "Delivered"]
