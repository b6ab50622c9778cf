"""Page headers of a Parquet file: how much memory its pages take, before any of them is read.

A few kilobytes of Parquet may say gigabytes of text, and the file's own footer does not tell of which size its cells
are. Each page has its uncompressed size before it, in Thrift's compact protocol:
https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift (struct PageHeader).
"""

from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, NamedTuple

_MAX_HEADER_BYTES = 1024 * 1024
"""Bytes. It holds the least and the greatest value of its page."""
_MAX_DEPTH = 8
_DICTIONARY_PAGE = 2
_VALUE_COUNT_FIELDS = (5, 7, 8)
"""Fields that say how many values a page has: one of data, of a dictionary, and of data in the second kind."""


class PageInfo(NamedTuple):
    """One page of a column."""

    is_dictionary: bool
    uncompressed_size: int
    """Bytes, when it is uncompressed."""
    value_count: int


class _InvalidPageHeader(Exception):
    """What stands where a page header should is none."""


def read_pages(file: BinaryIO, chunk: Any) -> list[PageInfo]:
    """The pages of a column chunk, by its metadata. One for all of it where they cannot be told apart."""
    start = chunk.data_page_offset
    if chunk.has_dictionary_page and chunk.dictionary_page_offset:
        start = min(start, chunk.dictionary_page_offset)
    try:
        return [*_iter_pages(file, start, chunk.total_compressed_size)]
    except _InvalidPageHeader:
        return [
            PageInfo(is_dictionary=False, uncompressed_size=chunk.total_uncompressed_size, value_count=chunk.num_values)
        ]


def batch_size(pages: Iterable[PageInfo], max_rows: int, max_bytes: int) -> int:
    """How many rows may be read together for their pages to take no more than `budget` bytes; at least one."""
    data: list[PageInfo] = []
    rows = max_rows
    for page in pages:
        if page.is_dictionary:  # every row may hold the longest text in it
            rows = min(rows, max_bytes // max(page.uncompressed_size, 1))
        else:
            data.append(page)
    while rows > 1 and _max_window_bytes(data, rows) > max_bytes:
        rows //= 8
    return max(rows, 1)


def _iter_pages(file: BinaryIO, start: int, length: int) -> Iterator[PageInfo]:
    at, end = start, start + length
    while at < end:
        file.seek(at)
        fields, taken = _read_header(file, end - at)
        kind, size, compressed = (fields.get((number,), -1) for number in (1, 2, 3))
        if size < 0 or compressed < 0:
            raise _InvalidPageHeader
        values = next((fields[page, 1] for page in _VALUE_COUNT_FIELDS if (page, 1) in fields), 0)
        yield PageInfo(kind == _DICTIONARY_PAGE, size, values)
        at += taken + compressed


def _max_window_bytes(data: list[PageInfo], rows: int) -> int:
    """The bytes of the most that so many rows in a row can need."""
    largest = size = values = first = 0
    for page in data:
        size += page.uncompressed_size
        values += page.value_count
        largest = max(largest, size)
        while values - data[first].value_count >= rows:
            size -= data[first].uncompressed_size
            values -= data[first].value_count
            first += 1
    return largest


def _read_header(file: BinaryIO, limit: int) -> tuple[dict[tuple[int, ...], int], int]:
    """The whole numbers in a page header by the way to each, and how long it is."""
    for length in (256, 8192, _MAX_HEADER_BYTES):
        data = file.read(min(length, limit))
        file.seek(-len(data), 1)
        reader = _ThriftReader(data)
        try:
            reader.read_struct(())
        except IndexError:
            if len(data) < length:
                break
            continue
        return reader.numbers, reader.position
    raise _InvalidPageHeader


class _ThriftReader:
    """Reads Thrift's compact protocol as far as page headers go. Raises `IndexError` at the end of the data."""

    def __init__(self, data: bytes) -> None:
        self.position = 0
        self.numbers: dict[tuple[int, ...], int] = {}
        self._data = data

    def read_struct(self, path: tuple[int, ...]) -> None:
        if len(path) > _MAX_DEPTH:
            raise _InvalidPageHeader
        field = 0
        while head := self._read_byte():
            field = field + (head >> 4) if head >> 4 else self._read_zigzag()
            self._read_value(head & 15, (*path, field))

    def _read_value(self, kind: int, path: tuple[int, ...]) -> None:
        if kind in {4, 5, 6}:
            self.numbers[path] = self._read_zigzag()
        elif kind == 3:
            self.position += 1
        elif kind == 7:
            self.position += 8
        elif kind == 8:
            length = self._read_varint()
            self.position += length
        elif kind == 12:
            self.read_struct(path)
        elif kind not in {1, 2}:  # true and false stand in the kind; lists and maps are in no page header
            raise _InvalidPageHeader
        if self.position > len(self._data):
            raise IndexError

    def _read_byte(self) -> int:
        self.position += 1
        return self._data[self.position - 1]

    def _read_varint(self) -> int:
        value = shift = 0
        while (byte := self._read_byte()) & 0x80:
            value |= (byte & 0x7F) << shift
            shift += 7
            if shift > 63:
                raise _InvalidPageHeader
        return value | byte << shift

    def _read_zigzag(self) -> int:
        value = self._read_varint()
        return (value >> 1) ^ -(value & 1)
