"""Conversion of Parquet columns to cell texts; values that Python cannot represent are reported cell by cell."""

from importlib import import_module
from typing import Any, cast

from .base import Unreadable
from .cells import MAX_CELL_LENGTH, is_missing, is_sendable, to_cell_text, unsupported_value_reason

ParquetCell = str | None | Unreadable
"""The text of a cell, `None` for a null, or the reason why the value has no text."""
_MAX_CELL_BYTES = 4 * MAX_CELL_LENGTH


def is_readable_type(arrow_type: Any) -> bool:
    """Return whether values of this type can have a text: lists, structs and the null type cannot."""
    from pyarrow import types  # noqa: PLC0415  # an extra

    return not types.is_nested(arrow_type) and not types.is_null(arrow_type)


def column_to_cells(column: Any, name: str) -> list[ParquetCell]:
    """Return the cells of a column, as `to_cell_text` formats them."""
    from pyarrow import types  # noqa: PLC0415  # an extra

    try:
        if types.is_dictionary(column.type):
            column = column.dictionary_decode()
        if types.is_float32(column.type) or types.is_float16(column.type):
            # Converted to a Python float, a 32-bit 0.1 would be 0.10000000149011612.
            return [_float(text) for text in column.cast("string").to_pylist()]
        if _has_long_cells(column):
            return [_cell(column[index], name) for index in range(len(column))]
        values: list[object] = column.to_pylist()
    except Exception:  # noqa: BLE001  # pyarrow raises many types for values that Python cannot represent
        return [_cell(column[place], name) for place in range(len(column))]
    return [value if type(value) is str else _text(value, name) for value in values]


def are_sendable(cells: list[ParquetCell]) -> bool:
    """Return whether all cells are texts that can be sent unchanged."""
    texts = cast("list[str]", cells)
    try:
        joined = "".join(texts)
    except TypeError:
        return False
    return is_sendable(joined) and (len(joined) <= MAX_CELL_LENGTH or max(map(len, texts)) <= MAX_CELL_LENGTH)


def _has_long_cells(column: Any) -> bool:
    from pyarrow import types  # noqa: PLC0415  # an extra

    compute: Any = import_module("pyarrow.compute")  # it defines its functions on import: type checkers do not see them
    arrow_type = column.type
    if not any(
        matches(arrow_type)
        for matches in (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary)
    ):
        return False
    longest = compute.max(compute.binary_length(column)).as_py()
    return longest is not None and longest > _MAX_CELL_BYTES


def _float(text: str | None) -> ParquetCell:
    return None if text is None else to_cell_text(float(text))


def _cell(scalar: Any, name: str) -> ParquetCell:
    size = getattr(scalar, "as_buffer", lambda: None)()
    if size is not None and size.size > _MAX_CELL_BYTES:
        return Unreadable(f"has a value longer than {MAX_CELL_LENGTH:,} characters in column {name}")
    try:
        return _text(scalar.as_py(), name)
    except UnicodeDecodeError:
        return Unreadable(f"has bytes in column {name} that are not UTF-8")
    except Exception:  # noqa: BLE001  # pyarrow raises many types for values that Python cannot represent
        return Unreadable(f"has a value in column {name} that cannot be read as it is ({scalar.type})")


def _text(value: object, name: str) -> ParquetCell:
    text = to_cell_text(value)
    return text if text is not None or is_missing(value) else Unreadable(unsupported_value_reason(value, name))
