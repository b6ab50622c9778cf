"""Replies of a recipient to a Viber message, posted to the inboundUrl of its step."""

from datetime import timedelta
from typing import Any

import pytest

from routee_failover.sandbox import SandboxError
from routee_failover.sandbox.callbacks import callback_log

from ..raw_http import REMOVED, SENDER, VIBER_OTP, VIBER_STEP, open_caller, with_changes
from .callback_receiver import Receiver, accept, otp, single_viber, standard, viber_with_inbound
from .test_status_callbacks import schema_violations

HOUR = timedelta(hours=1)
MEDIA: dict[str, Any] = {"media": "https://example.test/cat.png", "filename": "cat.png"}


async def test_reply_is_posted_in_the_documented_shape() -> None:
    """Text, sender, recipient and the id of the message that was replied to are posted as the page documents."""
    async with open_caller(speed=0) as caller, Receiver() as receiver:
        flow = await accept(caller, "sendFailover", single_viber("http://127.0.0.1:1/", "400"))
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
        assert schema_violations("InboundMessage", body) == []
        assert (record.kind, record.body, record.due_at) == ("inbound", body, 3600.0)


async def test_reply_with_media_posts_url_and_filename() -> None:
    """An image or a file is posted as URL and name; a step without a label has none."""
    async with open_caller(speed=0) as caller, Receiver() as receiver:
        flow = await accept(caller, "sendTransactionalFailover", viber_with_inbound(receiver.url))
        await caller.sandbox.advance(HOUR)
        caller.sandbox._callback_dispatcher.reply(flow, "", position=0, **MEDIA)
        await receiver.received(1)
        (body,) = receiver.bodies
        assert (body["message"], body["media"], body["filename"], body["label"]) == ("", *MEDIA.values(), None)


async def test_failed_reply_is_retried_and_can_be_redelivered() -> None:
    """An inbound message is retried like a callback, and can be posted again by hand."""
    async with open_caller(speed=0) as caller, Receiver(500, 200, 200) as receiver:
        flow = await accept(caller, "sendTransactionalFailover", viber_with_inbound(receiver.url))
        await caller.sandbox.advance(timedelta(seconds=10))
        record = caller.sandbox.reply(flow.id, "STOP")
        await caller.sandbox.advance(timedelta(seconds=90))
        caller.sandbox.redeliver(record.id)
        await caller.sandbox.advance(timedelta(0))
        (record,) = caller.sandbox.callbacks
        assert [(attempt.at, attempt.status) for attempt in record.attempts] == [
            (10.0, 500),
            (40.0, 200),
            (100.0, 200),
        ]
        assert receiver.bodies[0] == receiver.bodies[1] == receiver.bodies[2]


async def test_reply_does_not_count_as_completion_callback() -> None:
    """A flow with OnCompletion gets its completion callback, whatever replies came before."""
    async with open_caller(speed=0) as caller, Receiver() as receiver:
        step = {**VIBER_STEP, "expireOnDelivery": True, "ttl": 1, "inboundUrl": receiver.url}
        body = {"flow": [step], "callback": {"url": receiver.url, "strategy": "OnCompletion"}}
        flow = await accept(caller, "sendFailover", body)
        await caller.sandbox.advance(timedelta(seconds=10))
        caller.sandbox.reply(flow.id, "wait", position=0)
        await caller.sandbox.advance(HOUR)
        assert [record.kind for record in caller.sandbox.callbacks] == ["inbound", "flow"]


@pytest.mark.parametrize(
    ("operation", "body", "position", "reason"),
    [
        ("sendFailover", standard("http://127.0.0.1:1/", "100"), None, "only a Viber message"),
        ("sendFailover", standard("http://127.0.0.1:1/", "100"), 0, "not delivered"),
        ("sendFailover", standard("http://127.0.0.1:1/", "000"), 1, "no such message yet"),
        ("sendFailover", standard("http://127.0.0.1:1/", "000"), 7, "no such message yet"),
        (
            "sendFailover",
            with_changes(standard("http://127.0.0.1:1/", "000"), **{"flow.0.inboundUrl": REMOVED}),
            0,
            "inboundUrl",
        ),
        ("sendFailoverOtp", otp("http://127.0.0.1:1/"), 0, "inboundUrl"),
        ("sendViberOtp", VIBER_OTP, 0, "inboundUrl"),
    ],
)
async def test_impossible_reply_raises_the_reason(operation: str, body: Any, position: int | None, reason: str) -> None:
    """A message that was not sent or not delivered, is not on Viber or has no inboundUrl takes no reply."""
    async with open_caller(speed=0) as caller:
        flow = await accept(caller, operation, body)
        await caller.sandbox.advance(timedelta(minutes=10))
        with pytest.raises(SandboxError, match=reason):
            caller.sandbox.reply(flow.id, "hello", position=position)
        assert {record.kind for record in caller.sandbox.callbacks} <= {"flow", "otp"}


async def test_reply_to_an_unknown_flow_raises() -> None:
    """A reply to an unknown flow is an error."""
    async with open_caller(speed=0) as caller:
        with pytest.raises(SandboxError, match="no such flow"):
            caller.sandbox.reply("?", "hello")


async def test_oldest_callbacks_beyond_the_limit_are_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The callbacks of one flow are limited, even if no receiver listens; deleted ones are not posted."""
    monkeypatch.setattr(callback_log, "MAX_CALLBACKS_PER_FLOW", 3)
    async with open_caller(speed=0) as caller, Receiver() as receiver:
        flow = await accept(caller, "sendTransactionalFailover", viber_with_inbound(receiver.url))
        await caller.sandbox.advance(timedelta(seconds=10))
        reply_ids = [caller.sandbox.reply(flow.id, str(number)).id for number in range(5)]
        assert [record.id for record in caller.sandbox.callbacks] == reply_ids[2:]
        await caller.sandbox.advance(timedelta(0))
        assert {record.state for record in caller.sandbox.callbacks} == {"delivered"}
        assert [body["message"] for body in receiver.bodies if "message" in body] == ["2", "3", "4"]
