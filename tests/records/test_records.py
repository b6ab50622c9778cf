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
    MessageStatus,
    OtpReceipt,
    OtpRecord,
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
        (1767261600000, None),
        (None, None),
    ],
)
def test_times_are_read_as_aware_datetimes(text: object, expected: datetime | None) -> None:
    """A time is aware, in UTC if the response has no offset; what is not a time is None."""
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
