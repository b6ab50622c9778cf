"""No JSON that Routee may answer with, today or in a year, breaks a reader, and none of it prints what it must not."""

import json
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routee_failover.records import (
    Balance,
    FlowPage,
    FlowReceipt,
    FlowRecord,
    InboundMessage,
    MessageRecord,
    OtpPage,
    OtpReceipt,
    OtpRecord,
    OtpStepEcho,
    OtpStepRecord,
    SmsMessageRecord,
    StepEcho,
    ViberMessageRecord,
    ViberOtpReceipt,
    ViberOtpRecord,
    VoiceMessageRecord,
)
from routee_failover.records.record import Record

from .sample_responses import (
    FLOW_ACCEPTED,
    FLOW_TRACKED,
    OLD_CALLBACK,
    OTP_ACCEPTED,
    OTP_TRACKED,
    VIBER_OTP_ACCEPTED,
    VIBER_TRACKED,
    VOICE_MESSAGE,
    Json,
)

RECEIPTS: list[type[FlowReceipt | OtpReceipt | ViberOtpReceipt]] = [FlowReceipt, OtpReceipt, ViberOtpReceipt]
READERS: list[Any] = [
    *(Balance, FlowPage, FlowRecord, MessageRecord, OtpPage, OtpRecord, OtpStepEcho, OtpStepRecord, SmsMessageRecord),
    *(InboundMessage, StepEcho, ViberMessageRecord, ViberOtpRecord, VoiceMessageRecord),
]
PIN = "7391648"
PHONE = "+306912345678"


def _keys(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _keys(item)
    elif isinstance(value, list):
        for item in value:
            yield from _keys(item)


KNOWN = [FLOW_ACCEPTED, FLOW_TRACKED, OLD_CALLBACK, OTP_ACCEPTED, OTP_TRACKED, VIBER_OTP_ACCEPTED, VIBER_TRACKED]
KEYS = sorted(
    {*_keys([*KNOWN, VOICE_MESSAGE]), "pin", "phone", "viber", "sip", "content", "results", "sentDate", "media"}
)
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text()
TELLING = ["2026-01-01T10:00:00Z", "EXPIRED", "Viber", "sms", "Voice", "1", "nan", "inf", "1e999", "9" * 400, "-1e308"]
JSON = st.recursive(
    SCALARS | st.sampled_from(TELLING),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | st.text(), inner, max_size=6),
    max_leaves=15,
)
OBJECTS = st.dictionaries(st.sampled_from(KEYS) | st.text(), JSON, max_size=12)


def _use(record: Record) -> Iterator[Record]:
    """Do with a record whatever can be done with one, and give it and the records in it."""
    yield record
    assert isinstance(record.raw, dict)
    again = pickle.loads(pickle.dumps(record))
    assert repr(again) == repr(record)
    assert again.raw == record.raw or "nan" in repr(record.raw)
    hash(record)
    names = [name for name in dir(type(record)) if isinstance(getattr(type(record), name), property)]
    for found in [*vars(record).values(), *(getattr(record, name) for name in names)]:
        repr(found)
        for part in found if isinstance(found, tuple) else (found,):
            if isinstance(part, Record):
                yield from _use(part)


@given(OBJECTS)
def test_no_answer_breaks_a_record(answer: Json) -> None:
    """Whatever JSON Routee answers with, reading it, showing it and pickling it raises nothing."""
    for kind in READERS:
        list(_use(kind.from_dict(answer)))


@given(OBJECTS)
def test_no_answer_breaks_a_receipt(answer: Json) -> None:
    """The same for receipts, once there is an id."""
    for kind in RECEIPTS:
        list(_use(kind.from_dict(answer | {"trackingId": "t", "flowId": "f"})))


@given(st.sampled_from(KNOWN), st.data())
def test_no_change_of_a_documented_answer_breaks_a_record(known: Json, data: st.DataObject) -> None:
    """An answer that is as documented but for one value, at any depth, is read by every reader."""
    answer = json.loads(json.dumps(known))
    node: Any = answer
    while True:
        key = data.draw(st.sampled_from(range(len(node)) if isinstance(node, list) else sorted(node)))
        if not isinstance(node[key], dict | list) or not node[key] or data.draw(st.booleans()):
            break
        node = node[key]
    node[key] = data.draw(JSON)
    for kind in READERS:
        list(_use(kind.from_dict(answer)))


@settings(max_examples=max(25, settings().max_examples // 4))
@given(OBJECTS)
def test_no_repr_shows_a_number_and_no_copy_a_pin(answer: Json) -> None:
    """A number under any key that holds one is masked in repr, and a PIN in repr, raw and pickle."""
    numbers = {"to": PHONE, "phone_number": PHONE, "pin": PIN, "from": "Demo", "trackingId": "t", "flowId": "f"}
    told: Json = _without(answer, PIN, PHONE) | numbers
    told |= {name: [_without(answer, PIN, PHONE) | numbers] for name in ("messages", "steps", "flow")}
    whole = told | {"content": [told], "results": [told]}
    for kind in [*READERS, *RECEIPTS]:
        if kind is InboundMessage:
            continue  # what it is sent to is a sender of one's own
        record = kind.from_dict(whole)
        assert PIN not in json.dumps(record.raw)
        assert PIN.encode() not in pickle.dumps(record)
        shown = "".join(repr(part) for name in ("records", "messages", "steps") for part in getattr(record, name, ()))
        assert PHONE not in repr(record) + shown
        assert PIN not in repr(record) + shown


def _without(value: Any, *texts: str) -> Any:
    """The same JSON without what hypothesis may have come upon by chance."""
    shown = json.dumps(value)
    return value if not any(text in shown for text in texts) else {}


@pytest.mark.parametrize("key", ["a", "body", "status", "messages"])
def test_a_deep_answer_does_not_break_a_record(key: str) -> None:
    """An answer that is nested as deeply as the decoder allows can be shown."""
    deep: Any = "x"
    for _ in range(900):
        deep = {key: deep}
    for kind in READERS:
        list(_use(kind.from_dict(deep)))


@pytest.mark.parametrize("kind", READERS, ids=lambda kind: kind.__name__)
def test_a_number_that_nobody_can_write_breaks_no_record(kind: Any) -> None:
    """A mapping made by hand may hold a number that is too long to be told: it counts as missing."""
    enormous = 10**5000
    record = kind.from_dict({key: enormous for key in KEYS if key != "pin"})
    assert "e+" not in repr(record)
