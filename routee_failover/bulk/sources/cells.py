"""Cells: how a value is written in a message, and which texts can be none.

All sources go by this module, so that one value gives one text whatever the format of the file.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import date, time
from decimal import Decimal
from math import isfinite
from typing import Any
from uuid import UUID

from ..._wire.flow_file import MAX_DIGITS, MAX_TEXT_LENGTH
from .base import Unreadable
from .column_names import first_duplicate, normalize_column_name
from .line_reader import NOT_UTF8

MAX_CELL_LENGTH = MAX_TEXT_LENGTH
"""Characters. No message may have as many."""
MAX_COLUMNS = 16_384
"""Columns of one row, as in the widest spreadsheet."""

# A line end or a tab in a text is what somebody wrote. Marks of direction and joiners are letters of Arabic, Persian,
# Indian scripts and emoji; numbers that are copied from a phone begin with one. An override turns the text around.
_find_unsendable = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202d\u202e\u206a-\u206f\ufff9-\ufffb\ufffd\ud800-\udfff\ufdd0-\ufdef"
    + "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
    + "]"
)
# 10.00 is money and 10.000 may be ten thousand: those stay. Doubles hold 15 digits.
_match_zero_fraction = re.compile(r"([+-]?(?:0|[1-9][0-9]{0,14}))\.0(?:000+)?").fullmatch


def to_cell_text(value: object) -> str | None:
    """How a value is written in a message; `None` for what has no way to be.

    Numbers are written as Python does, but whole ones without a fraction: a table with gaps holds numbers as 5.0.
    """
    if isinstance(value, str):
        return strip_zero_fraction(str.__str__(value))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return int.__repr__(value) if value.bit_length() <= 3 * MAX_DIGITS else None
    if isinstance(value, float):
        return (
            strip_zero_fraction(float.__repr__(value)) if isfinite(value) else None
        )  # not finite is how tables write a gap
    if isinstance(value, Decimal):
        small = value.is_finite() and -MAX_DIGITS < value.adjusted() < MAX_DIGITS
        return strip_zero_fraction(format(value, "f")) if small else None
    if isinstance(value, bytes | bytearray | memoryview):
        return _decode_utf8(bytes(value))
    if isinstance(value, date | time):
        return None if type(value).__name__ in _MISSING_TYPE_NAMES else value.isoformat()
    if type(value).__module__ == "numpy":
        return _numpy_scalar_text(value)
    return str(value) if isinstance(value, UUID) else None


def strip_zero_fraction(text: str) -> str:
    """The text, without its fraction where it is a whole number that a table or a spreadsheet has written with one."""
    found = _match_zero_fraction(text)
    return found[1] if found else text


def _numpy_scalar_text(value: Any) -> str | None:
    """A scalar of numpy's that is of no class of Python's."""
    plain = value.item()
    # A float of 32 bits has a longer text as one of 64: 0.1 would be 0.10000000149011612.
    return (
        to_cell_text(float(str(value)) if isinstance(plain, float) else plain)
        if type(plain) is not type(value)
        else None
    )


def _decode_utf8(value: bytes) -> str | None:
    try:
        return strip_zero_fraction(value.decode())
    except UnicodeDecodeError:
        return None


def is_sendable(joined: str) -> bool:
    """Whether texts that are joined can all be sent as they are; where it is false they have to be looked at."""
    return joined.isprintable() and ".0" not in joined and "\ufffd" not in joined


def validate_texts(texts: dict[str, str]) -> dict[str, str] | Unreadable:
    """The texts of a row as they can be sent, or which of them cannot be and why."""
    joined = "".join(texts.values())
    if len(joined) <= MAX_CELL_LENGTH and is_sendable(joined):
        return texts
    if len(joined) > MAX_CELL_LENGTH:
        for column, text in texts.items():
            if len(text) > MAX_CELL_LENGTH:
                return Unreadable(f"has a value longer than {MAX_CELL_LENGTH:,} characters in column {column}")
    if _find_unsendable.search(joined):
        for column, text in texts.items():
            if found := _find_unsendable.search(text):
                return Unreadable(_unsendable_reason(found[0], column))
    return {column: strip_zero_fraction(text) for column, text in texts.items()}


def _unsendable_reason(letter: str, column: str) -> str:
    if "\udc80" <= letter <= "\udcff":
        return f"{NOT_UTF8} in column {column}"  # how a byte is kept that could not be decoded
    code = f"U+{ord(letter):04X}"
    if letter == "\ufffd":
        return f"has {code} in column {column}: it was read in a wrong encoding before it came into this file"
    if "\ud800" <= letter <= "\udfff":
        return f"has half a letter ({code}) in column {column}"
    return f"has a control letter ({code}) in column {column}"


class CellExtractor:
    """Takes the cells that are used out of rows, whichever way their columns are written."""

    def __init__(self, columns: Collection[str] | None = None) -> None:
        """`columns` are those that are used, all where it is `None`."""
        self._columns = columns
        self._plans: dict[tuple[Any, ...], list[tuple[str, str]] | Unreadable] = {}

    def extract(self, values: Mapping[Any, object]) -> dict[str, str] | Unreadable:
        """The texts of a row; what is absent, or is a list or an object, is left out."""
        keys = tuple(values)
        plan = self._plans.get(keys)
        if plan is None:
            plan = self._plan(keys)
        if isinstance(plan, Unreadable):
            return plan
        texts: dict[str, str] = {}
        for key, column in plan:
            value = values[key]
            text = value if type(value) is str else to_cell_text(value)
            if text is not None:
                texts[column] = text
            elif not is_missing(value):
                return Unreadable(unsupported_value_reason(value, column))
        return validate_texts(texts)

    def _plan(self, keys: tuple[Any, ...]) -> list[tuple[str, str]] | Unreadable:
        if len(keys) > MAX_COLUMNS:
            return Unreadable(f"has more than {MAX_COLUMNS:,} values")
        named = [(key, normalize_column_name(key)) for key in keys if isinstance(key, str)]
        plan = [(key, column) for key, column in named if self._columns is None or column in self._columns]
        twice = first_duplicate(column for _, column in plan)
        found = plan if twice is None else Unreadable(f"has the column {twice} twice, written in two ways")
        if len(keys) <= 100 and len(self._plans) < 1000:
            self._plans[keys] = found
        return found


def is_missing(value: object) -> bool:
    """Whether a value stands for none: a null, what is not a number, or a structure that no text is made of."""
    if isinstance(value, Decimal):
        return not value.is_finite()
    if isinstance(value, float):
        return not isfinite(value)
    # pandas' marks for a gap are of no class that is there without pandas.
    return (
        value is None or isinstance(value, Mapping | list | tuple | set) or type(value).__name__ in _MISSING_TYPE_NAMES
    )


_MISSING_TYPE_NAMES = frozenset({"NaTType", "NAType"})


def unsupported_value_reason(value: object, column: str) -> str:
    """Why a value that is no gap has no text."""
    if isinstance(value, bytes | bytearray | memoryview):
        return f"has bytes in column {column} that are not UTF-8"
    if isinstance(value, int | Decimal):
        return f"has a number of more than {MAX_DIGITS} digits in column {column}"
    return f"has a value in column {column} that is no text, number, truth, date or time ({type(value).__name__})"


def normalize_column_names(raw_names: Iterable[str]) -> tuple[str, ...]:
    """The columns that names which are written somehow stand for, each once."""
    return tuple(dict.fromkeys(name for name in map(normalize_column_name, raw_names) if name))
