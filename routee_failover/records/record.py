"""What every record shares: it keeps the whole answer, reads it leniently, and shows it with its secrets masked."""

import functools
import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, TypeVar, cast

import attrs

from .._value_object import ValueObject
from ..secret import MASK, SecretMapping
from .statuses import OpenEnum

_E = TypeVar("_E", bound=OpenEnum)

JsonObject = Mapping[str, Any]


def _private(answer: JsonObject) -> SecretMapping:
    return SecretMapping.wrap(answer) if isinstance(answer, dict) else SecretMapping(answer)


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class Record(ValueObject):
    """An answer of Routee's. What is typed is typed; all the rest stays within reach in `raw`."""

    _data: SecretMapping = attrs.field(converter=_private, repr=False, hash=False, alias="data")

    redact_texts: ClassVar[bool] = False
    """Whether the texts of messages are secrets here, because they hold a one-time password."""

    @property
    def raw(self) -> dict[str, Any]:
        """The whole answer in Routee's names, unknown keys included; a PIN in it is masked."""
        return cast("dict[str, Any]", redact(self._data.reveal(), redact_texts=self.redact_texts))

    def __getstate__(self) -> dict[str, Any]:
        # A pickle is a file that others read: it holds the answer as `raw` shows it.
        return {**self.__dict__, "_data": self.raw}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _data=SecretMapping(state["_data"]))


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


MAX_DEPTH = 64
"""How deep an answer is shown; what is nested deeper is masked whole."""

_TEXT_KEYS = frozenset({"body", "text", "message"})
_PARAM_KEYS = frozenset({"templateParams", "template_params"})
_NAMES_AND_TIMES = re.compile(r"(?i).*(id|at|date|token|phone_number)|to|from|phone|type|status|name").fullmatch


def _pins(value: Any, depth: int = 0) -> Iterator[str]:
    if depth > MAX_DEPTH:
        return
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key == "pin" and isinstance(item, str | int) and item != "":
                yield str(item)
            else:
                yield from _pins(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            yield from _pins(item, depth + 1)


def redact(data: JsonObject, *, redact_texts: bool = False) -> Any:
    """A copy without secrets: PINs wherever a text holds them, values of template parameters, and texts where asked."""
    pins = [pin for pin in set(_pins(data)) if pin != MASK]

    def mask(value: Any, key: str = "", depth: int = 0) -> Any:
        if depth > MAX_DEPTH:
            return MASK
        if key == "pin" or (redact_texts and key in _TEXT_KEYS and isinstance(value, str)):
            return value if value is None else MASK
        if isinstance(value, Mapping):
            if key in _PARAM_KEYS:
                return dict.fromkeys(value, MASK)
            return {name: mask(item, name, depth + 1) for name, item in value.items()}
        if isinstance(value, list):
            return [mask(item, key, depth + 1) for item in value]
        # The digits of a PIN may stand in an id or a time by chance, and those must stay what they are.
        if isinstance(value, str) and not _NAMES_AND_TIMES(key):
            for pin in pins:
                value = value.replace(pin, MASK)
        return value

    return mask(data)
