"""https://docs.routee.net/reference/send-a-failover-message, line by line."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from ..sandbox.raw_http import GONE, calling, changed
from .documented_bodies import SMS, STANDARD, VIBER, VIBER_FILE, VOICE, names, scripted

ADDRESS_1000 = "https://example.test/" + "a" * 979
TEMPLATE_FIELDS = {"templateId": "bbbbbbbb-0000-4000-8000-000000000001", "templateLang": "en", "templateParams": {}}
DAY = timedelta(days=1)


async def test_every_documented_parameter_is_answered() -> None:
    """The answer holds every key of the page's table, with what was sent, and a trackingId of its own."""
    async with calling(speed=0) as caller:
        status, answer = await caller.send("sendFailover", changed(STANDARD, **{"flow.1.message.transcode": False}))
        _, with_file = await caller.send("sendFailover", {"flow": [VIBER_FILE]})
    assert status == 200
    table = """trackingId type from to ttl expireOnDelivery message body flash label transcode order failoverOnStatuses
        dialPlans verbs senderInfoTrackingId inboundUrl text imageUrl action caption targetUrl callback strategy url"""
    assert set(table.split()) <= names(answer)
    assert {"viberFile", "fileName", "fileType", "fileUrl"} <= names(with_file)
    assert answer["flow"] == changed(STANDARD, **{"flow.1.message.transcode": False})["flow"]
    assert answer["callback"] == STANDARD["callback"]
    assert answer["flowKind"] == "standard"


@pytest.mark.parametrize(
    ("step", "member", "passes", "refused"),
    [
        (SMS, "type", ("Sms",), ("sms", "SMS", "Email")),
        (SMS, "ttl", (1, 1440), (0, 1441, 1.5)),
        (SMS, "message.label", ("x" * 350,), ("x" * 351,)),
        (SMS, "message.transcode", (True, False, GONE), ("yes",)),
        (SMS, "message.flash", (True, False, GONE), ("yes",)),
        (SMS, "failoverOnStatuses", (["failed"], ["Undelivered", "FAILED"]), (["Expired"], ["Busy"])),
        (VIBER, "ttl", (0.5, 10, 2.3, 1440.0), (0.4, 0.25, 1440.1)),
        (VIBER, "label", ("x" * 350,), ("x" * 351,)),
        (VIBER, "failoverOnStatuses", (["expired"], ["FAILED", "Undelivered"]), (["Busy"], ["Seen"])),
        (VIBER, "message.text", ("x" * 1000, "[~{labelName}]"), ("x" * 1001,)),
        (VIBER, "message.imageUrl", (ADDRESS_1000,), ("http://example.test/i.png", ADDRESS_1000 + "a")),
        (VIBER, "message.action.caption", ("x", "x" * 30), ("", "x" * 31)),
        (VIBER, "message.action.targetUrl", (ADDRESS_1000,), ("shop", ADDRESS_1000 + "a")),
        (VIBER_FILE, "message.viberFile.fileName", ("x" * 25,), ("x" * 26,)),
        (
            VIBER_FILE,
            "message.viberFile.fileType",
            ("doc", "docx", "rtf", "pdf", "txt", "xls", "xlsx", "csv", "odt", "ods"),
            ("application/pdf", "exe"),
        ),
        (VIBER_FILE, "message.viberFile.fileUrl", (ADDRESS_1000,), ("http://a.test/f.pdf", ADDRESS_1000 + "a")),
        (VOICE, "failoverOnStatuses", (["Busy", "NoAnswer"], ["BUSY"]), (["Delivered"],)),
        (VOICE, "dialPlans.verbs.0.type", ("SAY",), ("DIAL", "COLLECT")),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
async def test_documented_limit(
    step: dict[str, Any], member: str, passes: tuple[Any, ...], refused: tuple[Any, ...]
) -> None:
    """What the table allows is accepted, what it forbids is answered 400 and names the member."""
    async with calling(speed=0) as caller:
        for value in passes:
            status, answer = await caller.send("sendFailover", {"flow": [changed(step, **{member: value})]})
            assert status == 200, answer
        for value in refused:
            status, answer = await caller.send("sendFailover", {"flow": [changed(step, **{member: value})]})
            assert status == 400, value
            assert any(place.startswith("flow[0].") for place in answer["properties"])


@pytest.mark.parametrize(("strategy", "status"), [("OnStep", 200), ("OnCompletion", 200), ("OnChange", 400)])
async def test_callback_strategy(strategy: str, status: int) -> None:
    """The callback's strategy is OnStep or OnCompletion."""
    async with calling(speed=0) as caller:
        assert (await caller.send("sendFailover", changed(STANDARD, **{"callback.strategy": strategy})))[0] == status


async def test_default_triggers() -> None:
    """SMS fails over on Undelivered and Failed, Viber on these and Expired, Voice on Busy and NoResponse."""
    steps = [changed(step, failoverOnStatuses=GONE) for step in (VIBER, SMS, VOICE)]
    async with calling(speed=0) as caller:
        _, answer = await caller.send("sendFailover", scripted({"flow": steps}, "+306900000311"))
        await caller.sandbox.advance(DAY * 2)
        record = await caller.track(answer["trackingId"])
    triggers = {message["type"]: sorted(message["failoverOnStatuses"]) for message in record["messages"]}
    assert triggers == {
        "Viber": ["Expired", "Failed", "Undelivered"],
        "Sms": ["Failed", "Undelivered"],
        "Voice": ["Busy", "NoAnswer"],
    }
    assert [message["status"]["name"] for message in record["messages"]] == ["EXPIRED", "Undelivered", "Busy"]


@pytest.mark.parametrize(("digits", "ended"), [("000", "EXPIRED"), ("400", "SEEN")])
async def test_expire_on_delivery(digits: str, ended: str) -> None:
    """A delivered message is treated as expired once its ttl, in minutes, has passed and nobody has seen it."""
    flow = scripted({"flow": [changed(VIBER, ttl=1.5), SMS]}, f"+306900000{digits}")
    async with calling(speed=0) as caller:
        _, answer = await caller.send("sendFailover", flow)
        await caller.sandbox.advance(timedelta(seconds=80))
        (before,) = (await caller.track(answer["trackingId"]))["messages"]
        assert before["status"]["name"] in {"DELIVERED", "SEEN"}
        await caller.sandbox.advance(timedelta(seconds=20))
        viber, *others = (await caller.track(answer["trackingId"]))["messages"]
    assert viber["status"]["name"] == ended
    assert [message["type"] for message in others] == (["Sms"] if ended == "EXPIRED" else [])
    if ended == "EXPIRED":
        left = datetime.fromisoformat(viber["expiredOnDeliveryAt"]) - datetime.fromisoformat(viber["createdAt"])
        assert left == timedelta(minutes=1.5)


async def test_a_label_is_filled_in_for_each_person() -> None:
    """`[~{labelName}]` is taken in a Viber text and answered as it came: whose labels it names only Routee knows."""
    async with calling(speed=0) as caller:
        _, answer = await caller.send("sendFailover", STANDARD)
        await caller.sandbox.advance(timedelta(seconds=3))
        (message,) = (await caller.track(answer["trackingId"]))["messages"]
    assert "[~{firstName}]" in message["body"]["text"]


@pytest.mark.parametrize("field", TEMPLATE_FIELDS)
async def test_template_fields_are_refused(field: str) -> None:
    """Each template field on a Viber step is refused with 400: templates have an endpoint of their own."""
    async with calling(speed=0) as caller:
        body = {"flow": [{**VIBER, field: TEMPLATE_FIELDS[field]}]}
        status, answer = await caller.send("sendFailover", body)
    assert (status, list(answer["properties"])) == (400, [f"flow[0].{field}"])
    assert "/failover/transactional" in answer["properties"][f"flow[0].{field}"]
