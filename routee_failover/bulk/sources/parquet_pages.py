"""Page headers of a Parquet file: how much memory its pages take, before any of them is read.

A few kilobytes of Parquet may say gigabytes of text, and the file's own footer does not tell of which size its cells
are. Each page has its uncompressed size before it, in Thrift's compact protocol:
https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift (struct PageHeader).
"""

from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, NamedTuple

_HEADER_AT_MOST = 1024 * 1024
"""Bytes. It holds the least and the greatest value of its page."""
_MOST_DEPTH = 8
_DICTIONARY = 2
_VALUES = (5, 7, 8)
"""Fields that say how many values a page has: one of data, of a dictionary, and of data in the second kind."""


class Page(NamedTuple):
    """One page of a column."""

    is_dictionary: bool
    size: int
    """Bytes, when it is uncompressed."""
    values: int


class _BrokenError(Exception):
    """What stands where a page header should is none."""


def pages_of(file: BinaryIO, chunk: Any) -> list[Page]:
    """The pages of a column chunk, by its metadata. One for all of it where they cannot be told apart."""
    start = chunk.data_page_offset
    if chunk.has_dictionary_page and chunk.dictionary_page_offset:
        start = min(start, chunk.dictionary_page_offset)
    try:
        return [*_pages(file, start, chunk.total_compressed_size)]
    except _BrokenError:
        return [Page(is_dictionary=False, size=chunk.total_uncompressed_size, values=chunk.num_values)]


def rows_at_once(pages: Iterable[Page], most: int, budget: int) -> int:
    """How many rows may be read together for their pages to take no more than `budget` bytes; at least one."""
    data: list[Page] = []
    rows = most
    for page in pages:
        if page.is_dictionary:  # every row may hold the longest text in it
            rows = min(rows, budget // max(page.size, 1))
        else:
            data.append(page)
    while rows > 1 and _largest_window(data, rows) > budget:
        rows //= 8
    return max(rows, 1)


def _pages(file: BinaryIO, start: int, length: int) -> Iterator[Page]:
    at, end = start, start + length
    while at < end:
        file.seek(at)
        fields, taken = _header(file, end - at)
        kind, size, compressed = (fields.get((number,), -1) for number in (1, 2, 3))
        if size < 0 or compressed < 0:
            raise _BrokenError
        values = next((fields[page, 1] for page in _VALUES if (page, 1) in fields), 0)
        yield Page(kind == _DICTIONARY, size, values)
        at += taken + compressed


def _largest_window(data: list[Page], rows: int) -> int:
    """The bytes of the most that so many rows in a row can need."""
    largest = size = values = first = 0
    for page in data:
        size += page.size
        values += page.values
        largest = max(largest, size)
        while values - data[first].values >= rows:
            size -= data[first].size
            values -= data[first].values
            first += 1
    return largest


def _header(file: BinaryIO, room: int) -> tuple[dict[tuple[int, ...], int], int]:
    """The whole numbers in a page header by the way to each, and how long it is."""
    for length in (256, 8192, _HEADER_AT_MOST):
        data = file.read(min(length, room))
        file.seek(-len(data), 1)
        reader = _Reader(data)
        try:
            reader.struct(())
        except IndexError:
            if len(data) < length:
                break
            continue
        return reader.numbers, reader.at
    raise _BrokenError


class _Reader:
    """Reads Thrift's compact protocol as far as page headers go. Raises `IndexError` at the end of the data."""

    def __init__(self, data: bytes) -> None:
        self.at = 0
        self.numbers: dict[tuple[int, ...], int] = {}
        self._data = data

    def struct(self, way: tuple[int, ...]) -> None:
        if len(way) > _MOST_DEPTH:
            raise _BrokenError
        field = 0
        while head := self._byte():
            field = field + (head >> 4) if head >> 4 else self._zigzag()
            self._value(head & 15, (*way, field))

    def _value(self, kind: int, way: tuple[int, ...]) -> None:
        if kind in {4, 5, 6}:
            self.numbers[way] = self._zigzag()
        elif kind == 3:
            self.at += 1
        elif kind == 7:
            self.at += 8
        elif kind == 8:
            length = self._varint()
            self.at += length
        elif kind == 12:
            self.struct(way)
        elif kind not in {1, 2}:  # true and false stand in the kind; lists and maps are in no page header
            raise _BrokenError
        if self.at > len(self._data):
            raise IndexError

    def _byte(self) -> int:
        self.at += 1
        return self._data[self.at - 1]

    def _varint(self) -> int:
        value = shift = 0
        while (byte := self._byte()) & 0x80:
            value |= (byte & 0x7F) << shift
            shift += 7
            if shift > 63:
                raise _BrokenError
        return value | byte << shift

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)
