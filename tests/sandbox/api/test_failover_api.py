"""Standard and transactional flows over raw HTTP: send, outcomes, tracking and search."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ..raw_http import (
    CALLBACK,
    FAST,
    REMOVED,
    SENDER,
    SMS_STEP,
    STANDARD,
    TEMPLATE_STEP,
    TRANSACTIONAL,
    VIBER_STEP,
    VOICE_STEP,
    Caller,
    open_caller,
    with_changes,
)


def to(steps: list[dict[str, Any]], digits: str) -> dict[str, Any]:
    """Return a flow of these steps to the number that scripts these digits."""
    number = f"+306900000{digits}"
    return {"flow": [step | {"to": {"phone": number} if step["type"] == "Voice" else number} for step in steps]}


async def test_standard_send_returns_id_kind_steps_callback_and_time() -> None:
    """The response to a standard flow has its trackingId, kind, steps, callback and time of creation."""
    async with open_caller() as caller:
        status, response = await caller.send("sendFailover", STANDARD)
        assert status == 200
        assert set(response) == {"trackingId", "flowKind", "flow", "callback", "createdAt"}
        assert response["flow"][:2] == STANDARD["flow"][:2]
        assert response["flow"][2]["dialPlans"] == VOICE_STEP["dialPlan"]
        assert (response["flowKind"], response["callback"]) == ("standard", CALLBACK)
        created = datetime.fromisoformat(response["createdAt"])
        assert abs(datetime.now(UTC) - created) < timedelta(minutes=1)
        _, response = await caller.send("sendFailover", {"flow": [SMS_STEP]})
        assert "callback" not in response


async def test_transactional_send_echoes_template_and_seq() -> None:
    """The response to a transactional flow echoes its template fields, and the client's seq or Routee's own."""
    async with open_caller() as caller:
        _, response = await caller.send(
            "sendTransactionalFailover", with_changes(TRANSACTIONAL, **{"flow.0.seq": 10**30})
        )
        assert response["flowKind"] == "transactional"
        assert response["flow"][0] == TEMPLATE_STEP | {"seq": 10**30}
        assert response["flow"][1] == SMS_STEP
        _, response = await caller.send("sendTransactionalFailover", TRANSACTIONAL)
        assert isinstance(response["flow"][0]["seq"], int)
        record = await caller.track(response["trackingId"])
        assert (record["flowKind"], record["status"], record["messages"]) == ("transactional", "Queued", [])


async def test_transactional_record_has_template_and_seq() -> None:
    """The record of a template message contains its template and its seq."""
    async with open_caller(speed=FAST) as caller:
        _, response = await caller.send("sendTransactionalFailover", TRANSACTIONAL)
        message = (await caller.wait_until_final(response["trackingId"]))["messages"][0]
    assert message["templateId"] == TEMPLATE_STEP["templateId"]
    assert message["templateParams"] == TEMPLATE_STEP["templateParams"]
    assert message["seq"] == response["flow"][0]["seq"]
    assert "label" not in message


async def test_record_of_a_failover_from_viber_to_sms() -> None:
    """Viber expires, the SMS is delivered: two messages in their own casing, prices added up, times in order."""
    async with open_caller(speed=FAST) as caller:
        _, response = await caller.send("sendFailover", to([VIBER_STEP, SMS_STEP], "300"))
        record = await caller.wait_until_final(response["trackingId"])
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
    delay = datetime.fromisoformat(sms["createdAt"]) - datetime.fromisoformat(viber["createdAt"])
    assert delay == timedelta(minutes=VIBER_STEP["ttl"])
    assert record["updatedAt"] == sms["status"]["updatedDate"]


@pytest.mark.parametrize(
    ("steps", "digits", "status", "code", "last"),
    [
        ([VIBER_STEP, SMS_STEP], "020", "Succeeded", None, ["DELIVERED"]),
        ([VIBER_STEP], "400", "Succeeded", None, ["SEEN"]),
        ([VIBER_STEP, SMS_STEP], "110", "Failed", "2", ["UNDELIVERED", "Undelivered"]),
        ([VIBER_STEP, SMS_STEP], "220", "Failed", "2", ["FAILED", "Failed"]),
        ([VIBER_STEP | {"failoverOnStatuses": ["expired"]}, SMS_STEP], "200", "Failed", "3", ["FAILED"]),
        (
            [with_changes(VIBER_STEP, failoverOnStatuses=REMOVED), SMS_STEP],
            "330",
            "Failed",
            "2",
            ["EXPIRED", "Undelivered"],
        ),
        ([VIBER_STEP | {"expireOnDelivery": True}, SMS_STEP], "000", "Succeeded", None, ["EXPIRED", "Delivered"]),
        ([VIBER_STEP | {"expireOnDelivery": True}, SMS_STEP], "400", "Succeeded", None, ["SEEN"]),
        ([VOICE_STEP], "000", "Succeeded", None, ["Completed"]),
        ([VOICE_STEP, SMS_STEP | {"order": 4}], "001", "Succeeded", None, ["Busy", "Delivered"]),
        ([VOICE_STEP, SMS_STEP | {"order": 4}], "003", "Succeeded", None, ["NoAnswer", "Delivered"]),
        (
            [with_changes(VOICE_STEP, failoverOnStatuses=REMOVED), SMS_STEP | {"order": 4}],
            "002",
            "Failed",
            "3",
            ["Failed"],
        ),
    ],
)
async def test_digits_decide_messages_and_flow(
    steps: list[dict[str, Any]], digits: str, status: str, code: str | None, last: list[str]
) -> None:
    """The recipient's digits decide the outcome on each channel, and the flow ends accordingly."""
    async with open_caller(speed=FAST) as caller:
        _, response = await caller.send("sendFailover", to(steps, digits))
        record = await caller.wait_until_final(response["trackingId"])
        await asyncio.sleep(0.001)  # a Seen may come after the end
        record = await caller.track(response["trackingId"])
    assert (record["status"], record["statusCode"]) == (status, code)
    assert [message["status"]["name"] for message in record["messages"]] == last
    assert record["terminationChannel"] == record["messages"][-1]["type"]


async def test_message_expired_after_delivery_has_its_time_and_price() -> None:
    """A Viber message that was delivered and then expired shows when it expired, and is charged."""
    step = VIBER_STEP | {"expireOnDelivery": True}
    async with open_caller(speed=FAST) as caller:
        _, response = await caller.send("sendFailover", to([step], "000"))
        (message,) = (await caller.wait_until_final(response["trackingId"]))["messages"]
    assert message["expireOnDelivery"] is True
    assert message["expiredOnDeliveryAt"] == message["status"]["updatedDate"]
    assert message["price"] > 0


async def test_step_with_the_lowest_order_is_sent_first() -> None:
    """The step with the lowest order is attempted first, wherever it is in the list."""
    async with open_caller(speed=FAST) as caller:
        body = to([VIBER_STEP | {"order": 2}, SMS_STEP | {"order": 1, "message": {"body": "Hi"}}], "010")
        _, response = await caller.send("sendFailover", body)
        record = await caller.wait_until_final(response["trackingId"])
    assert [(message["type"], message["order"]) for message in record["messages"]] == [("Sms", 1), ("Viber", 2)]
    assert "label" not in record["messages"][0]


async def test_voice_record_has_number_and_duration() -> None:
    """A call shows the number that it went to, however that was given, and its duration."""
    async with open_caller(speed=FAST) as caller:
        for number, shown in ((" ", "4930"), ("+4930", "+4930")):
            step = VOICE_STEP | {"to": number if number.strip() else {"phone": number, "viber": shown}}
            _, response = await caller.send("sendFailover", {"flow": [step]})
            (message,) = (await caller.wait_until_final(response["trackingId"]))["messages"]
            assert (message["to"], message["duration"]) == (shown, 6)
            assert "country" not in message
        _, response = await caller.send("sendFailover", to([VOICE_STEP], "001"))
        assert (await caller.wait_until_final(response["trackingId"]))["messages"][0]["duration"] == 0


async def test_new_flow_is_queued_then_in_progress() -> None:
    """A new flow is Queued; while its channel works it is InProgress, without a terminationChannel."""
    async with open_caller(speed=20) as caller:
        _, response = await caller.send("sendFailover", to([VIBER_STEP, SMS_STEP], "300"))
        assert (await caller.track(response["trackingId"]))["status"] == "Queued"
        await asyncio.sleep(0.1)  # two virtual seconds
        record = await caller.track(response["trackingId"])
    assert (record["status"], record["terminationChannel"]) == ("InProgress", None)
    assert [message["status"]["name"] for message in record["messages"]] == ["QUEUED"]


@pytest.mark.parametrize(
    ("operation", "body", "location"),
    [
        ("sendFailover", STANDARD, "flow.0.senderInfoTrackingId"),
        ("sendTransactionalFailover", TRANSACTIONAL, "flow.0.senderInfoTrackingId"),
    ],
)
async def test_unknown_viber_sender_returns_404(operation: str, body: dict[str, Any], location: str) -> None:
    """A Viber sender whose id begins with `unknown` gets a 404, and nothing is sent."""
    async with open_caller() as caller:
        status, response = await caller.send(operation, with_changes(body, **{location: "unknown-sender"}))
        assert (status, response["property"]) == (404, "flow[0].senderInfoTrackingId")
        assert caller.sandbox.accepted == []


async def test_unknown_tracking_id_returns_404() -> None:
    """An unknown id, or one of another service, gets a 404."""
    async with open_caller() as caller:
        status, response = await caller.call("trackFailover", "/failover/tracking/nobody")
        assert (status, set(response)) == (404, {"code", "developerMessage"})
        _, otp = await caller.send("sendViberOtp", {"senderInfoTrackingId": SENDER, "to": "+306900000001"})
        assert (await caller.call("trackFailover", f"/failover/tracking/{otp['trackingId']}"))[0] == 404


async def _search(caller: Caller, body: object, **query: str) -> list[int]:
    """Return the numbers of the flows that a search finds."""
    status, page = await caller.call("searchFailovers", "/failover/tracking", method="POST", json=body, params=query)
    assert status == 200, page
    numbers = {flow.id: flow.number for flow in caller.sandbox.accepted}
    return [numbers[record["trackingId"]] for record in page["content"]]


async def test_search_by_every_field_and_operator() -> None:
    """Every documented field and operator finds the matching flows in any letter case; all filters must match."""
    async with open_caller(speed=FAST) as caller:
        for operation, body in (
            ("sendFailover", to([VIBER_STEP, SMS_STEP], "300")),
            ("sendFailover", to([VIBER_STEP], "200")),
            ("sendTransactionalFailover", {"flow": [SMS_STEP | {"to": "+447700900000"}]}),
        ):
            _, response = await caller.send(operation, body)
            await caller.wait_until_final(response["trackingId"])
        for fields, expected in (
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
            assert await _search(caller, [condition]) == expected, fields
            assert await _search(caller, condition) == expected, "a single condition, as one page shows it"
        both = [{"fieldName": "type", "searchTerm": "Sms"}, {"fieldName": "to", "searchTerm": "+447700900000"}]
        assert await _search(caller, both) == [3]
        assert await _search(caller, []) == await _search(caller, None) == [1, 2, 3]


async def test_search_dates_are_inclusive_and_may_omit_seconds() -> None:
    """The times of dateStart and dateEnd are inclusive, and may omit the seconds."""
    async with open_caller() as caller:
        _, response = await caller.send("sendFailover", {"flow": [SMS_STEP]})
        at = response["createdAt"]
        assert await _search(caller, [], dateStart=at, dateEnd=at) == [1]
        assert await _search(caller, [], dateStart="2999-01-01T00:00Z") == []
        assert await _search(caller, [], dateEnd="2000-01-01T00:00+02:00") == []


async def test_search_pages_have_position_and_totals() -> None:
    """Pages count from 0, have 10 flows by default, and contain their position and totals."""
    async with open_caller() as caller:
        for _ in range(12):
            await caller.send("sendFailover", {"flow": [SMS_STEP]})

        async def page(**query: str) -> dict[str, Any]:
            _, response = await caller.call("searchFailovers", "/failover/tracking", method="POST", params=query)
            numbers = [response[name] for name in ("totalPages", "totalElements", "number", "size", "numberOfElements")]
            return {"numbers": numbers, "first": response["first"], "last": response["last"]}

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
    ("query", "body", "location"),
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
async def test_invalid_search_names_the_parameter(query: dict[str, str], body: object, location: str) -> None:
    """An invalid search gets a 400 that names the parameter or the condition."""
    async with open_caller() as caller:
        status, response = await caller.call(
            "searchFailovers", "/failover/tracking", method="POST", params=query, json=body
        )
    assert (status, list(response["properties"])) == (400, [location])
