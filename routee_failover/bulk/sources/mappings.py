"""Sources of rows that are in the program already: any iterable of mappings, numbered from 1, and custom sources."""

from collections.abc import AsyncIterable, AsyncIterator, Collection, Iterable, Iterator, Mapping, Sized

from .base import Selectable, Source, SourceRow, Unreadable
from .cells import CellExtractor

_NOT_A_MAPPING = "is not a mapping of columns to values"


class MappingSource:
    """Source over an iterable of mappings; it can be iterated as often as the iterable."""

    def __init__(self, mappings: Iterable[Mapping[str, object]], columns: Collection[str] | None = None) -> None:
        self.name: str = "the rows"
        self.columns: tuple[str, ...] | None = None
        self.total: int | None = len(mappings) if isinstance(mappings, Sized) else None
        self._mappings = mappings
        self.selected_columns = columns

    def select(self, columns: Collection[str]) -> "MappingSource":
        """Return the same rows with only these columns."""
        return MappingSource(self._mappings, columns)

    def __iter__(self) -> Iterator[SourceRow]:
        extractor = CellExtractor(self.selected_columns)
        for line, mapping in enumerate(self._mappings, 1):
            yield line, _extract_row(mapping, extractor)
            del mapping  # if the iterable raises, a traceback that shows locals would show this row


class AsyncMappingSource:
    """Source over an async iterable of mappings, which is read as its items arrive."""

    def __init__(self, mappings: AsyncIterable[Mapping[str, object]], columns: Collection[str] | None = None) -> None:
        self.name: str = "the rows"
        self.columns: tuple[str, ...] | None = None
        self._mappings = mappings
        self.selected_columns = columns

    async def __aiter__(self) -> AsyncIterator[SourceRow]:
        extractor = CellExtractor(self.selected_columns)
        line = 0
        async for mapping in self._mappings:
            line += 1
            yield line, _extract_row(mapping, extractor)
            del mapping


def select_columns(source: Source, columns: Collection[str]) -> Source:
    """Return a source's rows with only these columns. Raises `InvalidSource` if they cannot be read."""
    return source.select(columns) if isinstance(source, Selectable) else _SelectedColumns(source, columns)


class _SelectedColumns:
    """Column selection for a custom source without `select`: the used cells are validated like those of any source."""

    def __init__(self, source: Source, columns: Collection[str]) -> None:
        self.name: str = source.name
        self.columns: tuple[str, ...] | None = source.columns
        self.total: int | None = source.total
        self._source = source
        self.selected_columns = columns

    def __iter__(self) -> Iterator[SourceRow]:
        extractor = CellExtractor(self.selected_columns)
        for line, values in self._source:
            yield line, values if isinstance(values, Unreadable) else _extract_row(values, extractor)
            del values


def _extract_row(mapping: object, extractor: CellExtractor) -> Mapping[str, str] | Unreadable:
    return extractor.extract(mapping) if isinstance(mapping, Mapping) else Unreadable(_NOT_A_MAPPING)
