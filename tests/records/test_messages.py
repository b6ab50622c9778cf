"""Messages of a flow, each of the class of its channel, in both generations of Routee's format."""

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


def _messages(response: Json) -> tuple[ViberMessageRecord, SmsMessageRecord]:
    viber, sms = FlowRecord.from_dict(response).messages
    assert isinstance(viber, ViberMessageRecord)
    assert isinstance(sms, SmsMessageRecord)
    return viber, sms


def test_viber_message_fields_are_read() -> None:
    """The fields that only Viber has, and those of all messages."""
    response = copy.deepcopy(FLOW_TRACKED)
    response["messages"][0] |= {"inboundUrl": "https://example.test/in", "seq": 7}
    response["messages"][0]["body"]["action"] = {"caption": "Open", "targetUrl": "https://example.test/"}
    viber, _ = _messages(response)
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


def test_sms_fields_are_read() -> None:
    """The ids and the part of a long SMS, its operator and its latency."""
    response = copy.deepcopy(FLOW_TRACKED)
    response["messages"][1] |= {"operator": "Op", "part": 2, "parts": 3, "ttl": 15}
    _, sms = _messages(response)
    assert (sms.message_id, sms.sms_id, sms.part, sms.parts) == ("m-1", "s-1", 2, 3)
    assert (sms.body, sms.operator, sms.latency) == ("Hi", "Op", timedelta(milliseconds=4))
    assert (sms.ttl, sms.price, sms.final, sms.failover_on_statuses) == (timedelta(minutes=15), 0.03, True, ())


def test_voice_message_fields_are_read() -> None:
    """A call has the ids of the voice callback, and its number from an object."""
    (call,) = FlowRecord.from_dict({"messages": [VOICE_MESSAGE]}).messages
    assert isinstance(call, VoiceMessageRecord)
    assert (call.message_id, call.conversation_tracking_id, call.to) == ("m-3", "c-3", PHONE)
    assert (call.duration, call.status, call.final) == (timedelta(seconds=12), MessageStatus.COMPLETED, True)


@pytest.mark.parametrize(("key", "to"), [("viber", "306900000001"), ("sip", "1111@host:55080")])
def test_voice_recipient_without_a_number_is_viber_or_sip(key: str, to: str) -> None:
    """The recipient of a call without a phone number is its Viber number or SIP address."""
    assert MessageRecord.from_dict({"type": "Voice", "to": {"phone": None, key: to}}).to == to


@pytest.mark.parametrize("channel", ["Pigeon", None, 5, ""])
def test_undocumented_channel_is_a_plain_message_record(channel: object) -> None:
    """A message on a channel that Routee adds has the fields that all messages share, and is never final."""
    message = MessageRecord.from_dict({"type": channel, "order": 1, "to": PHONE, "status": {"name": "Delivered"}})
    assert type(message) is MessageRecord
    assert (message.order, message.to, message.status) == (1, PHONE, MessageStatus.DELIVERED)
    assert not message.final


def test_older_callback_format_is_read_like_the_newer() -> None:
    """Values that the two generations of the callback have under different keys are read into the same attributes."""
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
FINAL_CASES = [
    (channel, status, final)
    for channel, lists in CHANNELS.items()
    for final, words in zip((True, False), lists, strict=True)
    for status in words.split()
]


@pytest.mark.parametrize(("channel", "status", "final"), FINAL_CASES)
def test_final_statuses_depend_on_the_channel(channel: str, status: str, final: bool) -> None:
    """The documented lists decide, for messages and for OTP steps; an undocumented status is not final."""
    assert MessageRecord.from_dict({"type": channel, "status": {"name": status}}).final is final
    assert OtpStepRecord.from_dict({"channel": channel.lower(), "status": status.lower()}).final is final
    assert MessageStatus(status).is_final_on(Channel(channel)) is final
    assert not MessageStatus(status).is_final_on(None)
    assert not MessageStatus(status).is_final_on(Channel("Pigeon"))


@pytest.mark.parametrize(("status", "final"), [("DELIVERED", False), ("SEEN", True), ("EXPIRED", True)])
def test_delivered_is_not_final_for_a_message_that_expires_on_delivery(status: str, final: bool) -> None:
    """A delivered Viber message that expires on delivery may still be seen, or expire."""
    assert (
        ViberMessageRecord.from_dict({"type": "Viber", "expireOnDelivery": True, "status": {"name": status}}).final
        is final
    )
    assert ViberOtpRecord.from_dict({"expireOnDelivery": True, "status": {"status": status}}).final is final


def test_missing_status_is_not_final() -> None:
    """A message without a status is not final."""
    for kind in (MessageRecord, ViberMessageRecord, OtpStepRecord, ViberOtpRecord):
        assert not kind.from_dict({}).final


def test_otp_step_fields_are_read() -> None:
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
def test_primary_and_failover_steps_are_found_by_role_or_position(roles: tuple[Any, Any]) -> None:
    """The two steps are found by role, or by position if no step has a role."""
    steps = [step | {"role": role} for step, role in zip(OTP_TRACKED["steps"], roles, strict=True)]
    record = OtpRecord.from_dict(OTP_TRACKED | {"steps": steps})
    assert record.primary is not None
    assert record.failover is not None
    assert (record.primary.tracking_id, record.failover.tracking_id) == ("m-1", "m-2")
    reversed_steps = OtpRecord.from_dict({"steps": steps[::-1]})
    assert reversed_steps.failover is not None
    assert reversed_steps.failover.tracking_id == ("m-2" if roles[0] else "m-1")


def test_otp_flow_without_failover_has_no_failover_step() -> None:
    """A flow of one step has no failover step, and one that has not begun has no primary step either."""
    assert OtpRecord.from_dict({"steps": OTP_TRACKED["steps"][:1]}).failover is None
    assert OtpRecord.from_dict({"steps": [{}]}).failover is None
    assert OtpRecord.from_dict({"steps": []}).primary is None


def test_viber_otp_fields_are_read() -> None:
    """The ttl is in seconds, and the sender is read."""
    record = ViberOtpRecord.from_dict(
        VIBER_TRACKED | {"status": {"status": "SEEN", "reason": {"detailedStatus": "Seen"}}}
    )
    assert (record.from_, record.country, record.application_name) == ("Demo", "GR", "Demo")
    assert (record.ttl, record.expire_on_delivery, record.detailed_status) == (timedelta(minutes=1), False, "Seen")


@pytest.mark.parametrize("value", ["yes", 1, None, [], 10**400, "1e999", "nan"])
def test_value_of_another_type_counts_as_missing(value: Any) -> None:
    """A flag or a duration of another type is None; a number is accepted where a number is documented."""
    viber = ViberMessageRecord.from_dict(
        {"expireOnDelivery": value, "status": {"expireOnDelivery": value}, "ttl": value}
    )
    assert viber.expire_on_delivery is None
    assert viber.ttl == (timedelta(minutes=1) if value == 1 else None)
    assert FlowRecord.from_dict({"totalPrice": value}).total_price == (1.0 if value == 1 else None)


@pytest.mark.parametrize("duration", [1e300, "1e20", -1e300])
def test_duration_beyond_timedelta_counts_as_missing(duration: object) -> None:
    """A duration that no `timedelta` can hold is missing, not an error."""
    call = VoiceMessageRecord.from_dict({"duration": duration})
    assert call.duration is None


def test_page_fields_are_read() -> None:
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
