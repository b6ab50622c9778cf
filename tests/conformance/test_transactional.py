"""https://docs.routee.net/reference/send-a-transactional-failover-message, line by line."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from routee_failover.sandbox.api.tokens import ALL_ROLES

from ..sandbox.raw_http import GONE, calling, changed
from .documented_bodies import PIN, SMS, TEMPLATE, TRANSACTIONAL, VIBER, VIBER_FILE, VOICE, names, scripted

BASIC_OTP = "0aac888f-2ee2-4112-9659-1755a951966a"


async def test_every_documented_parameter_is_answered() -> None:
    """The answer holds every key of the page's table and echoes the template fields, `seq` among them."""
    async with calling(speed=0) as caller:
        status, answer = await caller.send("sendTransactionalFailover", TRANSACTIONAL)
    assert status == 200
    table = """trackingId flowKind type from to ttl order failoverOnStatuses message body flash label transcode
        dialPlans verbs senderInfoTrackingId templateId templateLang templateParams deliveryScope seq inboundUrl
        callback strategy url createdAt urlShortener"""
    assert set(table.split()) <= names(answer)
    assert answer["flowKind"] == "transactional"
    assert answer["flow"] == TRANSACTIONAL["flow"]
    assert datetime.fromisoformat(answer["createdAt"]).utcoffset() == timedelta(0)


@pytest.mark.parametrize("seq", [42, 0, GONE])
async def test_seq_is_always_present(seq: Any) -> None:
    """`seq` is the client's, or one that was generated."""
    async with calling(speed=0) as caller:
        _, answer = await caller.send("sendTransactionalFailover", changed(TRANSACTIONAL, **{"flow.0.seq": seq}))
    given = answer["flow"][0]["seq"]
    assert isinstance(given, int)
    assert seq is GONE or given == seq


@pytest.mark.parametrize("missing", ["templateId", "templateLang", "senderInfoTrackingId", "to"])
async def test_required_fields(missing: str) -> None:
    """A Viber step needs its template, the template's language, a sender and a recipient."""
    async with calling(speed=0) as caller:
        body = changed(TRANSACTIONAL, **{f"flow.0.{missing}": GONE})
        status, answer = await caller.send("sendTransactionalFailover", body)
    assert (status, answer["properties"]) == (400, {f"flow[0].{missing}": "is required"})


@pytest.mark.parametrize(
    "optional", ["templateParams", "deliveryScope", "seq", "inboundUrl", "ttl", "failoverOnStatuses"]
)
async def test_optional_fields(optional: str) -> None:
    """The rest of a Viber step may be left out."""
    async with calling(speed=0) as caller:
        body = changed(TRANSACTIONAL, **{f"flow.0.{optional}": GONE})
        assert (await caller.send("sendTransactionalFailover", body))[0] == 200


@pytest.mark.parametrize(
    ("promotional", "place"),
    [
        ({"message": VIBER["message"]}, "message"),
        ({"message": {"text": "50% off"}}, "message"),
        ({"message": {"imageUrl": "https://example.test/i.png"}}, "message"),
        ({"message": {"action": VIBER["message"]["action"]}}, "message"),
        ({"message": VIBER_FILE["message"]}, "message"),
        ({"label": "sale"}, "label"),
    ],
)
async def test_free_form_content_is_refused(promotional: dict[str, Any], place: str) -> None:
    """Promotional fields and a client's label on a Viber step are refused with 400."""
    async with calling(speed=0) as caller:
        status, answer = await caller.send("sendTransactionalFailover", {"flow": [TEMPLATE | promotional, SMS]})
    assert (status, list(answer["properties"])) == (400, [f"flow[0].{place}"])


async def test_an_sms_may_have_a_label() -> None:
    """The label is refused on Viber steps only; an SMS has one of at most 350 characters."""
    async with calling(speed=0) as caller:
        for length, expected in ((350, 200), (351, 400)):
            body = changed(TRANSACTIONAL, **{"flow.1.message.label": "x" * length})
            assert (await caller.send("sendTransactionalFailover", body))[0] == expected


@pytest.mark.parametrize(
    ("member", "passes", "refused"),
    [
        ("flow.0.ttl", (0.5, 1440.0, 10, 2.3), (0.4, 1440.1, 0.25)),
        ("flow.1.ttl", (1, 1440), (0, 1441, 2.5)),
        ("flow.0.deliveryScope", ("PRIMARY_DEVICE", "ALL_DEVICES"), ("PRIMARY_ONLY", "ALL_DEVICE")),
        ("flow.0.failoverOnStatuses", (["expired"], ["Undelivered", "FAILED"]), (["Busy"],)),
        ("flow.2.failoverOnStatuses", (["busy"], ["NoAnswer"]), (["Expired"],)),
        ("callback.strategy", ("OnStep", "OnCompletion"), ("OnChange",)),
    ],
)
async def test_documented_limit(member: str, passes: tuple[Any, ...], refused: tuple[Any, ...]) -> None:
    """What the table allows is accepted, what it forbids is answered 400."""
    async with calling(speed=0) as caller:
        for value in passes:
            assert (await caller.send("sendTransactionalFailover", changed(TRANSACTIONAL, **{member: value})))[0] == 200
        for value in refused:
            assert (await caller.send("sendTransactionalFailover", changed(TRANSACTIONAL, **{member: value})))[0] == 400


async def test_default_ttls() -> None:
    """Without a ttl an SMS lives 1200 minutes and a Viber message 10."""
    flow = {"flow": [changed(TEMPLATE, ttl=GONE), changed(SMS, ttl=GONE)]}
    async with calling(speed=0) as caller:
        _, answer = await caller.send("sendTransactionalFailover", scripted(flow, "+306900000330"))
        await caller.sandbox.advance(timedelta(minutes=1300))
        record = await caller.track(answer["trackingId"])
    viber, sms = record["messages"]
    assert (viber["ttl"], sms["ttl"]) == (10, 1200)
    for message, minutes in ((viber, 10), (sms, 1200)):
        lived = datetime.fromisoformat(message["status"]["updatedDate"]) - datetime.fromisoformat(message["createdAt"])
        assert lived == timedelta(minutes=minutes)


async def test_otp_templates_require_a_pin() -> None:
    """A template for one-time passwords needs `pin` among its parameters."""
    async with calling(speed=0) as caller:
        body = changed(TRANSACTIONAL, **{"flow.0.templateId": BASIC_OTP})
        status, answer = await caller.send("sendTransactionalFailover", body)
        assert (status, list(answer["properties"])) == (400, ["flow[0].templateParams.pin"])
        body = changed(body, **{"flow.0.templateParams": {"pin": PIN}})
        assert (await caller.send("sendTransactionalFailover", body))[0] == 200


@pytest.mark.parametrize(
    "flow", [[TEMPLATE], [SMS], [VOICE], [TEMPLATE, SMS], [TEMPLATE, VOICE], [TEMPLATE, SMS, VOICE]]
)
async def test_allowed_steps(flow: list[dict[str, Any]]) -> None:
    """Allowed step types are Sms, Viber by template, and Voice; only `flow` is required."""
    async with calling(speed=0) as caller:
        assert (await caller.send("sendTransactionalFailover", {"flow": flow}))[0] == 200
        status, _ = await caller.send("sendTransactionalFailover", {"callback": TRANSACTIONAL["callback"]})
        assert status == 400


async def test_insufficient_balance() -> None:
    """Business rules are refused with 400, too: an account that has no money left is one."""
    async with calling(speed=0) as caller:
        rule = {"response": {"insufficientBalance": True}}
        assert (await caller.call("addSandboxRule", "/sandbox/rules", method="POST", json=rule))[0] == 200
        status, answer = await caller.send("sendTransactionalFailover", TRANSACTIONAL)
        assert (status, set(answer)) == (400, {"code", "developerMessage"})
        assert caller.sandbox.accepted == []


@pytest.mark.parametrize("missing", ["MT_ROLE_FAILOVER", "MT_ROLE_VIBER", "MT_ROLE_SMS", "MT_ROLE_VOICE"])
async def test_missing_role(missing: str) -> None:
    """A token without the service's role, or without that of a channel, is answered 403."""
    async with calling(speed=0, roles=[role for role in ALL_ROLES if role != missing]) as caller:
        assert (await caller.send("sendTransactionalFailover", TRANSACTIONAL))[0] == 403


async def test_unknown_sender() -> None:
    """An unknown sender is answered 404."""
    async with calling(speed=0) as caller:
        body = changed(TRANSACTIONAL, **{"flow.0.senderInfoTrackingId": "unknown"})
        assert (await caller.send("sendTransactionalFailover", body))[0] == 404
