"""Standard and transactional flows through raw HTTP: accepted, played out, tracked and searched."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ..raw_http import (
    CALLBACK,
    FAST,
    GONE,
    SENDER,
    SMS_STEP,
    STANDARD,
    TEMPLATE_STEP,
    TRANSACTIONAL,
    VIBER_STEP,
    VOICE_STEP,
    Caller,
    calling,
    changed,
)


def to(steps: list[dict[str, Any]], digits: str) -> dict[str, Any]:
    """A flow of these steps to the number that scripts these digits."""
    number = f"+306900000{digits}"
    return {"flow": [step | {"to": {"phone": number} if step["type"] == "Voice" else number} for step in steps]}


async def test_standard_answer() -> None:
    """A standard flow is answered with its trackingId, kind, steps, callback and time of creation."""
    async with calling() as caller:
        status, answer = await caller.send("sendFailover", STANDARD)
        assert status == 200
        assert set(answer) == {"trackingId", "flowKind", "flow", "callback", "createdAt"}
        assert answer["flow"][:2] == STANDARD["flow"][:2]
        assert answer["flow"][2]["dialPlans"] == VOICE_STEP["dialPlan"]
        assert (answer["flowKind"], answer["callback"]) == ("standard", CALLBACK)
        created = datetime.fromisoformat(answer["createdAt"])
        assert abs(datetime.now(UTC) - created) < timedelta(minutes=1)
        _, answer = await caller.send("sendFailover", {"flow": [SMS_STEP]})
        assert "callback" not in answer


async def test_transactional_answer() -> None:
    """A transactional flow echoes its template fields, and a seq that is the client's or Routee's own."""
    async with calling() as caller:
        _, answer = await caller.send("sendTransactionalFailover", changed(TRANSACTIONAL, **{"flow.0.seq": 10**30}))
        assert answer["flowKind"] == "transactional"
        assert answer["flow"][0] == TEMPLATE_STEP | {"seq": 10**30}
        assert answer["flow"][1] == SMS_STEP
        _, answer = await caller.send("sendTransactionalFailover", TRANSACTIONAL)
        assert isinstance(answer["flow"][0]["seq"], int)
        record = await caller.track(answer["trackingId"])
        assert (record["flowKind"], record["status"], record["messages"]) == ("transactional", "Queued", [])


async def test_transactional_record() -> None:
    """The record of a template message carries its template and its seq."""
    async with calling(speed=FAST) as caller:
        _, answer = await caller.send("sendTransactionalFailover", TRANSACTIONAL)
        message = (await caller.ended(answer["trackingId"]))["messages"][0]
    assert message["templateId"] == TEMPLATE_STEP["templateId"]
    assert message["templateParams"] == TEMPLATE_STEP["templateParams"]
    assert message["seq"] == answer["flow"][0]["seq"]
    assert "label" not in message


async def test_failover_from_viber_to_sms() -> None:
    """Viber expires, the SMS is delivered: two messages in their own casing, prices summed, times in order."""
    async with calling(speed=FAST) as caller:
        _, answer = await caller.send("sendFailover", to([VIBER_STEP, SMS_STEP], "300"))
        record = await caller.ended(answer["trackingId"])
    viber, sms = record["messages"]
    assert (viber["status"]["name"], viber["status"]["reason"]["detailedStatus"]) == ("EXPIRED", "TTL Expired")
    assert (sms["status"]["name"], sms["part"], sms["parts"]) == ("Delivered", 1, 1)
    assert (record["status"], record["statusCode"], record["terminationChannel"]) == ("Succeeded", None, "Sms")
    assert record["totalPrice"] == round(viber["price"] + sms["price"], 3)
    assert viber["body"] == VIBER_STEP["message"]
    assert (viber["label"], viber["inboundUrl"], viber["expiredOnDeliveryAt"]) == (
        "demo",
        VIBER_STEP["inboundUrl"],
        None,
    )
    assert (sms["label"], sms["body"], sms["country"], sms["latency"]) == ("demo", "Hi", "GR", 3000)
    left = datetime.fromisoformat(sms["createdAt"]) - datetime.fromisoformat(viber["createdAt"])
    assert left == timedelta(minutes=VIBER_STEP["ttl"])
    assert record["updatedAt"] == sms["status"]["updatedDate"]


@pytest.mark.parametrize(
    ("steps", "digits", "status", "code", "last"),
    [
        ([VIBER_STEP, SMS_STEP], "020", "Succeeded", None, ["DELIVERED"]),
        ([VIBER_STEP], "400", "Succeeded", None, ["SEEN"]),
        ([VIBER_STEP, SMS_STEP], "110", "Failed", "2", ["UNDELIVERED", "Undelivered"]),
        ([VIBER_STEP, SMS_STEP], "220", "Failed", "2", ["FAILED", "Failed"]),
        ([VIBER_STEP | {"failoverOnStatuses": ["expired"]}, SMS_STEP], "200", "Failed", "3", ["FAILED"]),
        ([changed(VIBER_STEP, failoverOnStatuses=GONE), SMS_STEP], "330", "Failed", "2", ["EXPIRED", "Undelivered"]),
        ([VIBER_STEP | {"expireOnDelivery": True}, SMS_STEP], "000", "Succeeded", None, ["EXPIRED", "Delivered"]),
        ([VIBER_STEP | {"expireOnDelivery": True}, SMS_STEP], "400", "Succeeded", None, ["SEEN"]),
        ([VOICE_STEP], "000", "Succeeded", None, ["Completed"]),
        ([VOICE_STEP, SMS_STEP | {"order": 4}], "001", "Succeeded", None, ["Busy", "Delivered"]),
        ([VOICE_STEP, SMS_STEP | {"order": 4}], "003", "Succeeded", None, ["NoAnswer", "Delivered"]),
        ([changed(VOICE_STEP, failoverOnStatuses=GONE), SMS_STEP | {"order": 4}], "002", "Failed", "3", ["Failed"]),
    ],
)
async def test_played_out(
    steps: list[dict[str, Any]], digits: str, status: str, code: str | None, last: list[str]
) -> None:
    """The recipient's digits decide how each channel ends, and the flow ends accordingly."""
    async with calling(speed=FAST) as caller:
        _, answer = await caller.send("sendFailover", to(steps, digits))
        record = await caller.ended(answer["trackingId"])
        await asyncio.sleep(0.001)  # a Seen may come after the end
        record = await caller.track(answer["trackingId"])
    assert (record["status"], record["statusCode"]) == (status, code)
    assert [message["status"]["name"] for message in record["messages"]] == last
    assert record["terminationChannel"] == record["messages"][-1]["type"]


async def test_expire_on_delivery() -> None:
    """A Viber message that was delivered and then expired says when it expired, and costs what it costs."""
    step = VIBER_STEP | {"expireOnDelivery": True}
    async with calling(speed=FAST) as caller:
        _, answer = await caller.send("sendFailover", to([step], "000"))
        (message,) = (await caller.ended(answer["trackingId"]))["messages"]
    assert message["expireOnDelivery"] is True
    assert message["expiredOnDeliveryAt"] == message["status"]["updatedDate"]
    assert message["price"] > 0


async def test_sms_first_by_order() -> None:
    """The step of the lowest order is tried first, wherever it stands in the list."""
    async with calling(speed=FAST) as caller:
        body = to([VIBER_STEP | {"order": 2}, SMS_STEP | {"order": 1, "message": {"body": "Hi"}}], "010")
        _, answer = await caller.send("sendFailover", body)
        record = await caller.ended(answer["trackingId"])
    assert [(message["type"], message["order"]) for message in record["messages"]] == [("Sms", 1), ("Viber", 2)]
    assert "label" not in record["messages"][0]


async def test_voice_record() -> None:
    """A call shows the number it went to, however that was given, and how long it lasted."""
    async with calling(speed=FAST) as caller:
        for number, shown in ((" ", "4930"), ("+4930", "+4930")):
            step = VOICE_STEP | {"to": number if number.strip() else {"phone": number, "viber": shown}}
            _, answer = await caller.send("sendFailover", {"flow": [step]})
            (message,) = (await caller.ended(answer["trackingId"]))["messages"]
            assert (message["to"], message["duration"]) == (shown, 6)
            assert "country" not in message
        _, answer = await caller.send("sendFailover", to([VOICE_STEP], "001"))
        assert (await caller.ended(answer["trackingId"]))["messages"][0]["duration"] == 0


async def test_in_progress() -> None:
    """In real time a new flow is Queued; while its channel works it is InProgress and nothing has ended it."""
    async with calling(speed=20) as caller:
        _, answer = await caller.send("sendFailover", to([VIBER_STEP, SMS_STEP], "300"))
        assert (await caller.track(answer["trackingId"]))["status"] == "Queued"
        await asyncio.sleep(0.1)  # two virtual seconds
        record = await caller.track(answer["trackingId"])
    assert (record["status"], record["terminationChannel"]) == ("InProgress", None)
    assert [message["status"]["name"] for message in record["messages"]] == ["QUEUED"]


@pytest.mark.parametrize(
    ("operation", "body", "place"),
    [
        ("sendFailover", STANDARD, "flow.0.senderInfoTrackingId"),
        ("sendTransactionalFailover", TRANSACTIONAL, "flow.0.senderInfoTrackingId"),
    ],
)
async def test_unknown_sender(operation: str, body: dict[str, Any], place: str) -> None:
    """A Viber sender whose id begins with `unknown` is answered 404, and nothing is sent."""
    async with calling() as caller:
        status, answer = await caller.send(operation, changed(body, **{place: "unknown-sender"}))
        assert (status, answer["property"]) == (404, "flow[0].senderInfoTrackingId")
        assert caller.sandbox.accepted == []


async def test_unknown_flow() -> None:
    """An id that nobody was given, or one of another service, is answered 404."""
    async with calling() as caller:
        status, answer = await caller.call("trackFailover", "/failover/tracking/nobody")
        assert (status, set(answer)) == (404, {"code", "developerMessage"})
        _, otp = await caller.send("sendViberOtp", {"senderInfoTrackingId": SENDER, "to": "+306900000001"})
        assert (await caller.call("trackFailover", f"/failover/tracking/{otp['trackingId']}"))[0] == 404


async def _searched(caller: Caller, body: object, **query: str) -> list[int]:
    """The numbers of the flows that a search finds, by the order in which they were sent."""
    status, page = await caller.call("searchFailovers", "/failover/tracking", method="POST", json=body, params=query)
    assert status == 200, page
    places = {flow.id: flow.number for flow in caller.sandbox.accepted}
    return [places[record["trackingId"]] for record in page["content"]]


async def test_search_filters() -> None:
    """Every documented field and operator finds the flows it describes, whatever the letter case; filters add up."""
    async with calling(speed=FAST) as caller:
        for operation, body in (
            ("sendFailover", to([VIBER_STEP, SMS_STEP], "300")),
            ("sendFailover", to([VIBER_STEP], "200")),
            ("sendTransactionalFailover", {"flow": [SMS_STEP | {"to": "+447700900000"}]}),
        ):
            _, answer = await caller.send(operation, body)
            await caller.ended(answer["trackingId"])
        for fields, found in (
            (("type", None, "viber"), [1, 2]),
            (("type", "is", "SMS"), [1, 3]),
            (("type", "is_not", "Viber"), [3]),
            (("status", "IS", "failed"), [2]),
            (("status", "is_not", "Failed"), [1, 3]),
            (("terminationChannel", "is", "Sms"), [1, 3]),
            (("flowKind", "is", "transactional"), [3]),
            (("to", "is", "+306900000300"), [1]),
            (("to", "is", "306900000300"), [1]),
            (("to", "is_not", "+306900000300"), [2, 3]),
            (("to", "contains", "0900"), [3]),
            (("to", "starts_with", "+306"), [1, 2]),
            (("to", "ends_with", "00"), [1, 2, 3]),
        ):
            name, operator, term = fields
            condition = {"fieldName": name, "searchTerm": term} | ({"searchOperator": operator} if operator else {})
            assert await _searched(caller, [condition]) == found, fields
            assert await _searched(caller, condition) == found, "a single condition, as one page shows it"
        both = [{"fieldName": "type", "searchTerm": "Sms"}, {"fieldName": "to", "searchTerm": "+447700900000"}]
        assert await _searched(caller, both) == [3]
        assert await _searched(caller, []) == await _searched(caller, None) == [1, 2, 3]


async def test_search_dates() -> None:
    """The moments of dateStart and dateEnd are included, and may leave out the seconds."""
    async with calling() as caller:
        _, answer = await caller.send("sendFailover", {"flow": [SMS_STEP]})
        at = answer["createdAt"]
        assert await _searched(caller, [], dateStart=at, dateEnd=at) == [1]
        assert await _searched(caller, [], dateStart="2999-01-01T00:00Z") == []
        assert await _searched(caller, [], dateEnd="2000-01-01T00:00+02:00") == []


async def test_search_pages() -> None:
    """Pages count from 0, hold 10 flows unless told otherwise, and say where they stand."""
    async with calling() as caller:
        for _ in range(12):
            await caller.send("sendFailover", {"flow": [SMS_STEP]})

        async def page(**query: str) -> dict[str, Any]:
            _, found = await caller.call("searchFailovers", "/failover/tracking", method="POST", params=query)
            numbers = [found[name] for name in ("totalPages", "totalElements", "number", "size", "numberOfElements")]
            return {"numbers": numbers, "first": found["first"], "last": found["last"]}

        assert await page() == {"numbers": [2, 12, 0, 10, 10], "first": True, "last": False}
        assert await page(page="1") == {"numbers": [2, 12, 1, 10, 2], "first": False, "last": True}
        assert await page(page="9", size="5") == {"numbers": [3, 12, 9, 5, 0], "first": False, "last": True}
        huge = 10**3999
        assert await page(page=str(huge), size=str(huge)) == {
            "numbers": [1, 12, huge, huge, 0],
            "first": False,
            "last": True,
        }
        assert await page(size="100") == {"numbers": [1, 12, 0, 100, 12], "first": True, "last": True}


@pytest.mark.parametrize(
    ("query", "body", "place"),
    [
        ({"page": "-1"}, [], "page"),
        ({"page": "x"}, [], "page"),
        ({"page": "1" * 5000}, [], "page"),
        ({"size": "0"}, [], "size"),
        ({"dateStart": "yesterday"}, [], "dateStart"),
        ({"dateEnd": "2026-13-01T00:00Z"}, [], "dateEnd"),
        ({"dateEnd": "2026-02-29T00:00Z"}, [], "dateEnd"),
        ({"dateEnd": "0000-01-01T00:00Z"}, [], "dateEnd"),
        ({"dateEnd": "2026-01-01T24:00Z"}, [], "dateEnd"),
        ({}, [{"fieldName": "price", "searchTerm": "1"}], "[0].fieldName"),
        ({}, [{"fieldName": "to"}], "[0].searchTerm"),
        ({}, {"fieldName": "to"}, "searchTerm"),
        ({}, [{"fieldName": "to", "searchTerm": "1", "searchOperator": "like"}], "[0].searchOperator"),
        ({}, [{"fieldName": "type", "searchTerm": "1", "searchOperator": "contains"}], "[0].searchOperator"),
        ({}, "x", "body"),
    ],
)
async def test_wrong_search(query: dict[str, str], body: object, place: str) -> None:
    """A search that the pages do not know is answered 400, naming the parameter or the condition."""
    async with calling() as caller:
        status, answer = await caller.call(
            "searchFailovers", "/failover/tracking", method="POST", params=query, json=body
        )
    assert (status, list(answer["properties"])) == (400, [place])
