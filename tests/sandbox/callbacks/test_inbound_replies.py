"""What a person writes back to a Viber message is posted to the inboundUrl of its step."""

from datetime import timedelta
from typing import Any

import pytest

from routee_failover.sandbox import SandboxError
from routee_failover.sandbox.callbacks import callback_log

from ..raw_http import GONE, SENDER, VIBER_OTP, VIBER_STEP, calling, changed
from .callback_receiver import Receiver, accepted, otp, single, standard, templated
from .test_status_callbacks import complaints

HOUR = timedelta(hours=1)
MEDIA: dict[str, Any] = {"media": "https://example.test/cat.png", "filename": "cat.png"}


async def test_a_reply_is_posted() -> None:
    """The message, its sender and recipient, and the id of what was answered are posted as the inbound page shows."""
    async with calling(speed=0) as caller, Receiver() as receiver:
        flow = await accepted(caller, "sendFailover", single("http://127.0.0.1:1/", "400"))
        flow.body["flow"][0]["inboundUrl"] = receiver.url
        await caller.sandbox.advance(HOUR)
        record = caller.sandbox.reply(flow.id, "Γεια! \U0001f44b")
        await receiver.received(1)
        (body,) = receiver.bodies
        message = (await caller.track(flow.id))["messages"][0]
        assert body == {
            "from": "+306900000400",
            "to": SENDER,
            "message": "Γεια! \U0001f44b",
            "sentDate": body["sentDate"],
            "campaignName": None,
            "campaignTrackingId": None,
            "referenceTrackingId": message["trackingId"],
            "direction": "Inbound",
            "media": None,
            "filename": None,
            "label": "demo",
        }
        assert complaints("InboundMessage", body) == []
        assert (record.kind, record.body, record.due_at) == ("inbound", body, 3600.0)


async def test_media_can_be_sent_back() -> None:
    """A picture or a file is told by its address and name; a step without a label has none."""
    async with calling(speed=0) as caller, Receiver() as receiver:
        flow = await accepted(caller, "sendTransactionalFailover", templated(receiver.url))
        await caller.sandbox.advance(HOUR)
        caller.sandbox._callback_dispatcher.reply(flow, "", position=0, **MEDIA)
        await receiver.received(1)
        (body,) = receiver.bodies
        assert (body["message"], body["media"], body["filename"], body["label"]) == ("", *MEDIA.values(), None)


async def test_a_reply_that_is_not_taken_is_repeated() -> None:
    """An inbound message is repeated like a callback, and can be posted again by hand."""
    async with calling(speed=0) as caller, Receiver(500, 200, 200) as receiver:
        flow = await accepted(caller, "sendTransactionalFailover", templated(receiver.url))
        await caller.sandbox.advance(timedelta(seconds=10))
        record = caller.sandbox.reply(flow.id, "STOP")
        await caller.sandbox.advance(timedelta(seconds=90))
        caller.sandbox.redeliver(record.id)
        await caller.sandbox.advance(timedelta(0))
        (record,) = caller.sandbox.callbacks
        assert [(one.at, one.status) for one in record.attempts] == [(10.0, 500), (40.0, 200), (100.0, 200)]
        assert receiver.bodies[0] == receiver.bodies[1] == receiver.bodies[2]


async def test_replies_are_no_completion() -> None:
    """A flow that only wants its completion gets it, whatever a person wrote before."""
    async with calling(speed=0) as caller, Receiver() as receiver:
        step = {**VIBER_STEP, "expireOnDelivery": True, "ttl": 1, "inboundUrl": receiver.url}
        body = {"flow": [step], "callback": {"url": receiver.url, "strategy": "OnCompletion"}}
        flow = await accepted(caller, "sendFailover", body)
        await caller.sandbox.advance(timedelta(seconds=10))
        caller.sandbox.reply(flow.id, "wait", position=0)
        await caller.sandbox.advance(HOUR)
        assert [one.kind for one in caller.sandbox.callbacks] == ["inbound", "flow"]


@pytest.mark.parametrize(
    ("operation", "body", "position", "why"),
    [
        ("sendFailover", standard("http://127.0.0.1:1/", "100"), None, "only a Viber message"),
        ("sendFailover", standard("http://127.0.0.1:1/", "100"), 0, "not delivered"),
        ("sendFailover", standard("http://127.0.0.1:1/", "000"), 1, "no such message yet"),
        ("sendFailover", standard("http://127.0.0.1:1/", "000"), 7, "no such message yet"),
        (
            "sendFailover",
            changed(standard("http://127.0.0.1:1/", "000"), **{"flow.0.inboundUrl": GONE}),
            0,
            "inboundUrl",
        ),
        ("sendFailoverOtp", otp("http://127.0.0.1:1/"), 0, "inboundUrl"),
        ("sendViberOtp", VIBER_OTP, 0, "inboundUrl"),
    ],
)
async def test_what_nobody_can_answer(operation: str, body: Any, position: int | None, why: str) -> None:
    """What was not sent or not delivered, is no Viber message or has no inboundUrl cannot be answered."""
    async with calling(speed=0) as caller:
        flow = await accepted(caller, operation, body)
        await caller.sandbox.advance(timedelta(minutes=10))
        with pytest.raises(SandboxError, match=why):
            caller.sandbox.reply(flow.id, "hello", position=position)
        assert {one.kind for one in caller.sandbox.callbacks} <= {"flow", "otp"}


async def test_no_such_flow() -> None:
    """Nobody answers a flow that is not there."""
    async with calling(speed=0) as caller:
        with pytest.raises(SandboxError, match="no such flow"):
            caller.sandbox.reply("?", "hello")


async def test_the_newest_of_a_flow_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever talks all day does not fill the memory, even where nobody listens; what is forgotten is not posted."""
    monkeypatch.setattr(callback_log, "MAX_CALLBACKS_PER_FLOW", 3)
    async with calling(speed=0) as caller, Receiver() as receiver:
        flow = await accepted(caller, "sendTransactionalFailover", templated(receiver.url))
        await caller.sandbox.advance(timedelta(seconds=10))
        said = [caller.sandbox.reply(flow.id, str(number)).id for number in range(5)]
        assert [one.id for one in caller.sandbox.callbacks] == said[2:]
        await caller.sandbox.advance(timedelta(0))
        assert {one.state for one in caller.sandbox.callbacks} == {"delivered"}
        assert [body["message"] for body in receiver.bodies if "message" in body] == ["2", "3", "4"]
