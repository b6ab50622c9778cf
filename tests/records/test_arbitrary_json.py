"""Any JSON that Routee may respond with, now or later, can be read as a record, and no record reveals a secret."""

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
    OtpTemplate,
    SmsMessageRecord,
    StepEcho,
    TokenInfo,
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
    *(InboundMessage, OtpTemplate, StepEcho, TokenInfo, ViberMessageRecord, ViberOtpRecord, VoiceMessageRecord),
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


DOCUMENTED = [FLOW_ACCEPTED, FLOW_TRACKED, OLD_CALLBACK, OTP_ACCEPTED, OTP_TRACKED, VIBER_OTP_ACCEPTED, VIBER_TRACKED]
OTHER_KEYS = """pin phone viber sip flow_id date templateId deliveryScope content results sentDate media
    scope permissions expires_in access_token"""
KEYS = sorted({*_keys([*DOCUMENTED, VOICE_MESSAGE]), *OTHER_KEYS.split()})
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text()
BOUNDARY_VALUES = [
    "2026-01-01T10:00:00Z",
    "EXPIRED",
    "Viber",
    "sms",
    "Voice",
    "1",
    "nan",
    "inf",
    "1e999",
    "9" * 400,
    "-1e308",
]
JSON = st.recursive(
    SCALARS | st.sampled_from(BOUNDARY_VALUES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | st.text(), inner, max_size=6),
    max_leaves=15,
)
OBJECTS = st.dictionaries(st.sampled_from(KEYS) | st.text(), JSON, max_size=12)


def _exercise(record: Record) -> Iterator[Record]:
    """Use a record in every way that is possible, and yield it and the records in it."""
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
                yield from _exercise(part)


@given(OBJECTS)
def test_any_json_object_is_read_as_a_record(response: Json) -> None:
    """Reading, showing and pickling a record raises nothing, for any JSON object that Routee responds with."""
    for kind in READERS:
        list(_exercise(kind.from_dict(response)))


@given(OBJECTS)
def test_any_json_object_with_an_id_is_read_as_a_receipt(response: Json) -> None:
    """The same holds for receipts, if the response has an id."""
    for kind in RECEIPTS:
        list(_exercise(kind.from_dict(response | {"trackingId": "t", "flowId": "f"})))


@given(st.sampled_from(DOCUMENTED), st.data())
def test_documented_response_with_one_changed_value_is_read_as_a_record(documented: Json, data: st.DataObject) -> None:
    """A documented response in which one value differs, at any depth, is read by every record class."""
    response = json.loads(json.dumps(documented))
    node: Any = response
    while True:
        key = data.draw(st.sampled_from(range(len(node)) if isinstance(node, list) else sorted(node)))
        if not isinstance(node[key], dict | list) or not node[key] or data.draw(st.booleans()):
            break
        node = node[key]
    node[key] = data.draw(JSON)
    for kind in READERS:
        list(_exercise(kind.from_dict(response)))


@settings(max_examples=max(25, settings().max_examples // 4))
@given(OBJECTS)
def test_phone_number_and_pin_are_masked_in_any_json(response: Json) -> None:
    """A phone number under any of its keys is masked in repr, and a PIN in repr, raw and pickle."""
    numbers = {"to": PHONE, "phone_number": PHONE, "pin": PIN, "from": "Demo", "trackingId": "t", "flowId": "f"}
    data: Json = _without(response, PIN, PHONE) | numbers
    data |= {name: [_without(response, PIN, PHONE) | numbers] for name in ("messages", "steps", "flow")}
    nested = data | {"content": [data], "results": [data]}
    for kind in [*READERS, *RECEIPTS]:
        if kind is InboundMessage:
            continue  # its `to` is a sender, not a recipient
        record = kind.from_dict(nested)
        assert PIN not in json.dumps(record.raw)
        assert PIN.encode() not in pickle.dumps(record)
        text = "".join(repr(part) for name in ("records", "messages", "steps") for part in getattr(record, name, ()))
        assert PHONE not in repr(record) + text
        assert PIN not in repr(record) + text


def _without(value: Any, *texts: str) -> Any:
    """Return the same JSON, or an empty object if hypothesis happened to generate one of the texts."""
    dumped = json.dumps(value)
    return value if not any(text in dumped for text in texts) else {}


@pytest.mark.parametrize("key", ["a", "body", "status", "messages"])
def test_deeply_nested_response_is_read_as_a_record(key: str) -> None:
    """A record of a response that is nested as deeply as the decoder allows can be shown."""
    deep: Any = "x"
    for _ in range(900):
        deep = {key: deep}
    for kind in READERS:
        list(_exercise(kind.from_dict(deep)))


@pytest.mark.parametrize("kind", READERS, ids=lambda kind: kind.__name__)
def test_number_too_long_to_print_counts_as_missing(kind: Any) -> None:
    """A mapping from another source may contain a number that Python cannot print: it counts as missing."""
    enormous = 10**5000
    record = kind.from_dict({key: enormous for key in KEYS if key != "pin"})
    assert "e+" not in repr(record)
