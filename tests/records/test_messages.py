"""The messages of a flow, each typed by its channel, in both generations of Routee's shapes."""

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from routee_failover.records import (
    Channel,
    FlowPage,
    FlowRecord,
    MessageRecord,
    MessageStatus,
    OtpPage,
    OtpRecord,
    OtpStepRecord,
    SmsMessageRecord,
    ViberMessageRecord,
    ViberOtpRecord,
    VoiceMessageRecord,
)

from .sample_responses import FLOW_TRACKED, OLD_CALLBACK, OTP_TRACKED, PHONE, VIBER_TRACKED, VOICE_MESSAGE, Json

MORNING = datetime(2026, 1, 1, 10, tzinfo=UTC)
TEN_PAST = MORNING + timedelta(minutes=10)


def _messages(answer: Json) -> tuple[ViberMessageRecord, SmsMessageRecord]:
    viber, sms = FlowRecord.from_dict(answer).messages
    assert isinstance(viber, ViberMessageRecord)
    assert isinstance(sms, SmsMessageRecord)
    return viber, sms


def test_what_a_viber_message_says() -> None:
    """The fields that only Viber has, and those of all messages."""
    answer = copy.deepcopy(FLOW_TRACKED)
    answer["messages"][0] |= {"inboundUrl": "https://example.test/in", "seq": 7}
    answer["messages"][0]["body"]["action"] = {"caption": "Open", "targetUrl": "https://example.test/"}
    viber, _ = _messages(answer)
    assert (viber.channel, viber.status, viber.updated_at, viber.final) == (
        *(Channel.VIBER, MessageStatus.EXPIRED, TEN_PAST),
        True,
    )
    assert (viber.tracking_id, viber.from_, viber.country, viber.label, viber.seq) == ("v-1", "Demo", "GR", "demo", 7)
    assert (viber.text, viber.image_url) == ("Hi", "https://example.test/i.png")
    assert (viber.action_caption, viber.action_target_url) == ("Open", "https://example.test/")
    assert (viber.detailed_status, viber.status_description) == ("TTL Expired", "...")
    assert (viber.ttl, viber.inbound_url) == (timedelta(minutes=10), "https://example.test/in")
    assert (viber.expire_on_delivery, viber.expired_on_delivery_at) == (False, None)
    assert viber.failover_on_statuses == (MessageStatus.EXPIRED, MessageStatus.FAILED, MessageStatus.UNDELIVERED)
    assert viber.created_at == MORNING + timedelta(milliseconds=100)


def test_what_an_sms_says() -> None:
    """The ids and the part of a long SMS, its operator and how long it took."""
    answer = copy.deepcopy(FLOW_TRACKED)
    answer["messages"][1] |= {"operator": "Op", "part": 2, "parts": 3, "ttl": 15}
    _, sms = _messages(answer)
    assert (sms.message_id, sms.sms_id, sms.part, sms.parts) == ("m-1", "s-1", 2, 3)
    assert (sms.body, sms.operator, sms.latency) == ("Hi", "Op", timedelta(milliseconds=4))
    assert (sms.ttl, sms.price, sms.final, sms.failover_on_statuses) == (timedelta(minutes=15), 0.03, True, ())


def test_what_a_call_says() -> None:
    """A call has the ids of the voice callback, and its number out of an object."""
    (call,) = FlowRecord.from_dict({"messages": [VOICE_MESSAGE]}).messages
    assert isinstance(call, VoiceMessageRecord)
    assert (call.message_id, call.conversation_tracking_id, call.to) == ("m-3", "c-3", PHONE)
    assert (call.duration, call.status, call.final) == (timedelta(seconds=12), MessageStatus.COMPLETED, True)


@pytest.mark.parametrize(("way", "to"), [("viber", "306900000001"), ("sip", "1111@host:55080")])
def test_a_call_is_made_to_what_its_object_names(way: str, to: str) -> None:
    """A call without a number was made to a Viber user or to a SIP address."""
    assert MessageRecord.from_dict({"type": "Voice", "to": {"phone": None, way: to}}).to == to


@pytest.mark.parametrize("channel", ["Pigeon", None, 5, ""])
def test_a_channel_that_nobody_documented_is_a_plain_message(channel: object) -> None:
    """A message on a channel that Routee adds is read as far as all messages are alike, and has never ended."""
    message = MessageRecord.from_dict({"type": channel, "order": 1, "to": PHONE, "status": {"name": "Delivered"}})
    assert type(message) is MessageRecord
    assert (message.order, message.to, message.status) == (1, PHONE, MessageStatus.DELIVERED)
    assert not message.final


def test_the_older_callback_reads_like_the_newer() -> None:
    """What the two generations of the callback put in different places is found in the same."""
    viber, sms = _messages(OLD_CALLBACK)
    assert (viber.text, viber.image_url) == ("Hi", "https://example.test/i.png")
    assert (viber.action_caption, viber.action_target_url) == ("Open", "https://example.test/")
    assert (viber.expire_on_delivery, viber.expired_on_delivery_at) == (True, TEN_PAST)
    assert sms.body == "Hi"
    flow = FlowRecord.from_dict(OLD_CALLBACK)
    assert (flow.status_code, flow.total_price, flow.final) == (None, 0.038, True)


CHANNELS: dict[str, tuple[str, str]] = {
    "Sms": ("Delivered Undelivered Failed Unsent", "Queued Sent Expired Seen Paused"),
    "Viber": ("DELIVERED SEEN UNDELIVERED EXPIRED FAILED UNSENT", "QUEUED SENT COMPLETED Paused"),
    "Voice": (
        "Completed Busy NoAnswer Failed Unsent Terminated",
        "Queued Initiated Ringing InProgress Unknown Delivered Paused",
    ),
}
FINALS = [
    (channel, status, final)
    for channel, lists in CHANNELS.items()
    for final, words in zip((True, False), lists, strict=True)
    for status in words.split()
]


@pytest.mark.parametrize(("channel", "status", "final"), FINALS)
def test_what_ends_a_message_depends_on_its_channel(channel: str, status: str, final: bool) -> None:
    """The documented lists decide, for messages and for OTP steps; a word that is not in them ends nothing."""
    assert MessageRecord.from_dict({"type": channel, "status": {"name": status}}).final is final
    assert OtpStepRecord.from_dict({"channel": channel.lower(), "status": status.lower()}).final is final
    assert MessageStatus(status).is_final_on(Channel(channel)) is final
    assert not MessageStatus(status).is_final_on(None)
    assert not MessageStatus(status).is_final_on(Channel("Pigeon"))


@pytest.mark.parametrize(("status", "final"), [("DELIVERED", False), ("SEEN", True), ("EXPIRED", True)])
def test_what_expires_on_delivery_has_not_ended_when_it_is_delivered(status: str, final: bool) -> None:
    """A Viber message that expires on delivery is yet to be seen, or to expire."""
    assert (
        ViberMessageRecord.from_dict({"type": "Viber", "expireOnDelivery": True, "status": {"name": status}}).final
        is final
    )
    assert ViberOtpRecord.from_dict({"expireOnDelivery": True, "status": {"status": status}}).final is final


def test_a_message_without_a_status_has_not_ended() -> None:
    """Nothing that lacks its status counts as an end."""
    for kind in (MessageRecord, ViberMessageRecord, OtpStepRecord, ViberOtpRecord):
        assert not kind.from_dict({}).final


def test_what_an_otp_step_says() -> None:
    """Every optional key of a step that Routee documents."""
    step = OtpStepRecord.from_dict(
        {
            "latency_ms": 900,
            "country": "GR",
            "operator": "Op",
            "created_at": "2026-01-01T10:00:00Z",
            "delivered_at": "2026-01-01T10:10:00Z",
            "detailed_status": "TTL Expired",
            "error_message": "too late",
            "failover_from_message_token": "m-1",
        }
    )
    assert (step.latency, step.country, step.operator) == (timedelta(milliseconds=900), "GR", "Op")
    assert (step.created_at, step.delivered_at, step.failover_from) == (MORNING, TEN_PAST, "m-1")
    assert (step.detailed_status, step.error_message) == ("TTL Expired", "too late")


@pytest.mark.parametrize("roles", [("primary", "failover"), (None, None), ("PRIMARY", "Failover")])
def test_primary_and_failover_of_an_otp_flow(roles: tuple[Any, Any]) -> None:
    """The two steps are found by their roles, and by their places where no step says its role."""
    steps = [step | {"role": role} for step, role in zip(OTP_TRACKED["steps"], roles, strict=True)]
    record = OtpRecord.from_dict(OTP_TRACKED | {"steps": steps})
    assert record.primary is not None
    assert record.failover is not None
    assert (record.primary.tracking_id, record.failover.tracking_id) == ("m-1", "m-2")
    turned = OtpRecord.from_dict({"steps": steps[::-1]})
    assert turned.failover is not None
    assert turned.failover.tracking_id == ("m-2" if roles[0] else "m-1")


def test_an_otp_flow_that_did_not_fail_over() -> None:
    """A flow of one step has no failover, and one that has not begun not even a primary step."""
    assert OtpRecord.from_dict({"steps": OTP_TRACKED["steps"][:1]}).failover is None
    assert OtpRecord.from_dict({"steps": [{}]}).failover is None
    assert OtpRecord.from_dict({"steps": []}).primary is None


def test_what_else_a_viber_otp_says() -> None:
    """Its ttl counts seconds, and who sent it is told."""
    record = ViberOtpRecord.from_dict(
        VIBER_TRACKED | {"status": {"status": "SEEN", "reason": {"detailedStatus": "Seen"}}}
    )
    assert (record.from_, record.country, record.application_name) == ("Demo", "GR", "Demo")
    assert (record.ttl, record.expire_on_delivery, record.detailed_status) == (timedelta(minutes=1), False, "Seen")


@pytest.mark.parametrize("wrong", ["yes", 1, None, [], 10**400, "1e999", "nan"])
def test_what_is_mistyped_is_missing(wrong: Any) -> None:
    """A flag that is no flag and a duration that is none are None; a number stands where a number is."""
    viber = ViberMessageRecord.from_dict(
        {"expireOnDelivery": wrong, "status": {"expireOnDelivery": wrong}, "ttl": wrong}
    )
    assert viber.expire_on_delivery is None
    assert viber.ttl == (timedelta(minutes=1) if wrong == 1 else None)
    assert FlowRecord.from_dict({"totalPrice": wrong}).total_price == (1.0 if wrong == 1 else None)


@pytest.mark.parametrize("length", [1e300, "1e20", -1e300])
def test_a_duration_that_no_time_can_hold_is_none(length: object) -> None:
    """A duration beyond all time is missing, not an error."""
    call = VoiceMessageRecord.from_dict({"duration": length})
    assert call.duration is None


def test_pages() -> None:
    """The numbers of a page, its records, and a repr that counts them."""
    page = FlowPage.from_dict(
        {"content": [FLOW_TRACKED], "totalPages": 3, "totalElements": 21, "number": 2, "size": 10}
    )
    assert (page.number, page.size, page.total_pages, page.total_elements, page.last) == (2, 10, 3, 21, None)
    assert page.records == (FlowRecord.from_dict(FLOW_TRACKED),)
    assert "records=<1>" in repr(page)
    otp = OtpPage.from_dict({"results": [OTP_TRACKED], "total": 9, "limit": 5, "offset": 5})
    assert (otp.total, otp.limit, otp.offset) == (9, 5, 5)
    assert otp.records == (OtpRecord.from_dict(OTP_TRACKED),)
