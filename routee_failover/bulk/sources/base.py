"""What a bulk run reads its rows from: lines with values, which can be gone through again."""

from collections.abc import AsyncIterable, Collection, Iterable, Iterator, Mapping
from typing import NamedTuple, Protocol, runtime_checkable


class Unreadable(NamedTuple):
    """Stands where a row's values should, and says why they cannot be read, quoting nothing of them."""

    reason: str


SourceRow = tuple[int, Mapping[str, str] | Unreadable]
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

    def __iter__(self) -> Iterator[SourceRow]:
        """The rows, one after the other; one that is broken is `Unreadable` and ends nothing."""
        ...


@runtime_checkable
class Selectable(Protocol):
    """A source that can leave out the columns which are not used, and with them what is wrong in them."""

    def select(self, columns: Collection[str]) -> Source:
        """The same rows with these columns alone, named as `normalize_column_name` writes them. Raises `InvalidSource`."""
        ...


Recipients = Source | Iterable[Mapping[str, object]] | AsyncIterable[Mapping[str, object]]
"""What a template makes rows of."""
