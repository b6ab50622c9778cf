"""https://docs.routee.net/reference/send-a-failover-message, line by line."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from ..sandbox.raw_http import REMOVED, open_caller, with_changes
from .documented_bodies import SMS, STANDARD, VIBER, VIBER_FILE, VOICE, names, scripted

URL_1000 = "https://example.test/" + "a" * 979
TEMPLATE_FIELDS: dict[str, Any] = {
    "templateId": "bbbbbbbb-0000-4000-8000-000000000001",
    "templateLang": "en",
    "templateParams": {},
    "deliveryScope": "PRIMARY_DEVICE",
    "seq": 7,
}
DAY = timedelta(days=1)


async def test_response_has_every_documented_member() -> None:
    """The response holds every key of the page's table, with what was sent, and a new trackingId."""
    async with open_caller(speed=0) as caller:
        status, response = await caller.send(
            "sendFailover", with_changes(STANDARD, **{"flow.1.message.transcode": False})
        )
        _, with_file = await caller.send("sendFailover", {"flow": [VIBER_FILE]})
    assert status == 200
    table = """trackingId type from to ttl expireOnDelivery message body flash label transcode order failoverOnStatuses
        dialPlans verbs senderInfoTrackingId inboundUrl text imageUrl action caption targetUrl callback strategy url"""
    assert set(table.split()) <= names(response)
    assert {"viberFile", "fileName", "fileType", "fileUrl"} <= names(with_file)
    assert response["flow"] == with_changes(STANDARD, **{"flow.1.message.transcode": False})["flow"]
    assert response["callback"] == STANDARD["callback"]
    assert response["flowKind"] == "standard"


@pytest.mark.parametrize(
    ("step", "member", "accepted", "rejected"),
    [
        (SMS, "type", ("Sms",), ("sms", "SMS", "Email")),
        (SMS, "ttl", (1, 1440), (0, 1441, 1.5)),
        (SMS, "message.label", ("x" * 350,), ("x" * 351,)),
        (SMS, "message.transcode", (True, False, REMOVED), ("yes",)),
        (SMS, "message.flash", (True, False, REMOVED), ("yes",)),
        (SMS, "failoverOnStatuses", (["failed"], ["Undelivered", "FAILED"]), (["Expired"], ["Busy"])),
        (VIBER, "ttl", (0.5, 10, 2.3, 1440.0), (0.4, 0.25, 1440.1)),
        (VIBER, "label", ("x" * 350,), ("x" * 351,)),
        (VIBER, "failoverOnStatuses", (["expired"], ["FAILED", "Undelivered"]), (["Busy"], ["Seen"])),
        (VIBER, "message.text", ("x" * 1000, "[~{labelName}]"), ("x" * 1001,)),
        (VIBER, "message.imageUrl", (URL_1000,), ("http://example.test/i.png", URL_1000 + "a")),
        (VIBER, "message.action.caption", ("x", "x" * 30), ("", "x" * 31)),
        (VIBER, "message.action.targetUrl", (URL_1000,), ("shop", URL_1000 + "a")),
        (VIBER_FILE, "message.viberFile.fileName", ("x" * 25,), ("x" * 26,)),
        (
            VIBER_FILE,
            "message.viberFile.fileType",
            ("doc", "docx", "rtf", "pdf", "txt", "xls", "xlsx", "csv", "odt", "ods", "PDF", "pages"),
            ("application/pdf", ".pdf", ""),
        ),
        (VIBER_FILE, "message.viberFile.fileUrl", (URL_1000,), ("http://a.test/f.pdf", URL_1000 + "a")),
        (VOICE, "failoverOnStatuses", (["Busy", "NoAnswer"], ["BUSY"]), (["Delivered"],)),
        (VOICE, "dialPlans.verbs.0.type", ("SAY",), ("DIAL", "COLLECT")),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
async def test_values_past_a_documented_limit_get_400(
    step: dict[str, Any], member: str, accepted: tuple[Any, ...], rejected: tuple[Any, ...]
) -> None:
    """What the table allows is accepted; what it forbids gets 400 and names the member."""
    async with open_caller(speed=0) as caller:
        for value in accepted:
            status, response = await caller.send("sendFailover", {"flow": [with_changes(step, **{member: value})]})
            assert status == 200, response
        for value in rejected:
            status, response = await caller.send("sendFailover", {"flow": [with_changes(step, **{member: value})]})
            assert status == 400, value
            assert any(path.startswith("flow[0].") for path in response["properties"])


@pytest.mark.parametrize(("strategy", "status"), [("OnStep", 200), ("OnCompletion", 200), ("OnChange", 400)])
async def test_unknown_callback_strategy_gets_400(strategy: str, status: int) -> None:
    """The callback's strategy is OnStep or OnCompletion."""
    async with open_caller(speed=0) as caller:
        assert (await caller.send("sendFailover", with_changes(STANDARD, **{"callback.strategy": strategy})))[
            0
        ] == status


async def test_default_failover_statuses_depend_on_the_channel() -> None:
    """SMS fails over on Undelivered and Failed, Viber on these and Expired, Voice on Busy and NoAnswer."""
    steps = [with_changes(step, failoverOnStatuses=REMOVED) for step in (VIBER, SMS, VOICE)]
    async with open_caller(speed=0) as caller:
        _, response = await caller.send("sendFailover", scripted({"flow": steps}, "+306900000311"))
        await caller.sandbox.advance(DAY * 2)
        record = await caller.track(response["trackingId"])
    triggers = {message["type"]: sorted(message["failoverOnStatuses"]) for message in record["messages"]}
    assert triggers == {
        "Viber": ["Expired", "Failed", "Undelivered"],
        "Sms": ["Failed", "Undelivered"],
        "Voice": ["Busy", "NoAnswer"],
    }
    assert [message["status"]["name"] for message in record["messages"]] == ["EXPIRED", "Undelivered", "Busy"]


@pytest.mark.parametrize(("digits", "final_status"), [("000", "EXPIRED"), ("400", "SEEN")])
async def test_delivered_viber_message_expires_unless_it_was_seen(digits: str, final_status: str) -> None:
    """A delivered message counts as expired once its ttl, in minutes, has passed without it being seen."""
    flow = scripted({"flow": [with_changes(VIBER, ttl=1.5), SMS]}, f"+306900000{digits}")
    async with open_caller(speed=0) as caller:
        _, response = await caller.send("sendFailover", flow)
        await caller.sandbox.advance(timedelta(seconds=80))
        (before,) = (await caller.track(response["trackingId"]))["messages"]
        assert before["status"]["name"] in {"DELIVERED", "SEEN"}
        await caller.sandbox.advance(timedelta(seconds=20))
        viber, *others = (await caller.track(response["trackingId"]))["messages"]
    assert viber["status"]["name"] == final_status
    assert [message["type"] for message in others] == (["Sms"] if final_status == "EXPIRED" else [])
    if final_status == "EXPIRED":
        remaining = datetime.fromisoformat(viber["expiredOnDeliveryAt"]) - datetime.fromisoformat(viber["createdAt"])
        assert remaining == timedelta(minutes=1.5)


async def test_label_placeholder_is_accepted_and_returned_as_sent() -> None:
    """`[~{labelName}]` is accepted in a Viber text and returned as sent: whose labels it names only Routee knows."""
    async with open_caller(speed=0) as caller:
        _, response = await caller.send("sendFailover", STANDARD)
        await caller.sandbox.advance(timedelta(seconds=3))
        (message,) = (await caller.track(response["trackingId"]))["messages"]
    assert "[~{firstName}]" in message["body"]["text"]


@pytest.mark.parametrize("field", TEMPLATE_FIELDS)
async def test_template_field_on_a_viber_step_gets_400(field: str) -> None:
    """Each template field on a Viber step gets 400: templates have an endpoint of their own."""
    async with open_caller(speed=0) as caller:
        body = {"flow": [{**VIBER, field: TEMPLATE_FIELDS[field]}]}
        status, response = await caller.send("sendFailover", body)
    assert (status, list(response["properties"])) == (400, [f"flow[0].{field}"])
    assert "/failover/transactional" in response["properties"][f"flow[0].{field}"]
