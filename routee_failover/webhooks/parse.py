"""Parser of callbacks: untrusted bytes become a record, or an `InvalidCallback` that quotes nothing of them.

The parts that distinguish the kinds are read strictly: the id, the list of messages or steps, the status. All other
fields are read as leniently as in every record.
"""

import functools
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, NoReturn, cast

from .._wire.json_codec import as_json_value, decode
from ..errors import InvalidCallback
from ..records import FlowRecord, InboundMessage, OtpRecord, ViberOtpRecord
from ..records._fields import flow_id_key
from ..records._message_status import read_status
from ..records.record import MAX_DEPTH, REPLACEMENT_CHARACTER, JsonObject
from ..secret import scrub_traceback
from .event import AnyCallback

MAX_CALLBACK_SIZE = 256 * 1024
"""Maximum size of a body in bytes. A long SMS takes a few kilobytes for each of its parts."""
MAX_VALUES = 20_000
"""Maximum number of values, objects and lists included: an empty list takes three bytes here, and a hundred in memory.
A body of the maximum size with names and values like Routee's has fewer."""
MAX_ENTRIES = 1000
"""Maximum number of messages or steps of a flow."""
MAX_ID_LENGTH = 200


class ParsedCallback(NamedTuple):
    """A callback with the key by which an inbox orders it."""

    key: tuple[str, str]
    """Kind, and the id of the flow or the number of the sender: callbacks with the same key are handled in order."""
    record: AnyCallback
    payload: dict[str, Any]
    """The JSON object that the record was read from."""
    size: int
    """Estimated upper bound of the memory that the record takes, in bytes."""


@scrub_traceback
def parse_callback(body: bytes | bytearray | memoryview | str | Mapping[str, Any]) -> AnyCallback:
    """Return the record in a callback's body: of a flow, a failover OTP flow, a Viber OTP, or an inbound message.

    Takes the body as it was received, or the JSON object in it. Raises `InvalidCallback` for a body that is too large
    (more than 256 KiB or 20,000 values), nested too deeply, not a JSON object, or none of the callbacks that Routee
    documents (https://docs.routee.net/docs/failover-callbacks, https://docs.routee.net/docs/viber-inbound-messages,
    https://docs.routee.net/reference/viber-otp-request). Both generations of Routee's pages are supported, and fields
    that Routee adds are kept in the record's `raw`.

    JSON is read leniently: half an emoji or an invalid byte becomes U+FFFD, and a byte order mark is skipped.
    """
    return parse_body(body).record


def parse_body(body: bytes | bytearray | memoryview | str | Mapping[str, Any]) -> ParsedCallback:
    """Return the record, its key and the JSON object that it was read from. Raises `InvalidCallback`.

    Its callers scrub the traceback, whose frames hold the body.
    """
    payload, size = _copy(body) if isinstance(body, Mapping) else _decode(body)
    has_status_name = isinstance(payload.get("status"), str)
    id_key = flow_id_key(payload)
    if id_key in payload and ("steps" in payload or (has_status_name and "messages" not in payload)):
        flow_id = _flow_id(payload, id_key, "steps")
        return ParsedCallback(("otp", flow_id), OtpRecord.from_dict(payload), payload, size)
    if "trackingId" in payload and "messages" not in payload and _is_single_message(payload):
        record = ViberOtpRecord.from_dict(payload)
        return ParsedCallback(("viber-otp", _id(payload, "trackingId")), record, payload, size)
    if "trackingId" in payload and ("messages" in payload or has_status_name):
        flow_id = _flow_id(payload, "trackingId", "messages")
        return ParsedCallback(("flow", flow_id), FlowRecord.from_dict(payload), payload, size)
    direction = payload.get("direction")
    if not isinstance(direction, str) or direction.lower() != "inbound":
        _raise_invalid(
            "it has neither trackingId and messages, nor flowId and steps, nor trackingId and the status of a message, "
            "nor the direction Inbound"
        )
    return ParsedCallback(("inbound", _id(payload, "from")), InboundMessage.from_dict(payload), payload, size)


def _is_single_message(payload: JsonObject) -> bool:
    """Return whether a callback is about a single Viber OTP: it has an object as its status, or a recipient.

    Inferred: Routee's page on Viber OTP mentions callbacks, and shows the record that its response has.
    """
    status, _ = read_status(payload)
    return status is not None and ("to" in payload or not isinstance(payload["status"], str))


def _raise_invalid(reason: str) -> NoReturn:
    raise InvalidCallback(f"this is not a Routee callback: {reason}")


def _decode(body: object) -> tuple[dict[str, Any], int]:
    """Return the JSON object in a body, and its estimated size in memory. Raises `InvalidCallback`."""
    if isinstance(body, str):
        # Each character takes at least one byte: a text that is too long need not be encoded to find that out.
        body = as_json_value(body[: MAX_CALLBACK_SIZE + 1]).encode()
    if not isinstance(body, bytes | bytearray | memoryview):
        raise InvalidCallback(f"a callback is bytes, text or a mapping, not {type(body).__name__}")
    size = len(body) if isinstance(body, bytes) else memoryview(body).nbytes
    if size > MAX_CALLBACK_SIZE:
        _raise_invalid(f"it has more than {MAX_CALLBACK_SIZE} bytes")
    data = bytes(body)
    if size > 2 * MAX_VALUES:  # each value takes two bytes at least
        _check_values(data)
    try:
        payload = decode(data)
    except ValueError:
        _raise_invalid("it is not JSON")
    # The depth cannot exceed the number of brackets; for few callbacks does it have to be measured.
    brackets = data.count(b"{") + data.count(b"[")
    if brackets > MAX_DEPTH:
        _check_depth(payload)
    if not isinstance(payload, dict):
        _raise_invalid("it is not a JSON object")
    # Counting the values would cost a tenth of parsing. Texts, numbers and the entries of an object take up to 24 bytes
    # for each byte here; an object or a list, with its table, up to 250.
    return payload, size * 24 + brackets * 250


_remove_texts = functools.partial(re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL).sub, b"")


def _check_values(data: bytes) -> None:
    """Count the values before they are decoded, when they would take memory. Raises `InvalidCallback` for too many."""
    if b"\0" in data:  # UTF-16 or UTF-32, whose bytes are not those of their characters
        data = data.decode(json.detect_encoding(data), "replace").encode()
    if data.count(b",") + data.count(b"{") + data.count(b"[") < MAX_VALUES:
        return
    structure = _remove_texts(data).translate(None, b" \t\r\n")
    values = structure.count(b",") + structure.count(b"{") + structure.count(b"[") + 1
    # An empty object or list was counted as if it held a value.
    values -= structure.count(b"{}") + structure.count(b"[]")
    if values > MAX_VALUES:
        _raise_invalid(_TOO_MANY)


_TOO_MANY = f"it has more than {MAX_VALUES} values"


def _check_depth(payload: object) -> None:
    level: list[Any] = [payload] if isinstance(payload, dict | list) else []
    for _ in range(MAX_DEPTH):
        entries = (entry for outer in level for entry in (outer.values() if isinstance(outer, dict) else outer))
        level = [entry for entry in entries if isinstance(entry, dict | list)]
    if level:
        _raise_invalid(_TOO_DEEP)


_TOO_DEEP = f"it is nested more than {MAX_DEPTH} deep"


def _copy(body: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    """Return a deep copy that holds JSON values only, and its estimated size. Raises `InvalidCallback` for others."""
    remaining = MAX_VALUES
    letters = 0

    def copy(value: Any, depth: int) -> Any:
        nonlocal remaining, letters
        remaining -= 1
        if remaining < 0:
            _raise_invalid(_TOO_MANY)
        if depth == MAX_DEPTH and isinstance(value, Mapping | list | tuple):
            _raise_invalid(_TOO_DEEP)
        if isinstance(value, Mapping):
            if not all(isinstance(key, str) for key in value):
                _raise_invalid("not all of its keys are text")
            letters += sum(map(len, value))
            return {as_json_value(key): copy(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [copy(item, depth + 1) for item in cast("list[Any]", value)]
        if value is not None and not isinstance(value, str | int | float):
            _raise_invalid(f"JSON cannot represent a {type(value).__name__}")
        if isinstance(value, str):
            letters += len(value)
        return as_json_value(value)

    payload = cast("dict[str, Any]", copy(body, 0))
    return payload, letters * 4 + (MAX_VALUES - remaining) * 200


def _flow_id(payload: JsonObject, key: str, entries_key: str) -> str:
    """Return the id of a flow, after checking that its structure is as documented."""
    entries = payload.get(entries_key)
    if entries is not None and not (isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries)):
        _raise_invalid(f"{entries_key} is not a list of objects")
    if entries is not None and len(entries) > MAX_ENTRIES:
        _raise_invalid(f"{entries_key} has more than {MAX_ENTRIES} entries")
    if not isinstance(payload.get("status"), str | None):
        _raise_invalid("status is not a text")
    return _id(payload, key)


def _id(payload: JsonObject, key: str) -> str:
    value = payload.get(key)
    # Ids are logged, and kept for deduplication: they must be short, and must not contain control characters. Two ids
    # could be the same once what is no text in them was replaced.
    if (
        not isinstance(value, str)
        or not value
        or len(value) > MAX_ID_LENGTH
        or not value.isprintable()
        or REPLACEMENT_CHARACTER in value
    ):
        _raise_invalid(f"{key} is not a text of 1 to {MAX_ID_LENGTH} printable characters")
    return value
