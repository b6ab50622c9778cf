"""https://docs.routee.net/reference/send-a-failover-otp-message, line by line."""

import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest

from ..sandbox.raw_http import REMOVED, open_caller, with_changes
from .documented_bodies import OTP, OTP_SMS_STEP, VIBER_OTP_STEP, names, scripted

HOUR = timedelta(hours=1)


async def test_flow_of_several_steps_is_in_progress() -> None:
    """A flow of several steps is InProgress: the first channel accepted it, and only that step has a message token."""
    async with open_caller(speed=0) as caller:
        status, response = await caller.send("sendFailoverOtp", OTP)
    assert status == 200
    assert (response["status"], response["type"]) == ("InProgress", "Viber")
    assert str(uuid.UUID(response["flowId"])) == response["flowId"]
    assert datetime.fromisoformat(response["createdAt"]).utcoffset() == timedelta(0)
    first, second = response["flow"]
    assert first == VIBER_OTP_STEP | {"trackingId": first["trackingId"]}
    assert second == OTP_SMS_STEP | {"trackingId": None}
    assert first["trackingId"]
    assert "error" not in response


@pytest.mark.parametrize(("step", "channel"), [(VIBER_OTP_STEP, "Viber"), (OTP_SMS_STEP, "Sms")])
async def test_flow_of_one_step_has_succeeded_at_once(step: dict[str, Any], channel: str) -> None:
    """A flow of one step that was accepted is Succeeded at once, and names its channel: Viber, not ViberOtp."""
    async with open_caller(speed=0) as caller:
        _, response = await caller.send("sendFailoverOtp", {"flow": [step]})
    assert (response["status"], response["type"]) == ("Succeeded", channel)
    assert response["flow"][0]["trackingId"]


async def test_flow_without_accepting_channel_fails_with_status_200() -> None:
    """A flow that no channel accepts gets 200 and Failed: no flowId, no type, an error, a statusCode of 0 to 3."""
    async with open_caller(speed=0) as caller:
        status, response = await caller.send("sendFailoverOtp", scripted(OTP, "+306900000220"))
        assert caller.sandbox.accepted == []
    assert (status, response["status"]) == (200, "Failed")
    assert (response["flowId"], response["type"]) == (None, None)
    assert response["error"]
    assert response["statusCode"] in {0, 1, 2, 3}
    assert type(response["statusCode"]) is int
    table = "flowId status type flow trackingId createdAt error statusCode"
    assert set(table.split()) <= names(response)


async def test_insufficient_balance_fails_with_status_code_1() -> None:
    """An account without money gets Failed with statusCode 1."""
    async with open_caller(speed=0) as caller:
        rule = {"response": {"insufficientBalance": True}}
        await caller.call("addSandboxRule", "/sandbox/rules", method="POST", json=rule)
        status, response = await caller.send("sendFailoverOtp", OTP)
    assert (status, response["status"], response["statusCode"]) == (200, "Failed", 1)


@pytest.mark.parametrize(
    ("step", "required"),
    [
        (VIBER_OTP_STEP, ("type", "to", "order", "ttl", "senderInfoTrackingId", "templateId", "pin")),
        (OTP_SMS_STEP, ("type", "to", "order", "ttl", "message", "message.body")),
    ],
)
async def test_missing_required_field_gets_422(step: dict[str, Any], required: tuple[str, ...]) -> None:
    """A required field that is missing gets 422 and is named; every other one may be omitted."""
    async with open_caller(speed=0) as caller:
        for name in required:
            status, response = await caller.send("sendFailoverOtp", {"flow": [with_changes(step, **{name: REMOVED})]})
            assert (status, response["detail"][0]["loc"]) == (422, ["body", "flow", 0, *name.split(".")])
        for name in set(step) - set(required):
            assert (await caller.send("sendFailoverOtp", {"flow": [with_changes(step, **{name: REMOVED})]}))[0] == 200


@pytest.mark.parametrize(
    ("member", "accepted", "rejected"),
    [
        ("flow", ([VIBER_OTP_STEP], [OTP_SMS_STEP]), ([], REMOVED)),
        ("flow.0.type", ("ViberOtp",), ("Viber", "Voice", "sms")),
        ("flow.0.order", (1, 3), (0, 2, 1.5)),
        ("flow.0.ttl", (0, 60), (-1, 0.5)),
        ("flow.0.trackingId", (None, "token", REMOVED), (5,)),
        ("flow.0.pin", ("1234", "1234567890"), ("123", "12345678901", 1234)),
        ("flow.0.templateType", ("basic", "basic_5min", "unheard_of"), ("with_business_name", "")),
        ("flow.1.from", ("MyApp", REMOVED), ("x" * 12,)),
        ("flow.1.to", ("+306912345678", ["+306912345678"]), ("+0306912345678", "")),
        ("callback", ({"url": "https://example.test/otp"}, REMOVED), ({}, "https://example.test/otp")),
    ],
)
async def test_values_past_a_documented_limit_get_422(
    member: str, accepted: tuple[Any, ...], rejected: tuple[Any, ...]
) -> None:
    """What the page allows is accepted; what it forbids gets 422."""
    async with open_caller(speed=0) as caller:
        for value in accepted:
            body = with_changes(OTP, **{member: value})
            assert (await caller.send("sendFailoverOtp", body))[0] == 200, value
        for value in rejected:
            assert (await caller.send("sendFailoverOtp", with_changes(OTP, **{member: value})))[0] == 422, value


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("with_business_name", {"businessName": "MyApp"}),
        ("with_validity", {"validityOfSomeName": "5"}),
        ("with_business_and_validity_hours", {"businessName": "MyApp", "validityOfSomeName": "5"}),
    ],
)
async def test_template_type_requires_its_fields_and_echoes_them(kind: str, fields: dict[str, str]) -> None:
    """A template that is not basic needs its own fields; each of them is returned as it was sent."""
    step = VIBER_OTP_STEP | {"templateType": kind}
    async with open_caller(speed=0) as caller:
        assert (await caller.send("sendFailoverOtp", {"flow": [step]}))[0] == 422
        status, response = await caller.send("sendFailoverOtp", {"flow": [step | fields]})
    assert status == 200
    assert response["flow"][0].items() >= (fields | {"templateType": kind}).items()


async def test_missing_token_gets_403_and_invalid_token_401() -> None:
    """A missing Bearer token gets 403, an invalid or expired one 401."""
    async with open_caller(speed=0) as caller:
        caller.headers = {}
        assert (await caller.send("sendFailoverOtp", OTP))[0] == 403
        caller.headers = {"Authorization": "Bearer 11111111-2222-4333-8444-555555555555"}
        assert (await caller.send("sendFailoverOtp", OTP))[0] == 401


async def test_flow_is_tracked_by_flow_id_and_message_token() -> None:
    """A flow is tracked by its flowId or a message token; ttl is in seconds, after which the next step is sent."""
    flow = scripted(with_changes(OTP, **{"flow.0.ttl": 60}), "+306900000300")
    async with open_caller(speed=0) as caller:
        _, response = await caller.send("sendFailoverOtp", flow)
        await caller.sandbox.advance(timedelta(seconds=59))
        before = await caller.track_otp(response["flowId"])
        assert (before["status"], len(before["steps"])) == ("InProgress", 1)
        await caller.sandbox.advance(HOUR)
        record = await caller.track_otp(response["flowId"])
        assert record == await caller.track_otp(response["flow"][0]["trackingId"])
    assert (record["status"], record["statusCode"]) == ("Succeeded", None)
    primary, failover = record["steps"]
    assert (primary["role"], primary["channel"], primary["status"]) == ("primary", "viber", "EXPIRED")
    assert (failover["role"], failover["channel"], failover["status"]) == ("failover", "sms", "delivered")
    assert {step["phone_number"] for step in record["steps"]} == {"306900000300"}
    assert failover["failover_from_message_token"] == primary["trackingId"] == response["flow"][0]["trackingId"]
