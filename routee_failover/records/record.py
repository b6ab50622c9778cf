"""What every record shares: it keeps the whole answer, reads it leniently, and shows it with its secrets masked."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, cast

import attrs

from .._value_object import ValueObject
from ..secret import MASK, SecretMapping

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
