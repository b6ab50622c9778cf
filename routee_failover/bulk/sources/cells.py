"""Cells: conversion of values to message texts, and the check for characters that cannot be sent.

All sources use this module, so that a value gives the same text whatever the format of the file.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import date, time
from decimal import Decimal
from math import isfinite
from typing import Any
from uuid import UUID

from ...flows.size_limits import MAX_DIGITS, MAX_TEXT_LENGTH
from .base import Unreadable
from .column_names import first_duplicate, normalize_column_name
from .line_reader import NOT_UTF8

MAX_CELL_LENGTH = MAX_TEXT_LENGTH
"""Maximum length of a cell in characters. It is more than any message may have."""
MAX_COLUMNS = 16_384
"""Maximum number of columns of a row, as in the widest spreadsheet."""

# Line ends and tabs are allowed: authors use them. So are directional marks and joiners: Arabic, Persian, Indic scripts
# and emoji need them, and numbers copied from a phone start with one. Directional overrides are not: they reverse text.
_find_unsendable = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202d\u202e\u206a-\u206f\ufff9-\ufffb\ufffd\ud800-\udfff\ufdd0-\ufdef"
    + "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
    + "]"
)
# 10.00 is an amount and 10.000 may be ten thousand: those are unchanged. Doubles have 15 significant digits.
_match_zero_fraction = re.compile(r"([+-]?(?:0|[1-9][0-9]{0,14}))\.0(?:000+)?").fullmatch


def to_cell_text(value: object) -> str | None:
    """Return the text of a value in a message; `None` for a value that has none.

    Numbers are formatted as in Python, but whole ones without a fraction: a table column with nulls stores 5 as 5.0.
    """
    if isinstance(value, str):
        return strip_zero_fraction(str.__str__(value))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return int.__repr__(value) if value.bit_length() <= 3 * MAX_DIGITS else None
    if isinstance(value, float):
        return strip_zero_fraction(float.__repr__(value)) if isfinite(value) else None  # tables write a null as NaN
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
    """Return the text without `.0` or `.0000`, which tables and spreadsheets add to whole numbers."""
    match = _match_zero_fraction(text)
    return match[1] if match else text


def _numpy_scalar_text(value: Any) -> str | None:
    """Return the text of a numpy scalar whose type is not a subclass of a Python type."""
    python_value = value.item()
    # Converted to 64 bits, a 32-bit 0.1 would be 0.10000000149011612.
    return (
        to_cell_text(float(str(value)) if isinstance(python_value, float) else python_value)
        if type(python_value) is not type(value)
        else None
    )


def _decode_utf8(value: bytes) -> str | None:
    try:
        return strip_zero_fraction(value.decode())
    except UnicodeDecodeError:
        return None


def is_sendable(joined: str) -> bool:
    """Return whether joined texts can all be sent unchanged. `False` means that each has to be checked."""
    return joined.isprintable() and ".0" not in joined and "\ufffd" not in joined


def validate_texts(texts: dict[str, str]) -> dict[str, str] | Unreadable:
    """Return the texts of a row as they are sent, or the reason why one of them cannot be."""
    joined = "".join(texts.values())
    if len(joined) <= MAX_CELL_LENGTH and is_sendable(joined):
        return texts
    if len(joined) > MAX_CELL_LENGTH:
        for column, text in texts.items():
            if len(text) > MAX_CELL_LENGTH:
                return Unreadable(f"has a value longer than {MAX_CELL_LENGTH:,} characters in column {column}")
    if _find_unsendable.search(joined):
        for column, text in texts.items():
            if match := _find_unsendable.search(text):
                return Unreadable(_unsendable_reason(match[0], column))
    return {column: strip_zero_fraction(text) for column, text in texts.items()}


def _unsendable_reason(character: str, column: str) -> str:
    if "\udc80" <= character <= "\udcff":
        return f"{NOT_UTF8} in column {column}"  # surrogateescape: a byte that could not be decoded
    code = f"U+{ord(character):04X}"
    if character == "\ufffd":
        return f"has {code} in column {column}: it was decoded with a wrong encoding before it was written to this file"
    if "\ud800" <= character <= "\udfff":
        return f"has half of a surrogate pair ({code}) in column {column}"
    return f"has a control character ({code}) in column {column}"


class CellExtractor:
    """Extracts the used cells of rows, however their column names are written."""

    def __init__(self, columns: Collection[str] | None = None) -> None:
        """`columns` are the used ones; `None` means all."""
        self._columns = columns
        self._plans: dict[tuple[Any, ...], list[tuple[str, str]] | Unreadable] = {}

    def extract(self, values: Mapping[Any, object]) -> dict[str, str] | Unreadable:
        """Return the texts of a row, without the columns whose value is missing, a list or an object."""
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
        normalized = [(key, normalize_column_name(key)) for key in keys if isinstance(key, str)]
        used = [(key, column) for key, column in normalized if self._columns is None or column in self._columns]
        duplicate = first_duplicate(column for _, column in used)
        plan = used if duplicate is None else Unreadable(f"has the column {duplicate} twice, written in two ways")
        if len(keys) <= 100 and len(self._plans) < 1000:
            self._plans[keys] = plan
        return plan


def is_missing(value: object) -> bool:
    """Return whether a value counts as missing: a null, NaN, or a structure that has no text."""
    if isinstance(value, Decimal):
        return not value.is_finite()
    if isinstance(value, float):
        return not isfinite(value)
    # The classes of pandas' missing values cannot be imported without pandas.
    return (
        value is None or isinstance(value, Mapping | list | tuple | set) or type(value).__name__ in _MISSING_TYPE_NAMES
    )


_MISSING_TYPE_NAMES = frozenset({"NaTType", "NAType"})


def unsupported_value_reason(value: object, column: str) -> str:
    """Return the reason why a value that is not missing has no text."""
    if isinstance(value, bytes | bytearray | memoryview):
        return f"has bytes in column {column} that are not UTF-8"
    if isinstance(value, int | Decimal):
        return f"has a number of more than {MAX_DIGITS} digits in column {column}"
    return f"has a value in column {column} that is not a text, number, boolean, date or time ({type(value).__name__})"


def normalize_column_names(raw_names: Iterable[str]) -> tuple[str, ...]:
    """Return the normalized form of column names, each once, without empty ones."""
    return tuple(dict.fromkeys(name for name in map(normalize_column_name, raw_names) if name))
