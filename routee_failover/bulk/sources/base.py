"""Interface of a row source: numbered lines with values, which can be iterated several times."""

from collections.abc import AsyncIterable, Collection, Iterable, Iterator, Mapping
from typing import NamedTuple, Protocol, runtime_checkable


class Unreadable(NamedTuple):
    """A row whose values cannot be read, with the reason, which does not quote them."""

    reason: str


SourceRow = tuple[int, Mapping[str, str] | Unreadable]
"""A line number, as an editor shows it, and the values of that row by column."""


@runtime_checkable
class Source(Protocol):
    """Rows that can be read several times: each iteration starts from the first row."""

    @property
    def name(self) -> str:
        """The name of the source in errors."""
        ...

    @property
    def columns(self) -> tuple[str, ...] | None:
        """The columns of its rows; `None` if they are not known before the rows are read."""
        ...

    @property
    def total(self) -> int | None:
        """The number of rows; `None` if it is not known without reading them."""
        ...

    def __iter__(self) -> Iterator[SourceRow]:
        """Iterate over the rows. A row that cannot be read is `Unreadable`, and the iteration continues after it."""
        ...


@runtime_checkable
class Selectable(Protocol):
    """A source that can skip unused columns, and with them any errors in them."""

    def select(self, columns: Collection[str]) -> Source:
        """Return the same rows with only these columns (normalized names). Raises `InvalidSource`."""
        ...


Recipients = Source | Iterable[Mapping[str, object]] | AsyncIterable[Mapping[str, object]]
"""What a template accepts as the source of its rows."""
