"""`parse_callback` distinguishes the kinds of callbacks, and refuses anything else without quoting it."""

import copy
import json
import pickle
import traceback
from collections import UserDict
from types import MappingProxyType
from typing import Any

import pytest

from routee_failover import (
    CallbackInbox,
    Channel,
    FlowRecord,
    FlowStatus,
    InboundMessage,
    InvalidCallback,
    MessageStatus,
    OtpRecord,
    ReceiveResult,
    RouteeError,
    ViberOtpRecord,
    parse_callback,
)
from routee_failover.webhooks.parse import MAX_CALLBACK_SIZE, MAX_VALUES

from .payloads import INBOUND, NEW, OLD, OTP, PHONE, PIN, SHAPES, VIBER_OTP, Json, body_of

CANARY = "739164-canary"


def test_flow_as_on_the_newer_page_is_parsed() -> None:
    """Everything of a standard flow is read: both channels, statuses in either case, the times, the price."""
    record = parse_callback(body_of(NEW))
    assert isinstance(record, FlowRecord)
    assert (record.tracking_id, record.status, record.final) == ("t-1", FlowStatus.SUCCEEDED, True)
    assert (record.termination_channel, record.total_price, record.status_code) == (Channel.SMS, 0.04, None)
    viber, sms = record.messages
    assert (viber.channel, viber.status, viber.detailed_status) == (Channel.VIBER, MessageStatus.EXPIRED, "TTL Expired")
    assert (sms.channel, sms.status, sms.to, sms.price) == (Channel.SMS, MessageStatus.DELIVERED, PHONE, 0.03)


def test_flow_as_on_the_older_page_is_parsed() -> None:
    """The names of the older page are read into the same record; an empty status code is `None`."""
    record = parse_callback(body_of(OLD))
    assert isinstance(record, FlowRecord)
    assert (record.tracking_id, record.status, record.status_code) == ("t-2", FlowStatus.FAILED, None)
    assert [message.status for message in record.messages] == [MessageStatus.FAILED, MessageStatus.FAILED]


def test_otp_flow_is_recognized_by_flow_id_and_steps() -> None:
    """A failover OTP flow is recognized by its flow id and its steps."""
    record = parse_callback(body_of(OTP))
    assert isinstance(record, OtpRecord)
    assert (record.flow_id, record.status, record.total_cost) == (OTP["flowId"], FlowStatus.SUCCEEDED, 0.05)
    assert [step.status for step in record.steps] == [MessageStatus.EXPIRED, MessageStatus.QUEUED]


@pytest.mark.parametrize("ids", [{"flow_id": "f-1"}, {"flowId": None, "flow_id": "f-1"}], ids=str)
def test_otp_flow_with_its_id_in_snake_case_is_recognized(ids: Json) -> None:
    """The OTP service mixes camel and snake case: a flow is recognized by `flow_id` as well."""
    record = parse_callback({name: value for name, value in OTP.items() if name != "flowId"} | ids)
    assert isinstance(record, OtpRecord)
    assert record.flow_id == "f-1"


@pytest.mark.parametrize(
    "status",
    [
        {"status": "DELIVERED", "date": "2026-01-01T10:00:09Z"},
        {"name": "DELIVERED", "updatedDate": "2026-01-01T10:00:09Z"},
        "DELIVERED",
    ],
    ids=str,
)
def test_single_viber_otp_is_recognized_by_its_id_and_status(status: Any) -> None:
    """A callback about a Viber OTP, which is no flow, is read in every shape that Routee writes a status in."""
    record = parse_callback(VIBER_OTP | {"status": status})
    assert isinstance(record, ViberOtpRecord)
    assert (record.tracking_id, record.to, record.status) == ("v-7", PHONE, MessageStatus.DELIVERED)
    assert (record.final, record.seq, record.label) == (True, 7, "transactional")
    assert PIN not in repr(record) + json.dumps(record.raw)
    assert isinstance(parse_callback({"trackingId": "v", "status": {"status": "Paused"}}), ViberOtpRecord)


@pytest.mark.parametrize("key", ["filename", "fileName"])
def test_inbound_message_is_recognized_by_its_direction(key: str) -> None:
    """An inbound message is recognized by its direction; a file name is read in both of Routee's spellings."""
    shape = {name: value for name, value in INBOUND.items() if name != "filename"} | {key: "photo.jpg"}
    record = parse_callback(body_of(shape))
    assert isinstance(record, InboundMessage)
    assert (record.from_, record.message, record.filename) == (PHONE, "Was that you?", "photo.jpg")
    assert (record.reference_tracking_id, record.label) == ("v-1", "demo")
    assert record.sent_date is not None
    assert (record.campaign_name, record.campaign_tracking_id, record.to) == (None, None, INBOUND["to"])


def test_repr_of_an_inbound_message_hides_text_and_number() -> None:
    """`repr` shows neither the text nor the sender's number."""
    record = parse_callback(INBOUND)
    assert "Was that you?" not in repr(record)
    assert PHONE not in repr(record)
    assert "photo" not in repr(record)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize(
    "convert",
    [
        body_of,
        lambda shape: bytearray(body_of(shape)),
        lambda shape: memoryview(body_of(shape)),
        json.dumps,
        lambda shape: shape,
        UserDict,
        MappingProxyType,
    ],
    ids=["bytes", "bytearray", "memoryview", "str", "dict", "UserDict", "MappingProxyType"],
)
def test_bytes_text_and_mapping_parse_alike(shape: Json, convert: Any) -> None:
    """Bytes, text and a decoded mapping are the same callback."""
    assert parse_callback(convert(shape)) == parse_callback(body_of(shape))


def test_record_does_not_change_with_its_mapping() -> None:
    """A record does not change with the mapping that it was read from."""
    mapping = copy.deepcopy(NEW)
    record = parse_callback(mapping)
    mapping["messages"][0]["status"]["name"] = "DELIVERED"
    mapping["messages"].clear()
    assert isinstance(record, FlowRecord)
    assert record.messages[0].status is MessageStatus.EXPIRED


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_unknown_keys_and_values_are_kept(shape: Json) -> None:
    """What Routee may add one day is kept, and none of it raises."""
    extended = copy.deepcopy(shape) | {"tomorrow": {"key": [1, None]}, "statusCode": "none yet", "updatedAt": 7}
    extended["status"] = "Paused"
    for entry in [*extended.get("messages", []), *extended.get("steps", [])]:
        entry |= {"type": "Telepathy", "channel": 9, "status": ["?"], "price": {}, "order": "first"}
    record = parse_callback(body_of(extended))
    assert record.raw["tomorrow"] == {"key": [1, None]}
    if not isinstance(record, InboundMessage):
        assert record.status == "Paused"
        assert not record.final


@pytest.mark.parametrize(
    "shape",
    [
        {"trackingId": "t", "status": "Queued"},
        {"trackingId": "t", "messages": []},
        {"trackingId": "t", "messages": None, "status": None},
        {"trackingId": "t", "messages": [], "flowId": "f"},
        {"trackingId": "t", "messages": [], "direction": "Inbound"},
    ],
    ids=str,
)
def test_flow_needs_an_id_and_messages_or_a_status(shape: Json) -> None:
    """A flow needs an id and either messages or a status; other fields do not make it another kind."""
    assert isinstance(parse_callback(shape), FlowRecord)


@pytest.mark.parametrize(
    "shape", [{"flowId": "f", "steps": []}, {"flowId": "f", "status": "InProgress"}, {"flowId": "f", "steps": None}]
)
def test_otp_flow_needs_an_id_and_steps_or_a_status(shape: Json) -> None:
    """A failover OTP flow needs an id and either steps or a status."""
    assert isinstance(parse_callback(shape), OtpRecord)


def nested(levels: int) -> bytes:
    """Return a callback with that many objects and lists nested within each other."""
    inner = levels - 1
    return b'{"trackingId":"t","status":"Queued","x":' + b"[" * inner + b"]" * inner + b"}"


def with_values(number: int) -> bytes:
    """Return a callback with that many values, itself and its lists included; its texts look like more."""
    return json.dumps({"trackingId": 't,[{"', "status": "Queued,\\", "x": [[]] * (number - 4)}).encode()


SISTER_SMS = {"messageId": "m", "smsId": "s", "to": PHONE, "status": {"name": "Delivered"}, "direction": "Outbound"}
INVALID_BODIES: dict[str, tuple[Any, str]] = {
    "nothing": (b"", "not JSON"),
    "cut off": (body_of(NEW)[:-20], "not JSON"),
    "a form": (f"trackingId={CANARY}".encode(), "not JSON"),
    "half a letter in the id": ('{"trackingId":"t' + "\ud800" + '","status":"Queued"}', "trackingId is not a text"),
    "an invalid byte in the id": (b'{"flowId":"\xff","steps":[]}', "flowId is not a text"),
    "a list": (f'["{CANARY}"]'.encode(), "not a JSON object"),
    "a word": (f'"{CANARY}"'.encode(), "not a JSON object"),
    "many brackets in a word": (f'"{"[" * 100}"'.encode(), "not a JSON object"),
    "null": (b"null", "not a JSON object"),
    "a number": (739164, "not int"),
    "empty": ({}, "neither trackingId and messages"),
    "a status without a word": ({"trackingId": CANARY, "status": {"date": CANARY}}, "neither trackingId and messages"),
    "a status that is a list": ({"trackingId": CANARY, "status": [CANARY]}, "neither trackingId and messages"),
    "the id of a Viber OTP a number": (VIBER_OTP | {"trackingId": 739164}, "trackingId is not a text"),
    "the id of an OTP flow in snake case a number": ({"flow_id": 739164, "steps": []}, "flow_id is not a text"),
    "a single SMS": (SISTER_SMS, "neither trackingId and messages"),
    "outbound": (INBOUND | {"direction": CANARY}, "neither trackingId and messages"),
    "a direction that is no word": (INBOUND | {"direction": 1}, "neither trackingId and messages"),
    "an id alone": ({"trackingId": CANARY}, "neither trackingId and messages"),
    "a flow id alone": ({"flowId": CANARY}, "neither trackingId and messages"),
    "id null": (NEW | {"trackingId": None}, "trackingId is not a text"),
    "id a number": (NEW | {"trackingId": 739164}, "trackingId is not a text"),
    "id empty": (OTP | {"flowId": ""}, "flowId is not a text"),
    "id too long": (OTP | {"flowId": "f" * 201}, "flowId is not a text"),
    "id with a line break": (NEW | {"trackingId": f"t\n{CANARY}"}, "trackingId is not a text"),
    "no sender": (INBOUND | {"from": None}, "from is not a text"),
    "messages an object": (NEW | {"messages": {"0": CANARY}}, "messages is not a list of objects"),
    "messages of words": (NEW | {"messages": [CANARY]}, "messages is not a list of objects"),
    "steps a word": (OTP | {"steps": CANARY}, "steps is not a list of objects"),
    "too many messages": (NEW | {"messages": [{}] * 1001}, "messages has more than 1000 entries"),
    "status a number": (NEW | {"status": 739164}, "status is not a text"),
    "status an object": (OTP | {"status": {"name": CANARY}}, "status is not a text"),
    "too long": (b" " * (MAX_CALLBACK_SIZE + 1), f"more than {MAX_CALLBACK_SIZE} bytes"),
    "too long as text": (" " * (MAX_CALLBACK_SIZE * 10), f"more than {MAX_CALLBACK_SIZE} bytes"),
    "too long once encoded": ('"' + "€" * (MAX_CALLBACK_SIZE // 2) + '"', f"more than {MAX_CALLBACK_SIZE} bytes"),
    "too deep": (nested(65), "nested more than 64 deep"),
    "much too deep": (nested(1000), "nested more than 64 deep"),
    "deeper than the parser goes": (nested(15_000), "not JSON"),
    "too deep as a mapping": (json.loads(nested(65)), "nested more than 64 deep"),
    "too many values": (with_values(MAX_VALUES + 1), f"more than {MAX_VALUES} values"),
    "too many values in UTF-16": (
        ("[" * 2 + json.dumps({"\u2212": [[]] * (MAX_VALUES + 1)}, ensure_ascii=False) + "]" * 2).encode("utf-16"),
        f"more than {MAX_VALUES} values",
    ),
    "too many values as text": (with_values(MAX_VALUES + 1).decode(), f"more than {MAX_VALUES} values"),
    "too many values as a mapping": (json.loads(with_values(MAX_VALUES + 1)), f"more than {MAX_VALUES} values"),
    "many empty lists": (b"[" + b"[]," * 79_999 + b"[]]", f"more than {MAX_VALUES} values"),
    "many objects": (b"[" + b'{"":1},' * 30_000 + b"0]", f"more than {MAX_VALUES} values"),
    "many values and an endless text": (b"[" + b"0," * MAX_VALUES + b'"' + b'\\"' * 50_000, "more than|not JSON"),
    "keys that are no text": (NEW | {739164: 1}, "keys are text"),
    "what JSON cannot say": (NEW | {"x": {CANARY}}, "cannot represent a set"),
}


@pytest.mark.parametrize(("body", "message"), INVALID_BODIES.values(), ids=INVALID_BODIES)
def test_invalid_body_raises_without_quoting_it(body: Any, message: str) -> None:
    """An invalid body raises one clear error, whose text and frames hold nothing of the body."""
    with pytest.raises(InvalidCallback, match=message) as caught:
        parse_callback(body)
    assert isinstance(caught.value, RouteeError)
    assert isinstance(caught.value, ValueError)
    text = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    ours = text[text.rindex("routee_failover") :]
    assert CANARY not in ours
    assert PIN not in ours
    assert caught.value.__cause__ is caught.value.__context__ is None
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_cyclic_mapping_is_refused() -> None:
    """A mapping that contains itself is refused like one that is too deep."""
    cyclic: Json = {"trackingId": "t", "status": "Queued"}
    cyclic["x"] = [cyclic, cyclic]
    with pytest.raises(InvalidCallback, match=r"nested more than 64 deep|more than \d+ values"):
        parse_callback(cyclic)


def test_64_levels_are_parsed() -> None:
    """64 levels are read and shown, as bytes and as a mapping."""
    for body in (nested(64), json.loads(nested(64))):
        record = parse_callback(body)
        assert "****" not in repr(record.raw)


def test_number_of_more_than_64_bits_is_a_float() -> None:
    """A huge number is a float, whichever form the callback has."""
    for body in (json.dumps(NEW | {"x": 2**80}), NEW | {"x": 2**80}):
        assert parse_callback(body).raw["x"] == float(2**80)


def test_values_at_the_limit_are_accepted() -> None:
    """The limit itself is allowed in every form, and what only looks like a value within a text does not count."""
    body = with_values(MAX_VALUES)
    for form in (body, body.decode(), json.loads(body)):
        assert len(parse_callback(form).raw["x"]) == MAX_VALUES - 4
    commas = json.dumps({"trackingId": "t", "status": "Queued", "x": ',[{"' * MAX_VALUES})
    assert len(parse_callback(commas).raw["x"]) == 4 * MAX_VALUES


def test_id_and_message_count_at_the_limits_are_accepted() -> None:
    """The limits themselves are allowed."""
    record = parse_callback({"trackingId": "t" * 200, "messages": [{}] * 1000})
    assert isinstance(record, FlowRecord)
    assert len(record.messages) == 1000


HALF_AN_EMOJI = NEW | {
    "messages": [NEW["messages"][1] | {"body": "see you \ud83d", "price": float("nan"), "x": 10**400}]
}
TEXT = json.dumps(HALF_AN_EMOJI)
RAW_TEXT = json.dumps(HALF_AN_EMOJI, ensure_ascii=False)


@pytest.mark.parametrize(
    "body",
    [
        TEXT,
        TEXT.encode(),
        b"\xef\xbb\xbf" + TEXT.encode(),
        "\ufeff" + TEXT,
        TEXT.encode("utf-16"),
        RAW_TEXT,
        RAW_TEXT.encode("utf-16", "surrogatepass"),
        HALF_AN_EMOJI,
        MappingProxyType(HALF_AN_EMOJI),
    ],
    ids=["str", "bytes", "BOM", "BOM in str", "UTF-16", "surrogate", "surrogate in UTF-16", "dict", "MappingProxyType"],
)
def test_callback_with_half_an_emoji_is_received_once_in_any_form(body: Any) -> None:
    """Half an emoji, NaN and a byte order mark do not hide a callback, and its repeats are duplicates."""
    record = parse_callback(body)
    assert isinstance(record, FlowRecord)
    assert record.tracking_id == "t-1"
    (message,) = record.messages
    assert (message.raw["body"], message.raw["price"], message.raw["x"]) == ("see you \ufffd", None, None)
    json.dumps(record.raw, ensure_ascii=False, allow_nan=False).encode()
    inbox = CallbackInbox(notify=lambda _record: None)
    assert [inbox.receive(form) for form in (body, TEXT, HALF_AN_EMOJI)] == [
        ReceiveResult.NEW,
        ReceiveResult.DUPLICATE,
        ReceiveResult.DUPLICATE,
    ]


def test_mapping_with_half_an_emoji_in_a_key_is_read_like_its_text() -> None:
    """A key that holds half an emoji is read alike from text and from a decoded mapping."""
    shape = NEW | {"\ud83d": {"x\udc00": 1}}
    assert parse_callback(shape) == parse_callback(json.dumps(shape))
    assert parse_callback(shape).raw["\ufffd"] == {"x\ufffd": 1}
