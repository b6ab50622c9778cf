"""Failover OTP, Viber OTP and the balance through raw HTTP."""

from typing import Any

import pytest

from ..raw_http import FAST, GONE, OTP, OTP_SMS_STEP, OTP_VIBER_STEP, SENDER, VIBER_OTP, Caller, calling, changed


def to(digits: str, *steps: dict[str, Any]) -> dict[str, Any]:
    """An OTP flow to the number that scripts these digits."""
    return {"flow": [step | {"to": f"306900000{digits}"} for step in steps or (OTP_VIBER_STEP, OTP_SMS_STEP)]}


async def test_several_steps() -> None:
    """Several steps are answered InProgress, Viber for a ViberOtp step, and a trackingId on the one that was sent."""
    async with calling() as caller:
        status, answer = await caller.send("sendFailoverOtp", OTP)
    assert (status, answer["status"], answer["type"]) == (200, "InProgress", "Viber")
    first, second = answer["flow"]
    assert first == OTP_VIBER_STEP | {"trackingId": first["trackingId"]}
    assert isinstance(first["trackingId"], str)
    assert second == OTP_SMS_STEP | {"trackingId": None}
    assert "error" not in answer


async def test_single_step() -> None:
    """A single step is answered Succeeded at once, which means accepted: its record is still InProgress."""
    async with calling() as caller:
        _, answer = await caller.send("sendFailoverOtp", {"flow": [OTP_SMS_STEP]})
        assert (answer["status"], answer["type"]) == ("Succeeded", "Sms")
        assert (await caller.track_otp(answer["flowId"]))["status"] == "InProgress"


async def test_sms_first() -> None:
    """The SMS may come first: the step of the lowest order is the one that was sent."""
    async with calling() as caller:
        body = {"flow": [OTP_VIBER_STEP | {"order": 2}, OTP_SMS_STEP | {"order": 1}]}
        _, answer = await caller.send("sendFailoverOtp", body)
    assert answer["type"] == "Sms"
    assert [step["trackingId"] is None for step in answer["flow"]] == [True, False]


@pytest.mark.parametrize("body", [to("220"), to("200", OTP_VIBER_STEP), to("020", OTP_SMS_STEP)])
async def test_no_channel_accepts(body: dict[str, Any]) -> None:
    """When every channel refuses, the answer is 200 with Failed, no flowId, statusCode 2 and an error."""
    async with calling() as caller:
        status, answer = await caller.send("sendFailoverOtp", body)
        assert (status, answer["status"], answer["statusCode"]) == (200, "Failed", 2)
        assert answer["flowId"] is None
        assert answer["type"] is None
        assert all(step["trackingId"] is None for step in answer["flow"])
        assert answer["error"]
        assert caller.sandbox.accepted == []
        assert (caller.sandbox.counts.accepted, caller.sandbox.counts.rejected) == (0, 1)


async def test_failover_record() -> None:
    """The record mixes its casings as documented: viber upper, sms lower, snake and camel case; no plus on numbers."""
    steps = (OTP_VIBER_STEP, OTP_SMS_STEP)
    async with calling(speed=FAST) as caller:
        _, answer = await caller.send("sendFailoverOtp", to("300", *steps))
        record = await caller.otp_ended(answer["flowId"])
    assert (record["status"], record["statusCode"], record["total_cost"]) == ("Succeeded", None, 0.04)
    primary, failover = record["steps"]
    assert (primary["role"], primary["channel"], primary["status"]) == ("primary", "viber", "EXPIRED")
    assert (failover["role"], failover["channel"], failover["status"]) == ("failover", "sms", "delivered")
    assert primary["trackingId"] == answer["flow"][0]["trackingId"]
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
async def test_played_out(digits: str, status: str, code: int | None, last: list[str]) -> None:
    """Expired, failed and undelivered start the next step; statusCode is a number here."""
    async with calling(speed=FAST) as caller:
        _, answer = await caller.send("sendFailoverOtp", to(digits))
        record = await caller.otp_ended(answer["flowId"])
    assert (record["status"], record["statusCode"]) == (status, code)
    assert [step["status"] for step in record["steps"]] == last


async def test_ttl_without_end() -> None:
    """A ttl of any size is accepted: Routee documents no upper bound."""
    async with calling() as caller:
        body = to("300", OTP_VIBER_STEP | {"ttl": 10**400}, OTP_SMS_STEP)
        _, answer = await caller.send("sendFailoverOtp", body)
        record = await caller.track_otp(answer["flowId"])
        assert [step["status"] for step in record["steps"]] == ["QUEUED"]
        _, answer = await caller.send("sendViberOtp", VIBER_OTP | {"ttl": 10**400})
        assert answer["ttl"] == 10**400


async def test_track_by_message() -> None:
    """A flow is found by any of its message tokens, once that message was sent."""
    async with calling(speed=FAST) as caller:
        _, answer = await caller.send("sendFailoverOtp", to("300"))
        record = await caller.otp_ended(answer["flowId"])
        for step in record["steps"]:
            assert await caller.track_otp(step["trackingId"]) == record
    async with calling() as caller:
        _, answer = await caller.send("sendFailoverOtp", to("300"))
        later = caller.sandbox.accepted[0].message_ids[1]
        status, answer = await caller.call("trackFailoverOtp", f"/failover-otp/otp/failover/{later}")
        assert (status, answer) == (404, {"detail": "Flow not found"})


async def test_unknown_flow() -> None:
    """An id that nobody was given, or one of another service, is answered 404."""
    async with calling() as caller:
        _, viber = await caller.send("sendViberOtp", VIBER_OTP)
        _, otp = await caller.send("sendFailoverOtp", OTP)
        for wrong in ("nobody", viber["trackingId"]):
            assert (await caller.call("trackFailoverOtp", f"/failover-otp/otp/failover/{wrong}"))[0] == 404
        for wrong in ("nobody", otp["flowId"], otp["flow"][0]["trackingId"]):
            status, answer = await caller.call("trackViber", f"/viber/tracking/{wrong}")
            assert (status, answer["code"]) == (404, "404019006")


async def _listed(caller: Caller, **query: str) -> tuple[int, list[str]]:
    status, found = await caller.call("listFailoverOtps", "/failover-otp/otp/failover", params=query)
    assert status == 200, found
    return found["total"], [record["steps"][0]["phone_number"] for record in found["results"]]


async def test_list() -> None:
    """The list is filtered by status, tag, number and flow, and paged by limit and offset."""
    async with calling() as caller:
        ids: list[str] = []
        for digits, label in (("000", "a"), ("100", "b"), ("000", "b")):
            body = changed(to(digits), **{"flow.0.label": label, "flow.1.to": [f"+306900000{digits}"]})
            ids.append((await caller.send("sendFailoverOtp", body))[1]["flowId"])
        one, two = "306900000000", "306900000100"
        assert await _listed(caller) == (3, [one, two, one])
        assert await _listed(caller, status="InProgress") == (3, [one, two, one])
        assert await _listed(caller, status="Failed") == (0, [])
        assert await _listed(caller, tag="b") == (2, [two, one])
        assert await _listed(caller, phone_number="+" + two) == (1, [two])
        assert await _listed(caller, phone_number=one, tag="b") == (1, [one])
        both = changed(to("000"), **{"flow.0.to": "+306900000000", "flow.1.to": ["+306900000000", "+306911111111"]})
        await caller.send("sendFailoverOtp", both)
        assert await _listed(caller, phone_number="306911111111") == (1, [one])
        assert await _listed(caller, flow_id=ids[1]) == (1, [two])
        assert await _listed(caller, limit="1", offset="1") == (4, [two])
        assert await _listed(caller, offset="7") == (4, [])


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "x"}, {"offset": "-1"}])
async def test_wrong_list(query: dict[str, str]) -> None:
    """A limit or offset that cannot be is answered 422 at the query's member."""
    async with calling() as caller:
        status, answer = await caller.call("listFailoverOtps", "/failover-otp/otp/failover", params=query)
    assert (status, answer["detail"][0]["loc"]) == (422, ["query", *query])


async def test_service() -> None:
    """The service tells about itself and its health without a token, and lists the nine templates with one."""
    async with calling() as caller:
        _, templates = await caller.call("listOtpTemplates", "/failover-otp/otp/templates")
        assert len({template["templateId"] for template in templates}) == 9
        caller.headers = {}
        _, about = await caller.call("getOtpService", "/failover-otp")
        assert await caller.call("getOtpHealth", about["health"]) == (200, {"status": "ok"})


async def test_viber_otp() -> None:
    """A Viber OTP is answered with its record: QUEUED at first, and what was sent."""
    async with calling() as caller:
        status, answer = await caller.send("sendViberOtp", VIBER_OTP)
    assert status == 200
    assert (answer["status"]["status"], answer["direction"], answer["country"]) == ("QUEUED", "Outbound", "GR")
    assert {name: answer[name] for name in VIBER_OTP if name != "senderInfoTrackingId"} == {
        name: value for name, value in VIBER_OTP.items() if name != "senderInfoTrackingId"
    }


@pytest.mark.parametrize(("digit", "last"), list(enumerate(["DELIVERED", "UNDELIVERED", "FAILED", "EXPIRED", "SEEN"])))
async def test_viber_tracking(digit: int, last: str) -> None:
    """A Viber OTP reaches the status that its number scripts."""
    async with calling(speed=FAST * 1000) as caller:
        body = {"senderInfoTrackingId": SENDER, "to": f"+306900000{digit}00"}
        _, answer = await caller.send("sendViberOtp", body)
        while True:
            _, record = await caller.call("trackViber", f"/viber/tracking/{answer['trackingId']}")
            if record["status"]["status"] == last:
                break
    assert record["to"] == body["to"]
    assert "ttl" not in record


async def test_viber_otp_minimum() -> None:
    """A Viber OTP needs no more than a sender and a recipient; the answer invents nothing beside them."""
    async with calling() as caller:
        _, answer = await caller.send("sendViberOtp", {"senderInfoTrackingId": SENDER, "to": "+447700900000"})
        assert {"ttl", "seq", "country", "templateId"}.isdisjoint(answer)
        _, answer = await caller.send("sendViberOtp", changed(VIBER_OTP, seq=GONE))
        assert "seq" not in answer
        _, record = await caller.call("trackViber", f"/viber/tracking/{answer['trackingId']}")
        assert record["ttl"] == VIBER_OTP["ttl"]


async def test_unknown_viber_sender() -> None:
    """A Viber sender whose id begins with `unknown` is answered 404."""
    async with calling() as caller:
        status, answer = await caller.send("sendViberOtp", VIBER_OTP | {"senderInfoTrackingId": "unknown"})
    assert (status, answer["property"]) == (404, "senderInfoTrackingId")


async def test_balance() -> None:
    """The balance is a number with a currency."""
    async with calling() as caller:
        status, answer = await caller.call("getBalance", "/accounts/me/balance")
    assert (status, answer["currency"]["code"]) == (200, "EUR")


async def test_otp_country() -> None:
    """A number of a country that the sandbox does not know shows none."""
    async with calling() as caller:
        _, answer = await caller.send("sendFailoverOtp", {"flow": [OTP_SMS_STEP | {"to": "+447700900000"}]})
        (step,) = (await caller.track_otp(answer["flowId"]))["steps"]
    assert "country" not in step
