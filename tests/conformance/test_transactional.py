"""https://docs.routee.net/reference/send-a-transactional-failover-message, line by line."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from routee_failover.sandbox.api.tokens import ALL_ROLES

from ..sandbox.raw_http import REMOVED, open_caller, with_changes
from .documented_bodies import PIN, SMS, TEMPLATE, TRANSACTIONAL, VIBER, VIBER_FILE, VOICE, names, scripted

BASIC_OTP = "0aac888f-2ee2-4112-9659-1755a951966a"


async def test_response_has_every_documented_member() -> None:
    """The response holds every key of the page's table and echoes the template fields, `seq` among them."""
    async with open_caller(speed=0) as caller:
        status, response = await caller.send("sendTransactionalFailover", TRANSACTIONAL)
    assert status == 200
    table = """trackingId flowKind type from to ttl order failoverOnStatuses message body flash label transcode
        dialPlans verbs senderInfoTrackingId templateId templateLang templateParams deliveryScope seq inboundUrl
        callback strategy url createdAt urlShortener"""
    assert set(table.split()) <= names(response)
    assert response["flowKind"] == "transactional"
    assert response["flow"] == TRANSACTIONAL["flow"]
    assert datetime.fromisoformat(response["createdAt"]).utcoffset() == timedelta(0)


@pytest.mark.parametrize("seq", [42, 0, REMOVED])
async def test_seq_is_echoed_or_generated(seq: Any) -> None:
    """`seq` is the client's, or one that was generated."""
    async with open_caller(speed=0) as caller:
        _, response = await caller.send("sendTransactionalFailover", with_changes(TRANSACTIONAL, **{"flow.0.seq": seq}))
    value = response["flow"][0]["seq"]
    assert isinstance(value, int)
    assert seq is REMOVED or value == seq


@pytest.mark.parametrize("missing", ["templateId", "templateLang", "senderInfoTrackingId", "to"])
async def test_missing_required_field_gets_400(missing: str) -> None:
    """A Viber step needs its template, the template's language, a sender and a recipient."""
    async with open_caller(speed=0) as caller:
        body = with_changes(TRANSACTIONAL, **{f"flow.0.{missing}": REMOVED})
        status, response = await caller.send("sendTransactionalFailover", body)
    assert (status, response["properties"]) == (400, {f"flow[0].{missing}": "is required"})


@pytest.mark.parametrize(
    "optional", ["templateParams", "deliveryScope", "seq", "inboundUrl", "ttl", "failoverOnStatuses"]
)
async def test_optional_field_may_be_omitted(optional: str) -> None:
    """The other members of a Viber step may be omitted."""
    async with open_caller(speed=0) as caller:
        body = with_changes(TRANSACTIONAL, **{f"flow.0.{optional}": REMOVED})
        assert (await caller.send("sendTransactionalFailover", body))[0] == 200


@pytest.mark.parametrize(
    ("promotional", "field"),
    [
        ({"message": VIBER["message"]}, "message"),
        ({"message": {"text": "50% off"}}, "message"),
        ({"message": {"imageUrl": "https://example.test/i.png"}}, "message"),
        ({"message": {"action": VIBER["message"]["action"]}}, "message"),
        ({"message": VIBER_FILE["message"]}, "message"),
        ({"label": "sale"}, "label"),
    ],
)
async def test_promotional_content_on_a_viber_step_gets_400(promotional: dict[str, Any], field: str) -> None:
    """Promotional fields and a client's label on a Viber step get 400."""
    async with open_caller(speed=0) as caller:
        status, response = await caller.send("sendTransactionalFailover", {"flow": [TEMPLATE | promotional, SMS]})
    assert (status, list(response["properties"])) == (400, [f"flow[0].{field}"])


async def test_sms_label_may_have_350_characters() -> None:
    """The label is rejected on Viber steps only; an SMS has one of at most 350 characters."""
    async with open_caller(speed=0) as caller:
        for length, expected in ((350, 200), (351, 400)):
            body = with_changes(TRANSACTIONAL, **{"flow.1.message.label": "x" * length})
            assert (await caller.send("sendTransactionalFailover", body))[0] == expected


@pytest.mark.parametrize(
    ("member", "accepted", "rejected"),
    [
        ("flow.0.ttl", (0.5, 1440.0, 10, 2.3), (0.4, 1440.1, 0.25)),
        ("flow.1.ttl", (1, 1440), (0, 1441, 2.5)),
        ("flow.0.deliveryScope", ("PRIMARY_DEVICE", "ALL_DEVICES"), ("PRIMARY_ONLY", "ALL_DEVICE")),
        ("flow.0.failoverOnStatuses", (["expired"], ["Undelivered", "FAILED"]), (["Busy"],)),
        ("flow.2.failoverOnStatuses", (["busy"], ["NoAnswer"]), (["Expired"],)),
        ("callback.strategy", ("OnStep", "OnCompletion"), ("OnChange",)),
    ],
)
async def test_values_past_a_documented_limit_get_400(
    member: str, accepted: tuple[Any, ...], rejected: tuple[Any, ...]
) -> None:
    """What the table allows is accepted; what it forbids gets 400."""
    async with open_caller(speed=0) as caller:
        for value in accepted:
            assert (await caller.send("sendTransactionalFailover", with_changes(TRANSACTIONAL, **{member: value})))[
                0
            ] == 200
        for value in rejected:
            assert (await caller.send("sendTransactionalFailover", with_changes(TRANSACTIONAL, **{member: value})))[
                0
            ] == 400


async def test_missing_ttl_defaults_to_1200_minutes_for_sms_and_10_for_viber() -> None:
    """Without a ttl an SMS expires after 1200 minutes and a Viber message after 10."""
    flow = {"flow": [with_changes(TEMPLATE, ttl=REMOVED), with_changes(SMS, ttl=REMOVED)]}
    async with open_caller(speed=0) as caller:
        _, response = await caller.send("sendTransactionalFailover", scripted(flow, "+306900000330"))
        await caller.sandbox.advance(timedelta(minutes=1300))
        record = await caller.track(response["trackingId"])
    viber, sms = record["messages"]
    assert (viber["ttl"], sms["ttl"]) == (10, 1200)
    for message, minutes in ((viber, 10), (sms, 1200)):
        lifetime = datetime.fromisoformat(message["status"]["updatedDate"]) - datetime.fromisoformat(
            message["createdAt"]
        )
        assert lifetime == timedelta(minutes=minutes)


async def test_otp_template_without_pin_gets_400() -> None:
    """A template for one-time passwords needs `pin` among its parameters."""
    async with open_caller(speed=0) as caller:
        body = with_changes(TRANSACTIONAL, **{"flow.0.templateId": BASIC_OTP})
        status, response = await caller.send("sendTransactionalFailover", body)
        assert (status, list(response["properties"])) == (400, ["flow[0].templateParams.pin"])
        body = with_changes(body, **{"flow.0.templateParams": {"pin": PIN}})
        assert (await caller.send("sendTransactionalFailover", body))[0] == 200


@pytest.mark.parametrize(
    "flow", [[TEMPLATE], [SMS], [VOICE], [TEMPLATE, SMS], [TEMPLATE, VOICE], [TEMPLATE, SMS, VOICE]]
)
async def test_sms_viber_template_and_voice_steps_are_accepted(flow: list[dict[str, Any]]) -> None:
    """Allowed step types are Sms, Viber by template, and Voice; only `flow` is required."""
    async with open_caller(speed=0) as caller:
        assert (await caller.send("sendTransactionalFailover", {"flow": flow}))[0] == 200
        status, _ = await caller.send("sendTransactionalFailover", {"callback": TRANSACTIONAL["callback"]})
        assert status == 400


async def test_insufficient_balance_gets_400() -> None:
    """Business rules get 400, too: an account without money is one."""
    async with open_caller(speed=0) as caller:
        rule = {"response": {"insufficientBalance": True}}
        assert (await caller.call("addSandboxRule", "/sandbox/rules", method="POST", json=rule))[0] == 200
        status, response = await caller.send("sendTransactionalFailover", TRANSACTIONAL)
        assert (status, set(response)) == (400, {"code", "developerMessage"})
        assert caller.sandbox.accepted == []


@pytest.mark.parametrize("missing", ["MT_ROLE_FAILOVER", "MT_ROLE_VIBER", "MT_ROLE_SMS", "MT_ROLE_VOICE"])
async def test_missing_role_gets_403(missing: str) -> None:
    """A token without the service's role, or without that of a channel, gets 403."""
    async with open_caller(speed=0, roles=[role for role in ALL_ROLES if role != missing]) as caller:
        assert (await caller.send("sendTransactionalFailover", TRANSACTIONAL))[0] == 403


async def test_unknown_sender_gets_404() -> None:
    """An unknown sender gets 404."""
    async with open_caller(speed=0) as caller:
        body = with_changes(TRANSACTIONAL, **{"flow.0.senderInfoTrackingId": "unknown"})
        assert (await caller.send("sendTransactionalFailover", body))[0] == 404


@pytest.mark.parametrize("name", ["accountId", "applicationId", "restrictions", "flowKind", "anything"])
async def test_anything_beside_flow_and_callback_gets_400(name: str) -> None:
    """The body has only `flow` and `callback`: the account and the application are set by the platform."""
    async with open_caller(speed=0) as caller:
        status, response = await caller.send("sendTransactionalFailover", TRANSACTIONAL | {name: "x"})
    assert (status, response["properties"]) == (400, {name: "is not known here"})
