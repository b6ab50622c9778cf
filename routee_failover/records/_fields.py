"""Lenient accessors for the values of a JSON object: a missing value, or one of another type, is `None` or empty."""

import functools
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TypeVar, cast

from .record import REPLACEMENT_CHARACTER, JsonObject
from .statuses import OpenEnum

_E = TypeVar("_E", bound=OpenEnum)


def get_str(data: JsonObject, key: str) -> str | None:
    """Return the text under a key; a number is converted to text, anything else counts as missing."""
    value = data.get(key)
    if isinstance(value, str):
        return value
    try:
        return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    except ValueError:  # Python does not convert a number of more than 4,300 digits
        return None


def get_required_str(data: JsonObject, key: str) -> str:
    """Return the text under a key. Raises `ValueError` if there is none, or if a part of it could not be read."""
    value = data.get(key)
    if isinstance(value, str) and value and REPLACEMENT_CHARACTER not in value:
        return value
    raise ValueError(f"has no {key}")


def get_float(data: JsonObject, key: str) -> float | None:
    """Return the finite number under a key, also if Routee writes it as text."""
    value = data.get(key)
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
    except (ValueError, OverflowError):
        return None
    return number if number is not None and math.isfinite(number) else None


def get_int(data: JsonObject, key: str) -> int | None:
    """Return the whole number under a key, also if Routee writes it as text (`statusCode` comes as both)."""
    value = data.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        return value if value.bit_length() <= _MAX_INT_BITS else None
    number = get_float(data, key)
    return int(number) if number is not None and number.is_integer() else None


_MAX_INT_BITS = 1024
"""Bits, about as many as a float has; no count of Routee's has more, and Python may not print a longer number."""


def get_bool(data: JsonObject, key: str) -> bool | None:
    """Return the flag under a key; anything but `true` and `false` counts as missing."""
    value = data.get(key)
    return value if isinstance(value, bool) else None


def get_timedelta(data: JsonObject, key: str, unit: timedelta) -> timedelta | None:
    """Return the duration under a key, a number of `unit`; one that no `timedelta` can hold counts as missing."""
    number = get_float(data, key)
    try:
        return None if number is None else number * unit
    except OverflowError:
        return None


def get_datetime(data: JsonObject, key: str) -> datetime | None:
    """Return the time under a key: ISO 8601, or the seconds or milliseconds since 1970, as number or text.

    A time without an offset counts as UTC, as in all of Routee's examples.
    """
    value = data.get(key)
    if not isinstance(value, str) or _is_epoch(value):
        return _from_epoch(get_float(data, key))
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        return None
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed


_is_epoch = re.compile(r"\d{9,}(\.\d*)?", re.ASCII).fullmatch
"""A date of digits alone has eight of them."""


def _from_epoch(number: float | None) -> datetime | None:
    """Return the time of an epoch; its magnitude shows its unit, and a number below both ranges is no time."""
    if number is None or not _MIN_EPOCH <= number < _MAX_EPOCH_MILLISECONDS:
        return None
    if number >= _MIN_EPOCH * 1000:
        return datetime.fromtimestamp(number / 1000, UTC)
    return datetime.fromtimestamp(number, UTC) if number < _MAX_EPOCH_MILLISECONDS / 1000 else None


_MIN_EPOCH = 1e9
"""Seconds: the year 2001, before which Routee has sent nothing."""
_MAX_EPOCH_MILLISECONDS = 1e14
"""Milliseconds: the year 5138."""


def get_enum(enum: type[_E], data: JsonObject, key: str) -> _E | None:
    """Return the word under a key as a member of an open enumeration."""
    value = data.get(key)
    if not isinstance(value, str) or not value:
        return None
    return _cached_member(enum, value) if len(value) <= _MAX_CACHED_LENGTH else enum(value)


_MAX_CACHED_LENGTH = 40


# The same words occur again and again, and calling an enum costs more than everything else in reading a response.
@functools.lru_cache(256)
def _cached_member(enum: type[_E], value: str) -> _E:
    return enum(value)


def get_enums(enum: type[_E], data: JsonObject, key: str) -> tuple[_E, ...]:
    """Return the words of the list under a key as members of an open enumeration."""
    value = data.get(key)
    items = value if isinstance(value, list) else []
    return tuple(enum(item) for item in items if isinstance(item, str) and item)


def get_object(data: JsonObject, key: str) -> JsonObject:
    """Return the object under a key, or an empty one."""
    value = data.get(key)
    return cast("JsonObject", value) if isinstance(value, _OBJECT_TYPES) else {}


def get_objects(data: JsonObject, key: str) -> list[JsonObject]:
    """Return the objects of the list under a key; other items are skipped."""
    value = data.get(key)
    items = value if isinstance(value, list) else []
    return [cast("JsonObject", item) for item in items if isinstance(item, _OBJECT_TYPES)]


def flow_id_key(data: JsonObject) -> str:
    """Return the key of a failover OTP flow's id: that service mixes camel and snake case, and filters by `flow_id`."""
    return "flow_id" if data.get("flowId") is None and "flow_id" in data else "flowId"


def get_recipient(data: JsonObject) -> str | None:
    """Return the recipient under `to`, in any of the shapes that Routee documents.

    That of a call is in an object, whose members are ways to reach the same person; an OTP may have a list of one.
    """
    to = data.get("to")
    if isinstance(to, list):
        return get_str({"to": to[0]}, "to") if to else None
    members = get_object(data, "to")
    return get_str(data, "to") or get_str(members, "phone") or get_str(members, "viber") or get_str(members, "sip")


_OBJECT_TYPES = (dict, Mapping)
"""`dict` first, which decoded JSON has: the check of an abstract class costs several times as much."""
