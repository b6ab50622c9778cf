"""Receipts and records, read from documented responses and from responses of any other shape."""

import copy
import json
import pickle
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from routee_failover.records import (
    Channel,
    FlowKind,
    FlowReceipt,
    FlowRecord,
    FlowStatus,
    MessageRecord,
    MessageStatus,
    OtpReceipt,
    OtpRecord,
    OtpStepRecord,
    StepEcho,
    ViberOtpReceipt,
    ViberOtpRecord,
)
from routee_failover.records._fields import get_datetime

from .sample_responses import (
    FLOW_ACCEPTED,
    FLOW_TRACKED,
    OTP_ACCEPTED,
    OTP_TRACKED,
    PHONE,
    PIN,
    TEMPLATE_ACCEPTED,
    VIBER_OTP_ACCEPTED,
    VIBER_TRACKED,
    Json,
)

Kind = type[FlowReceipt | OtpReceipt | ViberOtpReceipt | FlowRecord | OtpRecord | ViberOtpRecord]
EXAMPLES: list[tuple[Kind, Json]] = [
    (FlowReceipt, FLOW_ACCEPTED),
    (FlowReceipt, TEMPLATE_ACCEPTED),
    (OtpReceipt, OTP_ACCEPTED),
    (ViberOtpReceipt, VIBER_OTP_ACCEPTED),
    (FlowRecord, FLOW_TRACKED),
    (OtpRecord, OTP_TRACKED),
    (ViberOtpRecord, VIBER_TRACKED),
]
MORNING = datetime(2026, 1, 1, 10, tzinfo=UTC)
MASKED = "+3069****5678"


def test_flow_receipt_fields_are_read() -> None:
    """Id, kind, time and steps of a standard flow are read, and a Voice step's number from its object."""
    receipt = FlowReceipt.from_dict(FLOW_ACCEPTED)
    assert (receipt.tracking_id, receipt.flow_kind, receipt.created_at) == ("t-1", FlowKind.STANDARD, MORNING)
    assert [(step.type, step.order, step.to, step.tracking_id) for step in receipt.steps] == [
        ("Viber", 1, PHONE, None),
        ("Sms", 2, PHONE, None),
        ("Voice", 3, PHONE, None),
    ]
    assert receipt.raw == FLOW_ACCEPTED
    assert FlowReceipt.from_dict(TEMPLATE_ACCEPTED).flow_kind is FlowKind.TRANSACTIONAL


def test_otp_receipt_fields_are_read() -> None:
    """Flow id, status, channel, time, and the step that was sent with its message token."""
    receipt = OtpReceipt.from_dict(OTP_ACCEPTED)
    assert (receipt.flow_id, receipt.status, receipt.channel) == ("f-1", FlowStatus.IN_PROGRESS, Channel.VIBER)
    assert receipt.created_at is not None
    assert receipt.created_at.utcoffset() == timedelta(hours=2)
    assert receipt.sent_step is not None
    assert (receipt.sent_step.tracking_id, receipt.sent_step.order) == ("m-1", 1)
    assert OtpReceipt.from_dict({"flowId": "f"}).sent_step is None


def test_viber_otp_receipt_fields_are_read() -> None:
    """Id, recipient, first status, and the other documented keys."""
    receipt = ViberOtpReceipt.from_dict(VIBER_OTP_ACCEPTED)
    assert (receipt.tracking_id, receipt.to, receipt.status) == ("v-1", PHONE, MessageStatus.QUEUED)
    assert (receipt.status_date, receipt.ttl, receipt.seq) == (MORNING, timedelta(minutes=1), 7)
    assert (receipt.from_, receipt.country) == ("Demo", "GR")
    assert receipt.status_reason == {"detailedStatus": "Queued"}


def test_viber_otp_receipt_has_every_documented_echo() -> None:
    """Every field of the response that Routee documents is an attribute; the parameters, with the PIN, stay hidden."""
    response = VIBER_OTP_ACCEPTED | {
        "applicationName": "Login",
        "direction": "Outbound",
        "type": "PRIMARY_ONLY",
        "templateId": "0aac888f-2ee2-4112-9659-1755a951966a",
        "templateLang": "el",
    }
    receipt = ViberOtpReceipt.from_dict(response)
    assert (receipt.application_name, receipt.direction, receipt.label) == ("Login", "Outbound", "transactional")
    assert (receipt.type, receipt.template_id) == ("PRIMARY_ONLY", "0aac888f-2ee2-4112-9659-1755a951966a")
    assert (receipt.template_lang, dict(receipt.template_params)) == ("el", {"pin": PIN})
    assert PIN not in repr(receipt.template_params)
    assert (receipt.detailed_status, receipt.status_description) == ("Queued", None)
    record = ViberOtpRecord.from_dict(response)
    for name in ("application_name", "direction", "label", "type", "template_id", "template_lang", "template_params"):
        assert getattr(record, name) == getattr(receipt, name)
    assert (record.seq, record.ttl) == (receipt.seq, receipt.ttl)


def test_flow_receipt_has_the_seq_and_the_template_of_its_viber_step() -> None:
    """The create response of a transactional flow always has a seq, of the caller or generated."""
    receipt = FlowReceipt.from_dict(TEMPLATE_ACCEPTED)
    (step,) = receipt.steps
    assert (receipt.seq, step.seq) == (7, 7)
    assert (step.template_id, step.template_lang) == ("bbbbbbbb-0000-4000-8000-000000000002", "en")
    assert (dict(step.template_params), step.delivery_scope) == ({"pin": PIN, "customer_name": "Ada"}, None)
    assert PIN not in repr(step.template_params)
    assert FlowReceipt.from_dict({"trackingId": "t", "seq": "8"}).seq == 8
    assert FlowReceipt.from_dict({"trackingId": "t", "flow": [{}, {"seq": 0}], "seq": 8}).seq == 0
    assert FlowReceipt.from_dict(FLOW_ACCEPTED).seq is None


STATUSES: list[Any] = [
    {"name": "Delivered", "updatedDate": "2026-01-01T10:00:00Z", "reason": {"detailedStatus": "Done"}},
    {"status": "DELIVERED", "date": "2026-01-01T10:00:00Z", "reason": {"detailedStatus": "Done"}},
    {"name": "Delivered", "date": 1767261600000, "reason": "Done"},
    {"name": None, "status": "Delivered", "updatedDate": None, "date": 1767261600, "reason": "Done"},
]


@pytest.mark.parametrize("status", STATUSES, ids=str)
def test_status_object_of_either_shape_is_read_wherever_a_message_has_one(status: Json) -> None:
    """Routee's services write a status as name and updatedDate, or as status and date; each record reads both."""
    message = MessageRecord.from_dict({"type": "Viber", "status": status})
    assert (message.status, message.updated_at, message.final) == (MessageStatus.DELIVERED, MORNING, True)
    step = OtpStepRecord.from_dict({"channel": "viber", "status": status})
    assert (step.status, step.final) == (MessageStatus.DELIVERED, True)
    record = ViberOtpRecord.from_dict({"status": status})
    receipt = ViberOtpReceipt.from_dict({"trackingId": "v", "status": status})
    for single in (record, receipt):
        assert (single.status, single.status_date) == (MessageStatus.DELIVERED, MORNING)
    assert {each.detailed_status for each in (message, step, record, receipt)} == {"Done"}


def test_status_of_plain_text_is_read_wherever_a_message_has_one() -> None:
    """A status that is only a word is read; it has no time."""
    data = {"trackingId": "v", "type": "Sms", "channel": "sms", "status": "Delivered"}
    message, step = MessageRecord.from_dict(data), OtpStepRecord.from_dict(data)
    record, receipt = ViberOtpRecord.from_dict(data), ViberOtpReceipt.from_dict(data)
    assert {each.status for each in (message, step, record, receipt)} == {MessageStatus.DELIVERED}
    assert (message.updated_at, record.status_date, receipt.status_date) == (None, None, None)
    assert message.final
    assert step.final
    assert {each.detailed_status for each in (message, step, record, receipt)} == {None}
    assert receipt.status_reason is None


@pytest.mark.parametrize("ids", [{"flow_id": "f-1"}, {"flowId": None, "flow_id": "f-1"}, {"flowId": "f-1"}], ids=str)
def test_flow_id_of_the_otp_service_is_read_in_either_spelling(ids: Json) -> None:
    """The OTP service mixes camel and snake case, and calls the id `flow_id` in its list: both spellings are read."""
    assert OtpRecord.from_dict(ids).flow_id == "f-1"
    assert OtpReceipt.from_dict(ids).flow_id == "f-1"


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        ({"phone": PHONE}, PHONE),
        ({"phone": None, "viber": "306900000001"}, "306900000001"),
        ({"phone": "", "viber": "", "sip": "1111@host:55080"}, "1111@host:55080"),
        ([PHONE], PHONE),
        ([], None),
        (5, "5"),
        (None, None),
    ],
    ids=str,
)
def test_recipient_is_read_in_every_shape(to: object, expected: str | None) -> None:
    """A recipient is a text, a list of one, or, for a call, an object of a number, a Viber number or a SIP address."""
    assert StepEcho.from_dict({"to": to}).to == expected
    assert MessageRecord.from_dict({"to": to}).to == expected
    assert ViberOtpReceipt.from_dict({"trackingId": "v", "to": to}).to == expected
    assert ViberOtpRecord.from_dict({"to": to}).to == expected


def test_flow_record_fields_are_read() -> None:
    """The documented tracking response: the state of the flow and of each message."""
    record = FlowRecord.from_dict(FLOW_TRACKED)
    assert (record.tracking_id, record.status, record.status_code, record.status_reason) == (
        *("t-1", FlowStatus.SUCCEEDED),
        *(None, None),
    )
    assert (record.termination_channel, record.total_price, record.flow_kind) == (Channel.SMS, 0.04, None)
    assert record.final
    assert (record.created_at, record.updated_at) == (MORNING, MORNING + timedelta(minutes=10, seconds=5.5))
    viber, sms = record.messages
    assert (viber.channel, viber.order, viber.to, viber.status) == (Channel.VIBER, 1, PHONE, MessageStatus.EXPIRED)
    assert (sms.channel, sms.status, sms.price) == (Channel.SMS, MessageStatus.DELIVERED, 0.03)
    assert sms.updated_at == MORNING + timedelta(minutes=10, seconds=5)


@pytest.mark.parametrize(
    ("code", "number", "reason"),
    [
        *((0, 0, "server error"), ("0", 0, "server error"), ("3", 3, "failover not triggered")),
        *(("", None, None), (None, None, None), (9, 9, None), ("many", None, None), (1.5, None, None)),
    ],
)
def test_status_code_is_read_from_number_or_text(code: object, number: int | None, reason: str | None) -> None:
    """Routee writes a status code as number, as text, as null and as an empty text."""
    record = FlowRecord.from_dict({"status": "Failed", "statusCode": code})
    assert (record.status_code, record.status_reason, record.final) == (number, reason, True)


def test_otp_record_fields_are_read() -> None:
    """The OTP service mixes letter cases and omits the plus: its example is read all the same."""
    record = OtpRecord.from_dict(OTP_TRACKED)
    assert (record.flow_id, record.status, record.status_code) == ("f-1", FlowStatus.FAILED, 2)
    assert (record.status_reason, record.total_cost, record.final) == ("no next step", 0.05, True)
    first, second = record.steps
    assert (first.role, first.channel, first.status, first.price) == (
        *("primary", Channel.VIBER),
        *(MessageStatus.EXPIRED, 0.01),
    )
    assert (second.role, second.channel, second.status) == ("failover", Channel.SMS, MessageStatus.QUEUED)
    assert second.to == PHONE.removeprefix("+")


@pytest.mark.parametrize(
    ("status", "final"),
    [("QUEUED", False), ("DELIVERED", True), ("Seen", True), ("expired", True), ("SENT", False), ("New", False)],
)
def test_viber_otp_record_fields_are_read(status: str, final: bool) -> None:
    """A Viber OTP is final if its status says that it was delivered or will not be."""
    record = ViberOtpRecord.from_dict(VIBER_TRACKED | {"status": {"status": status, "date": "2026-01-01T10:00:00Z"}})
    assert (record.tracking_id, record.to, record.price, record.status_date) == ("v-1", PHONE, 0.01, MORNING)
    assert record.final is final
    assert not ViberOtpRecord.from_dict({}).final


@pytest.mark.parametrize("kind", [FlowReceipt, OtpReceipt, ViberOtpReceipt])
@pytest.mark.parametrize("tracking_id", [None, "", 5, [], {}])
def test_receipt_without_an_id_is_a_value_error(
    kind: type[FlowReceipt | OtpReceipt | ViberOtpReceipt], tracking_id: object
) -> None:
    """A response that cannot be tracked is not a receipt, and the error names the missing key."""
    with pytest.raises(ValueError, match=r"^has no (trackingId|flowId)$"):
        kind.from_dict({"trackingId": tracking_id, "flowId": tracking_id})


@pytest.mark.parametrize("kind", [FlowRecord, OtpRecord, ViberOtpRecord])
def test_record_of_an_empty_response_has_none_values(kind: type[FlowRecord | OtpRecord | ViberOtpRecord]) -> None:
    """A missing value is None, and a record without a status is not final."""
    record = kind.from_dict({})
    assert not record.final
    assert record.raw == {}
    assert all(value is None for name, value in vars(record).items() if name != "_data")


@pytest.mark.parametrize(("kind", "response"), EXAMPLES)
def test_response_with_a_missing_or_new_key_is_read(kind: Kind, response: Json) -> None:
    """A response without any one key except the id is read, and a new key is in `raw`."""
    for missing in response.keys() - {"trackingId", "flowId"}:
        kind.from_dict({key: value for key, value in response.items() if key != missing})
    assert kind.from_dict(response | {"tomorrow": [1]}).raw["tomorrow"] == [1]


@pytest.mark.parametrize(("kind", "response"), EXAMPLES)
def test_repr_raw_and_pickle_mask_pin_and_number(kind: Kind, response: Json) -> None:
    """The recipient is masked in repr, and neither repr nor raw, JSON or pickle of a record contains a PIN."""
    record = kind.from_dict(response)
    parts: list[Any] = [record, *getattr(record, "steps", ()), *getattr(record, "messages", ())]
    for each in parts:
        assert PHONE not in repr(each)
        assert PHONE.removeprefix("+") not in repr(each)
        if kind is not ViberOtpRecord:
            assert PIN not in repr(each) + json.dumps(each.raw)
            assert PIN.encode() not in pickle.dumps(each)
    if hasattr(record, "to"):
        assert MASKED in repr(record)


def test_viber_otp_text_in_tracking_is_masked() -> None:
    """The tracking of a Viber OTP has its text under `message`: the PIN in it is not shown."""
    record = ViberOtpRecord.from_dict(VIBER_TRACKED)
    assert PIN not in json.dumps(record.raw)
    assert PIN.encode() not in pickle.dumps(record)


def test_pin_is_masked_at_any_depth() -> None:
    """A PIN is masked under its own key, inside texts, and in template parameters, at any depth."""
    response = {
        "trackingId": "t",
        "flow": [{"pin": PIN, "note": [f"x{PIN}x", {"deep": PIN}]}, {"pin": 12345678}, {"pin": None}, {"pin": ""}],
        "number": "12345678",
        "templateParams": {"pin": PIN, "name": "Ada"},
        "count": 1,
    }
    raw = FlowReceipt.from_dict(response).raw
    assert PIN not in json.dumps(raw)
    assert "12345678" not in json.dumps(raw)
    assert raw["flow"][0] == {"pin": "****", "note": ["x****x", {"deep": "****"}]}
    assert raw["flow"][2]["pin"] is None
    assert raw["templateParams"] == {"pin": "****", "name": "****"}
    assert raw["count"] == 1


@pytest.mark.parametrize(("kind", "response"), EXAMPLES)
def test_record_survives_pickling_and_copying(kind: Kind, response: Json) -> None:
    """A copied or unpickled record has the same values, with its secrets masked for good."""
    record = kind.from_dict(response)
    for again in (pickle.loads(pickle.dumps(record)), copy.copy(record), copy.deepcopy(record)):
        assert type(again) is kind
        assert again.raw == record.raw
        assert repr(again) == repr(record)
        assert pickle.loads(pickle.dumps(again)) == again


def test_records_of_equal_responses_are_equal_and_immutable() -> None:
    """Two records of the same response are equal, and no record can be changed."""
    record = FlowRecord.from_dict(FLOW_TRACKED)
    assert record == FlowRecord.from_dict(copy.deepcopy(FLOW_TRACKED))
    assert record != FlowRecord.from_dict(FLOW_TRACKED | {"status": "Failed"})
    with pytest.raises(AttributeError):
        record.status = None  # type: ignore[misc]
    record.raw["trackingId"] = "changed"
    assert record.raw["trackingId"] == "t-1"


def test_receipt_is_hashable() -> None:
    """A receipt can be an item of a set or the key of a mapping."""
    assert len({FlowReceipt.from_dict(FLOW_ACCEPTED), FlowReceipt.from_dict(FLOW_ACCEPTED)}) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-01T10:00:00Z", MORNING),
        ("2026-01-01T10:00:00.000Z", MORNING),
        ("2026-01-01T10:00Z", MORNING),
        ("2026-01-01T12:00:00+02:00", MORNING),
        ("2026-01-01T10:00:00", MORNING),
        ("2026-13-01T10:00:00Z", None),
        ("soon", None),
        ("", None),
        (1767261600, MORNING),
        (1767261600.0, MORNING),
        (1767261600000, MORNING),
        ("1767261600", MORNING),
        ("1767261600000", MORNING),
        ("1712110912001", datetime(2024, 4, 3, 2, 21, 52, 1000, tzinfo=UTC)),
        ("20260101", datetime(2026, 1, 1, tzinfo=UTC)),
        (7, None),
        (-1767261600, None),
        (1e300, None),
        (True, None),
        (10**400, None),
        (None, None),
    ],
)
def test_times_are_read_as_aware_datetimes(text: object, expected: datetime | None) -> None:
    """A time is aware, in UTC if the response has no offset, also as seconds or milliseconds since 1970.

    What is not a time is None, and so is a number that is too small or too large to be one.
    """
    found = get_datetime({"at": text}, "at")
    assert found == expected
    assert found is None or found.tzinfo is not None


@pytest.mark.parametrize("ttl", [10**15, 1e300, "1e20"])
def test_ttl_beyond_timedelta_counts_as_missing(ttl: object) -> None:
    """A ttl that no `timedelta` can hold is missing, not an error."""
    assert ViberOtpReceipt.from_dict({"trackingId": "t", "ttl": ttl}).ttl is None


def test_large_integer_is_read_exactly() -> None:
    """A seq is the caller's own number, of up to 64 bits: it is read unchanged."""
    assert ViberOtpReceipt.from_dict({"trackingId": "t", "seq": 2**53 + 1}).seq == 2**53 + 1


def test_id_that_contains_the_pin_digits_is_not_masked() -> None:
    """The tracking id of a step survives pickling, even if it contains the PIN's digits by chance."""
    response = {"flowId": "f", "flow": [{"pin": "2026", "trackingId": "aa-2026-bb"}]}
    receipt = pickle.loads(pickle.dumps(OtpReceipt.from_dict(response)))
    assert receipt.steps[0].tracking_id == "aa-2026-bb"


def test_number_in_place_of_text_is_read_as_text() -> None:
    """An id written as a number is read as text; a value that is neither is missing."""
    assert FlowRecord.from_dict({"trackingId": 5}).tracking_id == "5"
    assert FlowRecord.from_dict({"trackingId": True}).tracking_id is None
    assert FlowRecord.from_dict({"totalPrice": "0.5"}).total_price == 0.5
    assert FlowRecord.from_dict({"totalPrice": "much"}).total_price is None
    assert FlowRecord.from_dict({"status": 5, "messages": "none"}).messages == ()
