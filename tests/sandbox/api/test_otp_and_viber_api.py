"""Failover OTP, Viber OTP and the balance over raw HTTP."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from ..raw_http import (
    FAST,
    OTP,
    OTP_SMS_STEP,
    OTP_VIBER_STEP,
    REMOVED,
    SENDER,
    VIBER_OTP,
    Caller,
    open_caller,
    with_changes,
)


def to(digits: str, *steps: dict[str, Any]) -> dict[str, Any]:
    """Return an OTP flow to the number that scripts these digits."""
    return {"flow": [step | {"to": f"306900000{digits}"} for step in steps or (OTP_VIBER_STEP, OTP_SMS_STEP)]}


async def test_send_with_several_steps_is_in_progress() -> None:
    """The response is InProgress, with type Viber for a ViberOtp step, and a trackingId on the step that was sent."""
    async with open_caller() as caller:
        status, response = await caller.send("sendFailoverOtp", OTP)
    assert (status, response["status"], response["type"]) == (200, "InProgress", "Viber")
    first, second = response["flow"]
    assert first == OTP_VIBER_STEP | {"trackingId": first["trackingId"]}
    assert isinstance(first["trackingId"], str)
    assert second == OTP_SMS_STEP | {"trackingId": None}
    assert "error" not in response


async def test_send_with_one_step_is_succeeded_but_still_in_progress() -> None:
    """A single step is Succeeded at once, which means accepted: its record is still InProgress."""
    async with open_caller() as caller:
        _, response = await caller.send("sendFailoverOtp", {"flow": [OTP_SMS_STEP]})
        assert (response["status"], response["type"]) == ("Succeeded", "Sms")
        assert (await caller.track_otp(response["flowId"]))["status"] == "InProgress"


async def test_step_with_the_lowest_order_is_sent_first() -> None:
    """The SMS may come first: the step with the lowest order is the one that was sent."""
    async with open_caller() as caller:
        body = {"flow": [OTP_VIBER_STEP | {"order": 2}, OTP_SMS_STEP | {"order": 1}]}
        _, response = await caller.send("sendFailoverOtp", body)
    assert response["type"] == "Sms"
    assert [step["trackingId"] is None for step in response["flow"]] == [True, False]


@pytest.mark.parametrize("body", [to("220"), to("200", OTP_VIBER_STEP), to("020", OTP_SMS_STEP)])
async def test_send_that_every_channel_rejects_is_200_with_failed(body: dict[str, Any]) -> None:
    """When every channel rejects, the response is 200 with Failed, no flowId, statusCode 2 and an error."""
    async with open_caller() as caller:
        status, response = await caller.send("sendFailoverOtp", body)
        assert (status, response["status"], response["statusCode"]) == (200, "Failed", 2)
        assert response["flowId"] is None
        assert response["type"] is None
        assert all(step["trackingId"] is None for step in response["flow"])
        assert response["error"]
        assert caller.sandbox.accepted == []
        assert (caller.sandbox.counts.accepted, caller.sandbox.counts.rejected) == (0, 1)


async def test_record_has_the_documented_casing() -> None:
    """The record mixes casings as documented: viber upper, sms lower, snake and camel case; numbers without plus."""
    steps = (OTP_VIBER_STEP, OTP_SMS_STEP)
    async with open_caller(speed=FAST) as caller:
        _, response = await caller.send("sendFailoverOtp", to("300", *steps))
        record = await caller.wait_until_otp_final(response["flowId"])
    assert (record["status"], record["statusCode"], record["total_cost"]) == ("Succeeded", None, 0.04)
    primary, failover = record["steps"]
    assert (primary["role"], primary["channel"], primary["status"]) == ("primary", "viber", "EXPIRED")
    assert (failover["role"], failover["channel"], failover["status"]) == ("failover", "sms", "delivered")
    assert primary["trackingId"] == response["flow"][0]["trackingId"]
    assert failover["failover_from_message_token"] == primary["trackingId"]
    assert {step["phone_number"] for step in record["steps"]} == {"306900000300"}
    assert (failover["latency_ms"], failover["country"]) == (3000, "GR")
    assert "delivered_at" not in primary


@pytest.mark.parametrize(
    ("digits", "status", "code", "last"),
    [
        ("000", "Succeeded", None, ["DELIVERED"]),
        ("130", "Failed", 2, ["UNDELIVERED", "undelivered"]),
        ("210", "Failed", 2, ["FAILED", "undelivered"]),
        ("320", "Failed", 2, ["EXPIRED", "failed"]),
        ("200", "Succeeded", None, ["FAILED", "delivered"]),
    ],
)
async def test_digits_decide_steps_and_flow(digits: str, status: str, code: int | None, last: list[str]) -> None:
    """Expired, failed and undelivered start the next step; statusCode is a number here."""
    async with open_caller(speed=FAST) as caller:
        _, response = await caller.send("sendFailoverOtp", to(digits))
        record = await caller.wait_until_otp_final(response["flowId"])
    assert (record["status"], record["statusCode"]) == (status, code)
    assert [step["status"] for step in record["steps"]] == last


async def test_ttl_has_no_upper_bound() -> None:
    """A ttl of any size is accepted: Routee documents no upper bound."""
    async with open_caller() as caller:
        body = to("300", OTP_VIBER_STEP | {"ttl": 10**400}, OTP_SMS_STEP)
        _, response = await caller.send("sendFailoverOtp", body)
        record = await caller.track_otp(response["flowId"])
        assert [step["status"] for step in record["steps"]] == ["QUEUED"]
        _, response = await caller.send("sendViberOtp", VIBER_OTP | {"ttl": 10**400})
        assert response["ttl"] == 10**400


async def test_tracking_by_message_id_works_once_it_was_sent() -> None:
    """A flow is found by the id of any of its messages, once that message was sent."""
    async with open_caller(speed=FAST) as caller:
        _, response = await caller.send("sendFailoverOtp", to("300"))
        record = await caller.wait_until_otp_final(response["flowId"])
        for step in record["steps"]:
            assert await caller.track_otp(step["trackingId"]) == record
    async with open_caller() as caller:
        _, response = await caller.send("sendFailoverOtp", to("300"))
        later = caller.sandbox.accepted[0].message_ids[1]
        status, response = await caller.call("trackFailoverOtp", f"/failover-otp/otp/failover/{later}")
        assert (status, response) == (404, {"detail": "Flow not found"})


async def test_unknown_tracking_id_returns_404() -> None:
    """An unknown id, or one of another service, gets a 404."""
    async with open_caller() as caller:
        _, viber = await caller.send("sendViberOtp", VIBER_OTP)
        _, otp = await caller.send("sendFailoverOtp", OTP)
        for unknown in ("nobody", viber["trackingId"]):
            assert (await caller.call("trackFailoverOtp", f"/failover-otp/otp/failover/{unknown}"))[0] == 404
        for unknown in ("nobody", otp["flowId"], otp["flow"][0]["trackingId"]):
            status, response = await caller.call("trackViber", f"/viber/tracking/{unknown}")
            assert (status, response["code"]) == (404, "404019006")


async def _list(caller: Caller, **query: str) -> tuple[int, list[str]]:
    status, found = await caller.call("listFailoverOtps", "/failover-otp/otp/failover", params=query)
    assert status == 200, found
    return found["total"], [record["steps"][0]["phone_number"] for record in found["results"]]


async def test_list_is_filtered_and_paged() -> None:
    """The list is filtered by status, tag, number and flow, and paged by limit and offset."""
    async with open_caller() as caller:
        ids: list[str] = []
        for digits, label in (("000", "a"), ("100", "b"), ("000", "b")):
            body = with_changes(to(digits), **{"flow.0.label": label, "flow.1.to": [f"+306900000{digits}"]})
            ids.append((await caller.send("sendFailoverOtp", body))[1]["flowId"])
        one, two = "306900000000", "306900000100"
        assert await _list(caller) == (3, [one, two, one])
        assert await _list(caller, status="InProgress") == (3, [one, two, one])
        assert await _list(caller, status="Failed") == (0, [])
        assert await _list(caller, tag="b") == (2, [two, one])
        assert await _list(caller, phone_number="+" + two) == (1, [two])
        assert await _list(caller, phone_number=one, tag="b") == (1, [one])
        both = with_changes(
            to("000"), **{"flow.0.to": "+306900000000", "flow.1.to": ["+306900000000", "+306911111111"]}
        )
        await caller.send("sendFailoverOtp", both)
        assert await _list(caller, phone_number="306911111111") == (1, [one])
        assert await _list(caller, flow_id=ids[1]) == (1, [two])
        assert await _list(caller, limit="1", offset="1") == (4, [two])
        assert await _list(caller, offset="7") == (4, [])


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "x"}, {"offset": "-1"}])
async def test_invalid_limit_or_offset_returns_422(query: dict[str, str]) -> None:
    """An invalid limit or offset gets a 422 that names it."""
    async with open_caller() as caller:
        status, response = await caller.call("listFailoverOtps", "/failover-otp/otp/failover", params=query)
    assert (status, response["detail"][0]["loc"]) == (422, ["query", *query])


async def test_about_and_health_need_no_token() -> None:
    """Name and health of the service need no token; the list of the nine templates needs one."""
    async with open_caller() as caller:
        _, templates = await caller.call("listOtpTemplates", "/failover-otp/otp/templates")
        assert len({template["templateId"] for template in templates}) == 9
        caller.headers = {}
        _, about = await caller.call("getOtpService", "/failover-otp")
        assert await caller.call("getOtpHealth", about["health"]) == (200, {"status": "ok"})


async def test_viber_otp_send_returns_its_record() -> None:
    """The response to a Viber OTP is its record: QUEUED at first, and what was sent."""
    async with open_caller() as caller:
        status, response = await caller.send("sendViberOtp", VIBER_OTP)
    assert status == 200
    assert (response["status"]["status"], response["direction"], response["country"]) == ("QUEUED", "Outbound", "GR")
    assert {name: response[name] for name in VIBER_OTP if name != "senderInfoTrackingId"} == {
        name: value for name, value in VIBER_OTP.items() if name != "senderInfoTrackingId"
    }


@pytest.mark.parametrize(("digit", "last"), list(enumerate(["DELIVERED", "UNDELIVERED", "FAILED", "EXPIRED", "SEEN"])))
async def test_viber_otp_reaches_the_scripted_status(digit: int, last: str) -> None:
    """A Viber OTP reaches the status that its number scripts."""
    async with open_caller(speed=FAST * 1000) as caller:
        body = {"senderInfoTrackingId": SENDER, "to": f"+306900000{digit}00"}
        _, response = await caller.send("sendViberOtp", body)
        while True:
            _, record = await caller.call("trackViber", f"/viber/tracking/{response['trackingId']}")
            if record["status"]["status"] == last:
                break
    assert record["to"] == body["to"]
    assert "ttl" not in record


async def test_viber_otp_needs_only_sender_and_recipient() -> None:
    """A Viber OTP needs only sender and recipient; the response adds no other members."""
    async with open_caller() as caller:
        _, response = await caller.send("sendViberOtp", {"senderInfoTrackingId": SENDER, "to": "+447700900000"})
        assert {"ttl", "seq", "country", "templateId"}.isdisjoint(response)
        _, response = await caller.send("sendViberOtp", with_changes(VIBER_OTP, seq=REMOVED))
        assert "seq" not in response
        _, record = await caller.call("trackViber", f"/viber/tracking/{response['trackingId']}")
        assert record["ttl"] == VIBER_OTP["ttl"]


async def test_unknown_viber_sender_returns_404() -> None:
    """A Viber sender whose id begins with `unknown` gets a 404."""
    async with open_caller() as caller:
        status, response = await caller.send("sendViberOtp", VIBER_OTP | {"senderInfoTrackingId": "unknown"})
    assert (status, response["property"]) == (404, "senderInfoTrackingId")


async def test_balance_has_a_currency() -> None:
    """The balance is a number with a currency."""
    async with open_caller() as caller:
        status, response = await caller.call("getBalance", "/accounts/me/balance")
    assert (status, response["currency"]["code"]) == (200, "EUR")


async def test_unknown_country_is_omitted() -> None:
    """A number of a country that the sandbox does not know has no country."""
    async with open_caller() as caller:
        _, response = await caller.send("sendFailoverOtp", {"flow": [OTP_SMS_STEP | {"to": "+447700900000"}]})
        (step,) = (await caller.track_otp(response["flowId"]))["steps"]
    assert "country" not in step


@pytest.mark.parametrize(("switch", "sent"), [(True, ["viber", "sms"]), (False, ["viber"])])
async def test_switch_sends_the_next_step_a_ttl_after_delivery(switch: bool, sent: list[str]) -> None:
    """With true on the ViberOtp switch, whose name is not public, the SMS follows `ttl` seconds after Delivered."""
    steps = [OTP_VIBER_STEP | {"someSwitch": switch, "ttl": 90}, OTP_SMS_STEP]
    async with open_caller(speed=0) as caller:
        _, response = await caller.send("sendFailoverOtp", to("000", *steps))
        await caller.sandbox.advance(timedelta(seconds=80))
        record = await caller.track_otp(response["flowId"])
        assert ([step["status"] for step in record["steps"]], record["status"]) == (
            ["DELIVERED"],
            "InProgress" if switch else "Succeeded",
        )
        await caller.sandbox.advance(timedelta(seconds=60))
        record = await caller.track_otp(response["flowId"])
    assert [step["channel"] for step in record["steps"]] == sent
    assert record["status"] == "Succeeded"
    if switch:
        viber, sms = record["steps"]
        delivered, followed = map(datetime.fromisoformat, (viber["delivered_at"], sms["created_at"]))
        assert followed - delivered == timedelta(seconds=90)


async def test_switch_changes_nothing_without_a_next_step_or_a_delivery() -> None:
    """A single step is final when it is delivered, and a message that was not delivered fails over at once."""
    single = to("000", OTP_VIBER_STEP | {"someSwitch": True, "ttl": 90})
    failed = to("100", OTP_VIBER_STEP | {"someSwitch": True, "ttl": 90}, OTP_SMS_STEP)
    async with open_caller(speed=0) as caller:
        _, first = await caller.send("sendFailoverOtp", single)
        _, second = await caller.send("sendFailoverOtp", failed)
        await caller.sandbox.advance(timedelta(seconds=30))
        assert (await caller.track_otp(first["flowId"]))["status"] == "Succeeded"
        record = await caller.track_otp(second["flowId"])
    assert [step["status"] for step in record["steps"]] == ["UNDELIVERED", "delivered"]


async def test_delivered_step_keeps_a_flow_successful_whatever_follows() -> None:
    """A flow succeeds when any channel delivered: an SMS that fails after a delivery changes nothing."""
    async with open_caller(speed=0) as caller:
        flow = to("020", OTP_VIBER_STEP | {"someSwitch": True}, OTP_SMS_STEP)
        _, response = await caller.send("sendFailoverOtp", flow)
        await caller.sandbox.advance(timedelta(hours=1))
        record = await caller.track_otp(response["flowId"])
    assert ([step["status"] for step in record["steps"]], record["status"]) == (["DELIVERED", "failed"], "Succeeded")


async def test_every_recipient_of_a_step_has_a_message() -> None:
    """A ViberOtp step may name several recipients: each of them has its message in the record, and is charged."""
    first, second = "+306900000300", "306911111111"
    steps = [OTP_VIBER_STEP | {"to": [first, second]}, OTP_SMS_STEP | {"to": second}]
    async with open_caller(speed=0) as caller:
        status, response = await caller.send("sendFailoverOtp", {"flow": steps})
        assert status == 200
        await caller.sandbox.advance(timedelta(hours=1))
        record = await caller.track_otp(response["flowId"])
        for number in (first, second):
            assert await caller.sandbox.inbox.pin_for(number) == OTP_VIBER_STEP["pin"]
            listed = await caller.call(
                "listFailoverOtps", "/failover-otp/otp/failover", params={"phone_number": number.removeprefix("+")}
            )
            assert [flow["flowId"] for flow in listed[1]["results"]] == [response["flowId"]]
    assert [(step["role"], step["channel"], step["phone_number"]) for step in record["steps"]] == [
        ("primary", "viber", "306900000300"),
        ("primary", "viber", "306911111111"),
        ("failover", "sms", "306911111111"),
    ]
    assert record["total_cost"] == pytest.approx(sum(step["price"] for step in record["steps"]))
    assert {step["trackingId"] for step in record["steps"][:2]} == {response["flow"][0]["trackingId"]}
