"""https://docs.routee.net/reference/viber-otp-request, line by line."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from routee_failover.sandbox.api.tokens import ALL_ROLES

from ..sandbox.raw_http import REMOVED, basic, open_caller, with_changes
from .documented_bodies import VIBER_OTP, names

OPTIONAL = ("ttl", "seq", "label", "type", "templateId", "templateParams", "templateLang")


async def test_response_has_every_documented_field() -> None:
    """The response is the tracking record with every field of the page's table; what was sent is returned unchanged."""
    async with open_caller(speed=0) as caller:
        status, response = await caller.send("sendViberOtp", VIBER_OTP)
    assert status == 200
    table = """trackingId to from country status date reason applicationName direction ttl seq label type templateId
        templateParams templateLang"""
    assert set(table.split()) <= names(response)
    assert (response["status"]["status"], response["direction"], response["to"]) == (
        "QUEUED",
        "Outbound",
        VIBER_OTP["to"],
    )
    assert datetime.fromisoformat(response["status"]["date"]).utcoffset() == timedelta(0)
    assert {name: response[name] for name in OPTIONAL} == {name: VIBER_OTP[name] for name in OPTIONAL}


@pytest.mark.parametrize("optional", OPTIONAL)
async def test_optional_field_may_be_omitted(optional: str) -> None:
    """Only the sender and the recipient are required."""
    body = with_changes(
        VIBER_OTP, **{optional: REMOVED} | ({"templateId": REMOVED} if optional == "templateParams" else {})
    )
    async with open_caller(speed=0) as caller:
        status, response = await caller.send("sendViberOtp", body)
    assert status == 200
    assert optional not in response


@pytest.mark.parametrize(
    ("member", "accepted", "rejected"),
    [
        ("senderInfoTrackingId", ("my-sender",), (REMOVED, 5)),
        ("to", ("+306912345678",), (REMOVED, "306912345678", "06912345678", "+30 691", 5)),
        ("ttl", (30, 1_209_600), ("60", 1.5)),
        ("seq", (1, 10**12), ("7", 1.5)),
        ("label", ("transactional", "promotional"), ("login", "")),
        ("type", ("PRIMARY_ONLY", "ALL_DEVICE"), ("PRIMARY_DEVICE", "ALL_DEVICES")),
        ("templateLang", ("en", "el", "hu"), ("", 7)),
        ("templateParams.pin", ("847291",), (847291,)),
        ("templateParams.pinType", ("verification", "login"), (5,)),
        ("templateParams.codeValidityTime", (5, 10, 15), ("5", 5.5)),
        ("templateParams.businessPlatformName", ("MyApp",), (5, REMOVED)),
        ("templateParams.businessPlatformActionName", ("logging in",), (5,)),
        ("templateParams.codeReason", ("you requested a password reset",), (5,)),
    ],
)
async def test_values_outside_the_documented_ones_get_400(
    member: str, accepted: tuple[Any, ...], rejected: tuple[Any, ...]
) -> None:
    """What the table allows is accepted; what it forbids gets 400 and names the member."""
    async with open_caller(speed=0) as caller:
        for value in accepted:
            assert (await caller.send("sendViberOtp", with_changes(VIBER_OTP, **{member: value})))[0] == 200, value
        for value in rejected:
            status, response = await caller.send("sendViberOtp", with_changes(VIBER_OTP, **{member: value}))
            assert (status, list(response["properties"])) == (400, [member]), value


async def test_invalid_token_gets_401_and_missing_role_403() -> None:
    """An invalid or expired token gets 401, a token without the role 403."""
    async with open_caller(speed=0) as caller:
        for headers in ({"Authorization": "Bearer 11111111-2222-4333-8444-555555555555"}, {}, basic()):
            caller.headers = headers
            assert (await caller.send("sendViberOtp", VIBER_OTP))[0] == 401
    async with open_caller(speed=0, roles=[role for role in ALL_ROLES if role != "MT_ROLE_VIBER"]) as caller:
        assert (await caller.send("sendViberOtp", VIBER_OTP))[0] == 403


async def test_unknown_sender_gets_404() -> None:
    """A sender that does not exist gets 404."""
    async with open_caller(speed=0) as caller:
        assert (await caller.send("sendViberOtp", VIBER_OTP | {"senderInfoTrackingId": "unknown"}))[0] == 404


async def test_tracking_reports_expiry_after_ttl_seconds() -> None:
    """The trackingId serves for status checks; ttl is in seconds."""
    async with open_caller(speed=0) as caller:
        _, response = await caller.send("sendViberOtp", VIBER_OTP | {"to": "+306900000300"})
        path = f"/viber/tracking/{response['trackingId']}"
        for seconds, name in ((59, "QUEUED"), (1, "EXPIRED")):
            await caller.sandbox.advance(timedelta(seconds=seconds))
            _, record = await caller.call("trackViber", path)
            assert record["status"]["status"] == name
    assert record["trackingId"] == response["trackingId"]
