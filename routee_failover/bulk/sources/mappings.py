"""Rows that a program has already: any iterable of mappings, numbered from 1, and sources of a program's own."""

from collections.abc import AsyncIterable, AsyncIterator, Collection, Iterable, Iterator, Mapping, Sized

from .base import Selectable, Source, SourceRow, Unreadable
from .cells import CellExtractor

_NOT_A_MAPPING = "is no mapping of columns to values"


class MappingSource:
    """An iterable of mappings as a source; it can be read again where the iterable can."""

    def __init__(self, mappings: Iterable[Mapping[str, object]], columns: Collection[str] | None = None) -> None:
        self.name: str = "the rows"
        self.columns: tuple[str, ...] | None = None
        self.total: int | None = len(mappings) if isinstance(mappings, Sized) else None
        self._mappings = mappings
        self.selected_columns = columns

    def select(self, columns: Collection[str]) -> "MappingSource":
        """The same rows with these columns alone."""
        return MappingSource(self._mappings, columns)

    def __iter__(self) -> Iterator[SourceRow]:
        picker = CellExtractor(self.selected_columns)
        for line, mapping in enumerate(self._mappings, 1):
            yield line, _extract_row(mapping, picker)


class AsyncMappingSource:
    """An async iterable of mappings, read as it comes."""

    def __init__(self, mappings: AsyncIterable[Mapping[str, object]], columns: Collection[str] | None = None) -> None:
        self.name: str = "the rows"
        self.columns: tuple[str, ...] | None = None
        self._mappings = mappings
        self.selected_columns = columns

    async def __aiter__(self) -> AsyncIterator[SourceRow]:
        picker = CellExtractor(self.selected_columns)
        line = 0
        async for mapping in self._mappings:
            line += 1
            yield line, _extract_row(mapping, picker)


def select_columns(source: Source, columns: Collection[str]) -> Source:
    """A source's rows with the columns alone that are used; raises `InvalidSource` where they cannot be read."""
    return source.select(columns) if isinstance(source, Selectable) else _SelectedColumns(source, columns)


class _SelectedColumns:
    """A source that gives all that it has: what is used of it is held to what holds for every cell."""

    def __init__(self, source: Source, columns: Collection[str]) -> None:
        self.name: str = source.name
        self.columns: tuple[str, ...] | None = source.columns
        self.total: int | None = source.total
        self._source = source
        self.selected_columns = columns

    def __iter__(self) -> Iterator[SourceRow]:
        picker = CellExtractor(self.selected_columns)
        for line, values in self._source:
            yield line, values if isinstance(values, Unreadable) else _extract_row(values, picker)


def _extract_row(mapping: object, extractor: CellExtractor) -> Mapping[str, str] | Unreadable:
    return extractor.extract(mapping) if isinstance(mapping, Mapping) else Unreadable(_NOT_A_MAPPING)
