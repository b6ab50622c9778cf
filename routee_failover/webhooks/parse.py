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

LARGEST_CALLBACK = 256 * 1024
"""The most bytes of a body. A long SMS takes a few kilobytes for each of its parts."""
MOST_VALUES = 100_000
"""The most values in a mapping that somebody else has read already."""
MOST_ENTRIES = 1000
"""The most messages or steps of a flow."""
LONGEST_ID = 200


class Read(NamedTuple):
    """A callback with what an inbox knows it by."""

    identity: tuple[str, str]
    """Whose order it belongs to: a flow, or the person who wrote."""
    record: AnyCallback
    answer: dict[str, Any]


@scrub_traceback
def parse_callback(body: bytes | bytearray | memoryview | str | Mapping[str, Any]) -> AnyCallback:
    """The record in a callback's body: of a flow, of a failover OTP flow, or of a message that a person wrote.

    Takes the body as it came, or the JSON object in it. Raises `InvalidCallback` for what is too large
    (`LARGEST_CALLBACK`), nested too deeply, no JSON object, or none of the callbacks that Routee documents
    (https://docs.routee.net/docs/failover-callbacks, https://docs.routee.net/docs/viber-inbound-messages). Both
    generations of Routee's pages are understood, and whatever it adds is kept in the record's `raw`.
    """
    return read_callback(body).record


@scrub_traceback
def read_callback(body: bytes | bytearray | memoryview | str | Mapping[str, Any]) -> Read:
    """The record, the object that it was read from, and whom it is about."""
    answer = _copied(body) if isinstance(body, Mapping) else _decoded(body)
    # A callback of a single message, which other services of Routee's send, has an object for its status.
    worded = isinstance(answer.get("status"), str)
    if "flowId" in answer and ("steps" in answer or (worded and "messages" not in answer)):
        identity = _flow(answer, "flowId", "steps")
        return Read(("otp", identity), OtpRecord.from_dict(answer), answer)
    if "trackingId" in answer and ("messages" in answer or worded):
        identity = _flow(answer, "trackingId", "messages")
        return Read(("flow", identity), FlowRecord.from_dict(answer), answer)
    direction = answer.get("direction")
    if not isinstance(direction, str) or direction.lower() != "inbound":
        _refuse("it has neither trackingId and messages, nor flowId and steps, nor the direction Inbound")
    return Read(("inbound", _id(answer, "from")), InboundMessage.from_dict(answer), answer)


def _refuse(why: str) -> NoReturn:
    raise InvalidCallback(f"this is no callback of Routee's: {why}")


def _decoded(body: object) -> dict[str, Any]:
    if isinstance(body, str):
        # Each letter takes a byte or more, so that what is too long need not be encoded to know it.
        body = body[: LARGEST_CALLBACK + 1].encode("utf-8", "surrogatepass")
    if not isinstance(body, bytes | bytearray | memoryview):
        raise InvalidCallback(f"a callback is bytes, text or a mapping, not {type(body).__name__}")
    if memoryview(body).nbytes > LARGEST_CALLBACK:
        _refuse(f"it has more than {LARGEST_CALLBACK} bytes")
    data = bytes(body)
    try:
        answer = decode(data)
    except ValueError:
        _refuse("it is not JSON")
    # Nothing is nested deeper than there are brackets; few callbacks have so many that it has to be looked at.
    if data.count(b"{") + data.count(b"[") > MAX_DEPTH:
        _measure(answer)
    if not isinstance(answer, dict):
        _refuse("it is no JSON object")
    return answer


def _measure(answer: object) -> None:
    level: list[Any] = [answer] if isinstance(answer, dict | list) else []
    for _ in range(MAX_DEPTH):
        entries = (entry for outer in level for entry in (outer.values() if isinstance(outer, dict) else outer))
        level = [entry for entry in entries if isinstance(entry, dict | list)]
    if level:
        _refuse(_TOO_DEEP)


_TOO_DEEP = f"it is nested more than {MAX_DEPTH} deep"


def _copied(body: Mapping[str, Any]) -> dict[str, Any]:
    """A copy that nobody else can change, with nothing in it but what JSON says."""
    left = MOST_VALUES

    def copy(value: Any, depth: int) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            _refuse(f"it holds more than {MOST_VALUES} values")
        if depth == MAX_DEPTH and isinstance(value, Mapping | list | tuple):
            _refuse(_TOO_DEEP)
        if isinstance(value, Mapping):
            if not all(isinstance(key, str) for key in value):
                _refuse("not all of its keys are text")
            return {key: copy(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [copy(item, depth + 1) for item in cast("list[Any]", value)]
        if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**64:
            return _as_float(value)
        if value is not None and not isinstance(value, str | int | float):
            _refuse(f"JSON cannot say a {type(value).__name__}")
        return value

    return cast("dict[str, Any]", copy(body, 0))


def _as_float(value: int) -> float:
    """A number beyond 64 bits as it is read out of bytes."""
    try:
        return float(value)
    except OverflowError:
        _refuse("it holds a number that is too large")


def _flow(answer: JsonObject, key: str, entries: str) -> str:
    """The id of a flow whose shape is as documented."""
    listed = answer.get(entries)
    if listed is not None and not (isinstance(listed, list) and all(isinstance(entry, dict) for entry in listed)):
        _refuse(f"{entries} is no list of objects")
    if listed is not None and len(listed) > MOST_ENTRIES:
        _refuse(f"{entries} has more than {MOST_ENTRIES} entries")
    if not isinstance(answer.get("status"), str | None):
        _refuse("status is no text")
    return _id(answer, key)


def _id(answer: JsonObject, key: str) -> str:
    value = answer.get(key)
    # Ids are shown in logs and kept to tell repeats, so that they are short and hold nothing that a log would obey.
    if not isinstance(value, str) or not value or len(value) > LONGEST_ID or not value.isprintable():
        _refuse(f"{key} is no text of 1 to {LONGEST_ID} printable letters")
    return value
