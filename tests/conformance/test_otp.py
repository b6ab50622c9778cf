"""https://docs.routee.net/reference/send-a-failover-otp-message, line by line."""

import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest

from ..sandbox.raw_http import GONE, calling, changed
from .documented_bodies import OTP, OTP_SMS_STEP, VIBER_OTP_STEP, names, scripted

HOUR = timedelta(hours=1)


async def test_several_steps_are_in_progress() -> None:
    """A flow of several steps is InProgress: the first channel took it, and its step alone has a message token."""
    async with calling(speed=0) as caller:
        status, answer = await caller.send("sendFailoverOtp", OTP)
    assert status == 200
    assert (answer["status"], answer["type"]) == ("InProgress", "Viber")
    assert str(uuid.UUID(answer["flowId"])) == answer["flowId"]
    assert datetime.fromisoformat(answer["createdAt"]).utcoffset() == timedelta(0)
    first, second = answer["flow"]
    assert first == VIBER_OTP_STEP | {"trackingId": first["trackingId"]}
    assert second == OTP_SMS_STEP | {"trackingId": None}
    assert first["trackingId"]
    assert "error" not in answer


@pytest.mark.parametrize(("step", "channel"), [(VIBER_OTP_STEP, "Viber"), (OTP_SMS_STEP, "Sms")])
async def test_a_single_step_has_succeeded(step: dict[str, Any], channel: str) -> None:
    """A flow of one step that was accepted is Succeeded at once, and names its channel: Viber, not ViberOtp."""
    async with calling(speed=0) as caller:
        _, answer = await caller.send("sendFailoverOtp", {"flow": [step]})
    assert (answer["status"], answer["type"]) == ("Succeeded", channel)
    assert answer["flow"][0]["trackingId"]


async def test_no_channel_accepted() -> None:
    """A flow that no channel takes is answered 200 and Failed: no flowId, no type, an error, a statusCode of 0 to 3."""
    async with calling(speed=0) as caller:
        status, answer = await caller.send("sendFailoverOtp", scripted(OTP, "+306900000220"))
        assert caller.sandbox.accepted == []
    assert (status, answer["status"]) == (200, "Failed")
    assert (answer["flowId"], answer["type"]) == (None, None)
    assert answer["error"]
    assert answer["statusCode"] in {0, 1, 2, 3}
    assert type(answer["statusCode"]) is int
    table = "flowId status type flow trackingId createdAt error statusCode"
    assert set(table.split()) <= names(answer)


async def test_insufficient_balance() -> None:
    """An account without money is Failed with statusCode 1."""
    async with calling(speed=0) as caller:
        rule = {"response": {"insufficientBalance": True}}
        await caller.call("addSandboxRule", "/sandbox/rules", method="POST", json=rule)
        status, answer = await caller.send("sendFailoverOtp", OTP)
    assert (status, answer["status"], answer["statusCode"]) == (200, "Failed", 1)


@pytest.mark.parametrize(
    ("step", "required"),
    [
        (VIBER_OTP_STEP, ("type", "to", "order", "ttl", "senderInfoTrackingId", "templateId", "pin")),
        (OTP_SMS_STEP, ("type", "to", "order", "ttl", "message", "message.body")),
    ],
)
async def test_required_fields(step: dict[str, Any], required: tuple[str, ...]) -> None:
    """A required field that is missing is answered 422 and named; every other one may be left out."""
    async with calling(speed=0) as caller:
        for name in required:
            status, answer = await caller.send("sendFailoverOtp", {"flow": [changed(step, **{name: GONE})]})
            assert (status, answer["detail"][0]["loc"]) == (422, ["body", "flow", 0, *name.split(".")])
        for name in set(step) - set(required):
            assert (await caller.send("sendFailoverOtp", {"flow": [changed(step, **{name: GONE})]}))[0] == 200


@pytest.mark.parametrize(
    ("member", "passes", "refused"),
    [
        ("flow", ([VIBER_OTP_STEP], [OTP_SMS_STEP]), ([], GONE)),
        ("flow.0.type", ("ViberOtp",), ("Viber", "Voice", "sms")),
        ("flow.0.order", (1, 3), (0, 2, 1.5)),
        ("flow.0.ttl", (0, 60), (-1, 0.5)),
        ("flow.0.trackingId", (None, "token", GONE), (5,)),
        ("flow.0.pin", ("1234", "1234567890"), ("123", "12345678901", 1234)),
        ("flow.0.templateType", ("basic", "basic_5min"), ("with_business_name", "unheard_of")),
        ("flow.1.from", ("MyApp", GONE), ("x" * 12,)),
        ("flow.1.to", ("+306912345678", ["+306912345678"]), ("+0306912345678", "")),
        ("callback", ({"url": "https://example.test/otp"}, GONE), ({}, "https://example.test/otp")),
    ],
)
async def test_documented_limit(member: str, passes: tuple[Any, ...], refused: tuple[Any, ...]) -> None:
    """What the page allows is accepted, what it forbids is answered 422."""
    async with calling(speed=0) as caller:
        for value in passes:
            body = changed(OTP, **{member: value})
            assert (await caller.send("sendFailoverOtp", body))[0] == 200, value
        for value in refused:
            assert (await caller.send("sendFailoverOtp", changed(OTP, **{member: value})))[0] == 422, value


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("with_business_name", {"businessName": "MyApp"}),
        ("with_validity", {"validityOfSomeName": "5"}),
        ("with_business_and_validity_hours", {"businessName": "MyApp", "validityOfSomeName": "5"}),
    ],
)
async def test_templates_that_are_not_basic(kind: str, fields: dict[str, str]) -> None:
    """A template that is not basic needs its own fields; each of them is answered as it came."""
    step = VIBER_OTP_STEP | {"templateType": kind}
    async with calling(speed=0) as caller:
        assert (await caller.send("sendFailoverOtp", {"flow": [step]}))[0] == 422
        status, answer = await caller.send("sendFailoverOtp", {"flow": [step | fields]})
    assert status == 200
    assert answer["flow"][0].items() >= (fields | {"templateType": kind}).items()


async def test_credentials() -> None:
    """A missing Bearer token is answered 403, an invalid or expired one 401."""
    async with calling(speed=0) as caller:
        caller.headers = {}
        assert (await caller.send("sendFailoverOtp", OTP))[0] == 403
        caller.headers = {"Authorization": "Bearer 11111111-2222-4333-8444-555555555555"}
        assert (await caller.send("sendFailoverOtp", OTP))[0] == 401


async def test_tracking_by_flow_or_message() -> None:
    """A flow is tracked by its flowId or the token of a message; ttl is seconds, after which the next step is sent."""
    flow = scripted(changed(OTP, **{"flow.0.ttl": 60}), "+306900000300")
    async with calling(speed=0) as caller:
        _, answer = await caller.send("sendFailoverOtp", flow)
        await caller.sandbox.advance(timedelta(seconds=59))
        before = await caller.track_otp(answer["flowId"])
        assert (before["status"], len(before["steps"])) == ("InProgress", 1)
        await caller.sandbox.advance(HOUR)
        record = await caller.track_otp(answer["flowId"])
        assert record == await caller.track_otp(answer["flow"][0]["trackingId"])
    assert (record["status"], record["statusCode"]) == ("Succeeded", None)
    primary, failover = record["steps"]
    assert (primary["role"], primary["channel"], primary["status"]) == ("primary", "viber", "EXPIRED")
    assert (failover["role"], failover["channel"], failover["status"]) == ("failover", "sms", "delivered")
    assert {step["phone_number"] for step in record["steps"]} == {"306900000300"}
    assert failover["failover_from_message_token"] == primary["trackingId"] == answer["flow"][0]["trackingId"]
