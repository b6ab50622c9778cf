"""Rows that a program has already: any iterable of mappings, numbered from 1, and sources of a program's own."""

from collections.abc import AsyncIterable, AsyncIterator, Collection, Iterable, Iterator, Mapping, Sized

from .cells import Picker
from .source import Read, Selectable, Source, Unreadable

_NO_MAPPING = "is no mapping of columns to values"


class Mappings:
    """An iterable of mappings as a source; it can be read again where the iterable can."""

    def __init__(self, mappings: Iterable[Mapping[str, object]], columns: Collection[str] | None = None) -> None:
        self.name: str = "the rows"
        self.columns: tuple[str, ...] | None = None
        self.total: int | None = len(mappings) if isinstance(mappings, Sized) else None
        self._mappings = mappings
        self.used = columns

    def select(self, columns: Collection[str]) -> "Mappings":
        """The same rows with these columns alone."""
        return Mappings(self._mappings, columns)

    def __iter__(self) -> Iterator[Read]:
        picker = Picker(self.used)
        for line, mapping in enumerate(self._mappings, 1):
            yield line, _read(mapping, picker)


class AsyncMappings:
    """An async iterable of mappings, read as it comes."""

    def __init__(self, mappings: AsyncIterable[Mapping[str, object]], columns: Collection[str] | None = None) -> None:
        self.name: str = "the rows"
        self.columns: tuple[str, ...] | None = None
        self._mappings = mappings
        self.used = columns

    async def __aiter__(self) -> AsyncIterator[Read]:
        picker = Picker(self.used)
        line = 0
        async for mapping in self._mappings:
            line += 1
            yield line, _read(mapping, picker)


def selected(source: Source, columns: Collection[str]) -> Source:
    """A source's rows with the columns alone that are used; raises `InvalidSource` where they cannot be read."""
    return source.select(columns) if isinstance(source, Selectable) else _Selected(source, columns)


class _Selected:
    """A source that gives all that it has: what is used of it is held to what holds for every cell."""

    def __init__(self, source: Source, columns: Collection[str]) -> None:
        self.name: str = source.name
        self.columns: tuple[str, ...] | None = source.columns
        self.total: int | None = source.total
        self._source = source
        self.used = columns

    def __iter__(self) -> Iterator[Read]:
        picker = Picker(self.used)
        for line, values in self._source:
            yield line, values if isinstance(values, Unreadable) else _read(values, picker)


def _read(mapping: object, picker: Picker) -> Mapping[str, str] | Unreadable:
    return picker.texts(mapping) if isinstance(mapping, Mapping) else Unreadable(_NO_MAPPING)
