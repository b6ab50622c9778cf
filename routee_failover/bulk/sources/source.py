"""What a bulk run reads its rows from: lines with values, which can be gone through again."""

from collections.abc import AsyncIterable, Iterable, Iterator, Mapping
from datetime import date, time
from decimal import Decimal
from math import isfinite
from typing import NamedTuple, Protocol, runtime_checkable


class Unreadable(NamedTuple):
    """Stands where a row's values should, and says why they cannot be read, quoting nothing of them."""

    reason: str


Read = tuple[int, Mapping[str, str] | Unreadable]
"""A line number, as an editor shows it, and what stands there."""


@runtime_checkable
class Source(Protocol):
    """Rows that can be read again: each pass begins anew."""

    @property
    def name(self) -> str:
        """What it is called in errors."""
        ...

    @property
    def columns(self) -> tuple[str, ...] | None:
        """The columns that its rows have, where that is known before they are read."""
        ...

    @property
    def total(self) -> int | None:
        """How many rows there are, where that is known without reading them."""
        ...

    def __iter__(self) -> Iterator[Read]:
        """The rows, one after the other; one that is broken is `Unreadable` and ends nothing."""
        ...


Recipients = Source | Iterable[Mapping[str, object]] | AsyncIterable[Mapping[str, object]]
"""What a template makes rows of."""


def texts_of(values: Mapping[str, object]) -> dict[str, str]:
    """The values of a row as texts; what is absent, or no text, number or truth, is left out."""
    return {column: text for column, value in values.items() if (text := as_text(value)) is not None}


def as_text(value: object) -> str | None:
    """How a value is written in a message; `None` for what has no way to be.

    Numbers are written as Python does, but whole ones without a fraction: a table with gaps holds numbers as 5.0.
    """
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if not isfinite(value):
            return None  # how tables write a gap
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.isoformat() if isinstance(value, date | time) else None
