"""Bytes from anybody become one of the callbacks that Routee documents, or a refusal that quotes none of them.

What tells the kinds apart is read strictly: the id, the list beside it, the status. All the rest is read as leniently
as in every record.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, NoReturn, cast

from .._wire.json import decode
from ..errors import InvalidCallback
from ..records import FlowRecord, InboundMessage, OtpRecord
from ..records.record import MAX_DEPTH, JsonObject
from ..secret import scrub_traceback
from .event import AnyCallback

MAX_CALLBACK_SIZE = 256 * 1024
"""The most bytes of a body. A long SMS takes a few kilobytes for each of its parts."""
MAX_VALUES = 100_000
"""The most values in a mapping that somebody else has read already."""
MAX_ENTRIES = 1000
"""The most messages or steps of a flow."""
MAX_ID_LENGTH = 200


class ParsedCallback(NamedTuple):
    """A callback with what an inbox knows it by."""

    key: tuple[str, str]
    """Whose order it belongs to: a flow, or the person who wrote."""
    record: AnyCallback
    payload: dict[str, Any]


@scrub_traceback
def parse_callback(body: bytes | bytearray | memoryview | str | Mapping[str, Any]) -> AnyCallback:
    """The record in a callback's body: of a flow, of a failover OTP flow, or of a message that a person wrote.

    Takes the body as it came, or the JSON object in it. Raises `InvalidCallback` for what is too large
    (`MAX_CALLBACK_SIZE`), nested too deeply, no JSON object, or none of the callbacks that Routee documents
    (https://docs.routee.net/docs/failover-callbacks, https://docs.routee.net/docs/viber-inbound-messages). Both
    generations of Routee's pages are understood, and whatever it adds is kept in the record's `raw`.
    """
    return parse_body(body).record


@scrub_traceback
def parse_body(body: bytes | bytearray | memoryview | str | Mapping[str, Any]) -> ParsedCallback:
    """The record, the object that it was read from, and whom it is about."""
    answer = _copied(body) if isinstance(body, Mapping) else _decoded(body)
    # A callback of a single message, which other services of Routee's send, has an object for its status.
    worded = isinstance(answer.get("status"), str)
    if "flowId" in answer and ("steps" in answer or (worded and "messages" not in answer)):
        identity = _flow(answer, "flowId", "steps")
        return ParsedCallback(("otp", identity), OtpRecord.from_dict(answer), answer)
    if "trackingId" in answer and ("messages" in answer or worded):
        identity = _flow(answer, "trackingId", "messages")
        return ParsedCallback(("flow", identity), FlowRecord.from_dict(answer), answer)
    direction = answer.get("direction")
    if not isinstance(direction, str) or direction.lower() != "inbound":
        _reject("it has neither trackingId and messages, nor flowId and steps, nor the direction Inbound")
    return ParsedCallback(("inbound", _id(answer, "from")), InboundMessage.from_dict(answer), answer)


def _reject(why: str) -> NoReturn:
    raise InvalidCallback(f"this is no callback of Routee's: {why}")


def _decoded(body: object) -> dict[str, Any]:
    if isinstance(body, str):
        # Each letter takes a byte or more, so that what is too long need not be encoded to know it.
        body = body[: MAX_CALLBACK_SIZE + 1].encode("utf-8", "surrogatepass")
    if not isinstance(body, bytes | bytearray | memoryview):
        raise InvalidCallback(f"a callback is bytes, text or a mapping, not {type(body).__name__}")
    if memoryview(body).nbytes > MAX_CALLBACK_SIZE:
        _reject(f"it has more than {MAX_CALLBACK_SIZE} bytes")
    data = bytes(body)
    try:
        answer = decode(data)
    except ValueError:
        _reject("it is not JSON")
    # Nothing is nested deeper than there are brackets; few callbacks have so many that it has to be looked at.
    if data.count(b"{") + data.count(b"[") > MAX_DEPTH:
        _check_depth(answer)
    if not isinstance(answer, dict):
        _reject("it is no JSON object")
    return answer


def _check_depth(answer: object) -> None:
    level: list[Any] = [answer] if isinstance(answer, dict | list) else []
    for _ in range(MAX_DEPTH):
        entries = (entry for outer in level for entry in (outer.values() if isinstance(outer, dict) else outer))
        level = [entry for entry in entries if isinstance(entry, dict | list)]
    if level:
        _reject(_TOO_DEEP)


_TOO_DEEP = f"it is nested more than {MAX_DEPTH} deep"


def _copied(body: Mapping[str, Any]) -> dict[str, Any]:
    """A copy that nobody else can change, with nothing in it but what JSON says."""
    left = MAX_VALUES

    def copy(value: Any, depth: int) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            _reject(f"it holds more than {MAX_VALUES} values")
        if depth == MAX_DEPTH and isinstance(value, Mapping | list | tuple):
            _reject(_TOO_DEEP)
        if isinstance(value, Mapping):
            if not all(isinstance(key, str) for key in value):
                _reject("not all of its keys are text")
            return {key: copy(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [copy(item, depth + 1) for item in cast("list[Any]", value)]
        if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**64:
            return _as_float(value)
        if value is not None and not isinstance(value, str | int | float):
            _reject(f"JSON cannot say a {type(value).__name__}")
        return value

    return cast("dict[str, Any]", copy(body, 0))


def _as_float(value: int) -> float:
    """A number beyond 64 bits as it is read out of bytes."""
    try:
        return float(value)
    except OverflowError:
        _reject("it holds a number that is too large")


def _flow(answer: JsonObject, key: str, entries: str) -> str:
    """The id of a flow whose shape is as documented."""
    listed = answer.get(entries)
    if listed is not None and not (isinstance(listed, list) and all(isinstance(entry, dict) for entry in listed)):
        _reject(f"{entries} is no list of objects")
    if listed is not None and len(listed) > MAX_ENTRIES:
        _reject(f"{entries} has more than {MAX_ENTRIES} entries")
    if not isinstance(answer.get("status"), str | None):
        _reject("status is no text")
    return _id(answer, key)


def _id(answer: JsonObject, key: str) -> str:
    value = answer.get(key)
    # Ids are shown in logs and kept to tell repeats, so that they are short and hold nothing that a log would obey.
    if not isinstance(value, str) or not value or len(value) > MAX_ID_LENGTH or not value.isprintable():
        _reject(f"{key} is no text of 1 to {MAX_ID_LENGTH} printable letters")
    return value
