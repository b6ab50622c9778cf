"""Lenient readers of the values in a JSON object: what is missing or of another type is `None`."""

import functools
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TypeVar, cast

from .record import JsonObject
from .statuses import OpenEnum

_E = TypeVar("_E", bound=OpenEnum)


def get_str(data: JsonObject, key: str) -> str | None:
    """The text under a key; numbers count as text, anything else as missing."""
    value = data.get(key)
    if isinstance(value, str):
        return value
    try:
        return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    except ValueError:  # Python writes no number of more than 4,300 digits
        return None


def get_float(data: JsonObject, key: str) -> float | None:
    """The number under a key, also where Routee writes it as text."""
    value = data.get(key)
    try:
        found = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
    except (ValueError, OverflowError):
        return None
    return found if found is not None and math.isfinite(found) else None


def get_int(data: JsonObject, key: str) -> int | None:
    """The whole number under a key, also where Routee writes it as text (`statusCode` is one of both)."""
    value = data.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        return value if value.bit_length() <= _LONGEST_WHOLE else None
    found = get_float(data, key)
    return int(found) if found is not None and found.is_integer() else None


_LONGEST_WHOLE = 1024
"""Bits, as many as a float comes near; nothing that Routee counts has more, and Python may refuse to write it."""


def get_bool(data: JsonObject, key: str) -> bool | None:
    """The answer to a question under a key; whatever is neither `true` nor `false` counts as missing."""
    value = data.get(key)
    return value if isinstance(value, bool) else None


def get_timedelta(data: JsonObject, key: str, unit: timedelta) -> timedelta | None:
    """The duration under a key, which counts in units; one that no `timedelta` can hold counts as missing."""
    found = get_float(data, key)
    try:
        return None if found is None else found * unit
    except OverflowError:
        return None


def get_datetime(data: JsonObject, key: str) -> datetime | None:
    """The time under a key; one without an offset is taken for UTC, as all of Routee's examples are."""
    value = data.get(key)
    try:
        when = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return when.replace(tzinfo=UTC) if when is not None and when.tzinfo is None else when


def get_enum(enum: type[_E], data: JsonObject, key: str) -> _E | None:
    """The word under a key, as a member of an open list."""
    value = data.get(key)
    if not isinstance(value, str) or not value:
        return None
    return _member(enum, value) if len(value) <= _LONGEST_KEPT else enum(value)


_LONGEST_KEPT = 40


# Words come again and again; calling an enum costs more than everything else that is read of an answer.
@functools.lru_cache(256)
def _member(enum: type[_E], value: str) -> _E:
    return enum(value)


def get_enums(enum: type[_E], data: JsonObject, key: str) -> tuple[_E, ...]:
    """The words of the list under a key."""
    value = data.get(key)
    items = value if isinstance(value, list) else []
    return tuple(enum(item) for item in items if isinstance(item, str) and item)


def get_object(data: JsonObject, key: str) -> JsonObject:
    """The object under a key, or an empty one."""
    value = data.get(key)
    return cast("JsonObject", value) if isinstance(value, Mapping) else {}


def get_objects(data: JsonObject, key: str) -> list[JsonObject]:
    """The objects of the list under a key."""
    value = data.get(key)
    return [cast("JsonObject", item) for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
