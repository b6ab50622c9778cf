"""Rows that a program has already: any iterable of mappings, numbered from 1."""

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping, Sized

from .source import Read, Unreadable, texts_of

_NO_MAPPING = "is no mapping of columns to values"


class Mappings:
    """An iterable of mappings as a source; it can be read again where the iterable can."""

    def __init__(self, mappings: Iterable[Mapping[str, object]]) -> None:
        self.name: str = "the rows"
        self.columns: tuple[str, ...] | None = None
        self.total: int | None = len(mappings) if isinstance(mappings, Sized) else None
        self._mappings = mappings

    def __iter__(self) -> Iterator[Read]:
        for line, mapping in enumerate(self._mappings, 1):
            yield line, _read(mapping)


class AsyncMappings:
    """An async iterable of mappings, read as it comes."""

    def __init__(self, mappings: AsyncIterable[Mapping[str, object]]) -> None:
        self.name: str = "the rows"
        self.columns: tuple[str, ...] | None = None
        self._mappings = mappings

    async def __aiter__(self) -> AsyncIterator[Read]:
        line = 0
        async for mapping in self._mappings:
            line += 1
            yield line, _read(mapping)


def _read(mapping: object) -> Mapping[str, str] | Unreadable:
    return texts_of(mapping) if isinstance(mapping, Mapping) else Unreadable(_NO_MAPPING)
