"""Base class of records: it keeps the whole response and shows it with its secrets redacted."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, cast

import attrs

from .._value_object import ValueObject
from ..secret import MASK, SecretMapping

JsonObject = Mapping[str, Any]

REPLACEMENT_CHARACTER = "\ufffd"
"""Replaces an invalid byte, or half of a surrogate pair, in decoded text. An id that contains it is not the real id."""


def _as_secret_mapping(data: JsonObject) -> SecretMapping:
    return SecretMapping.wrap(data) if isinstance(data, dict) else SecretMapping(data)


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class Record(ValueObject):
    """A response from Routee: documented values have typed attributes, and `raw` contains everything."""

    _data: SecretMapping = attrs.field(converter=_as_secret_mapping, repr=False, hash=False, alias="data")

    redact_texts: ClassVar[bool] = False
    """Whether the texts of messages are secrets here, because they contain a one-time password."""

    @property
    def raw(self) -> dict[str, Any]:
        """The whole response under Routee's names, unknown keys included; a PIN in it is masked."""
        return cast("dict[str, Any]", redact(self._data.reveal(), redact_texts=self.redact_texts))

    def __getstate__(self) -> dict[str, Any]:
        # A pickle is a file that others may read: it contains the response as `raw` shows it.
        return {**self.__dict__, "_data": self.raw}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _data=SecretMapping(state["_data"]))


MAX_DEPTH = 64
"""Maximum nesting of a response that is shown; what is nested deeper is masked as a whole."""

_TEXT_KEYS = frozenset({"body", "text", "message"})
_PARAM_KEYS = frozenset({"templateParams", "template_params"})
_is_id_or_time_key = re.compile(r"(?i).*(id|at|date|token|phone_number)|to|from|phone|type|status|name").fullmatch


def _find_pins(value: Any, depth: int = 0) -> Iterator[str]:
    if depth > MAX_DEPTH:
        return
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key == "pin" and isinstance(item, str | int) and item != "":
                yield str(item)
            else:
                yield from _find_pins(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            yield from _find_pins(item, depth + 1)


def redact(data: JsonObject, *, redact_texts: bool = False) -> Any:
    """Return a copy without secrets: PINs, also inside texts, values of template parameters, and texts if requested."""
    pins = [pin for pin in set(_find_pins(data)) if pin != MASK]

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
        # The digits of a PIN may occur in an id or a time by chance, and those must not change.
        if isinstance(value, str) and not _is_id_or_time_key(key):
            for pin in pins:
                value = value.replace(pin, MASK)
        return value

    return mask(data)
