"""https://docs.routee.net/reference/viber-otp-request, line by line."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from routee_failover.sandbox.api.tokens import ALL_ROLES

from ..sandbox.raw_http import GONE, basic, calling, changed
from .documented_bodies import VIBER_OTP, names

OPTIONAL = ("ttl", "seq", "label", "type", "templateId", "templateParams", "templateLang")


async def test_every_documented_field_is_answered() -> None:
    """The answer is the tracking record with every field of the page's table; what was sent comes back as it was."""
    async with calling(speed=0) as caller:
        status, answer = await caller.send("sendViberOtp", VIBER_OTP)
    assert status == 200
    table = """trackingId to from country status date reason applicationName direction ttl seq label type templateId
        templateParams templateLang"""
    assert set(table.split()) <= names(answer)
    assert (answer["status"]["status"], answer["direction"], answer["to"]) == ("QUEUED", "Outbound", VIBER_OTP["to"])
    assert datetime.fromisoformat(answer["status"]["date"]).utcoffset() == timedelta(0)
    assert {name: answer[name] for name in OPTIONAL} == {name: VIBER_OTP[name] for name in OPTIONAL}


@pytest.mark.parametrize("optional", OPTIONAL)
async def test_optional_fields(optional: str) -> None:
    """Only the sender and the recipient are required."""
    body = changed(VIBER_OTP, **{optional: GONE} | ({"templateId": GONE} if optional == "templateParams" else {}))
    async with calling(speed=0) as caller:
        status, answer = await caller.send("sendViberOtp", body)
    assert status == 200
    assert optional not in answer


@pytest.mark.parametrize(
    ("member", "passes", "refused"),
    [
        ("senderInfoTrackingId", ("my-sender",), (GONE, 5)),
        ("to", ("+306912345678",), (GONE, "306912345678", "06912345678", "+30 691", 5)),
        ("ttl", (30, 1_209_600), ("60", 1.5)),
        ("seq", (1, 10**12), ("7", 1.5)),
        ("label", ("transactional", "promotional"), ("login", "")),
        ("type", ("PRIMARY_ONLY", "ALL_DEVICE"), ("PRIMARY_DEVICE", "ALL_DEVICES")),
        ("templateLang", ("en", "el"), ("EN", "eng", "xx")),
        ("templateParams.pin", ("847291",), (847291,)),
        ("templateParams.pinType", ("verification", "login"), (5,)),
        ("templateParams.codeValidityTime", (5, 10, 15), ("5", 5.5)),
        ("templateParams.businessPlatformName", ("MyApp",), (5, GONE)),
        ("templateParams.businessPlatformActionName", ("logging in",), (5,)),
        ("templateParams.codeReason", ("you requested a password reset",), (5,)),
    ],
)
async def test_documented_values(member: str, passes: tuple[Any, ...], refused: tuple[Any, ...]) -> None:
    """What the table allows is accepted, what it forbids is answered 400 and names the member."""
    async with calling(speed=0) as caller:
        for value in passes:
            assert (await caller.send("sendViberOtp", changed(VIBER_OTP, **{member: value})))[0] == 200, value
        for value in refused:
            status, answer = await caller.send("sendViberOtp", changed(VIBER_OTP, **{member: value}))
            assert (status, list(answer["properties"])) == (400, [member]), value


async def test_refused_callers() -> None:
    """An invalid or expired token is answered 401, a token without the role 403."""
    async with calling(speed=0) as caller:
        for headers in ({"Authorization": "Bearer 11111111-2222-4333-8444-555555555555"}, {}, basic()):
            caller.headers = headers
            assert (await caller.send("sendViberOtp", VIBER_OTP))[0] == 401
    async with calling(speed=0, roles=[role for role in ALL_ROLES if role != "MT_ROLE_VIBER"]) as caller:
        assert (await caller.send("sendViberOtp", VIBER_OTP))[0] == 403


async def test_unknown_sender() -> None:
    """A sender that nobody knows is answered 404."""
    async with calling(speed=0) as caller:
        assert (await caller.send("sendViberOtp", VIBER_OTP | {"senderInfoTrackingId": "unknown"}))[0] == 404


async def test_status_checks() -> None:
    """The trackingId serves for status checks; ttl is in seconds."""
    async with calling(speed=0) as caller:
        _, answer = await caller.send("sendViberOtp", VIBER_OTP | {"to": "+306900000300"})
        path = f"/viber/tracking/{answer['trackingId']}"
        for seconds, name in ((59, "QUEUED"), (1, "EXPIRED")):
            await caller.sandbox.advance(timedelta(seconds=seconds))
            _, record = await caller.call("trackViber", path)
            assert record["status"]["status"] == name
    assert record["trackingId"] == answer["trackingId"]
