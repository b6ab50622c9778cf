"""Page header reader for Parquet files: the memory that pages will take, before any of them is decompressed.

A few kilobytes of Parquet may expand to gigabytes of text, and the footer does not contain the size of the cells. Each
page has its uncompressed size in a header, in Thrift's compact protocol:
https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift (struct PageHeader).
"""

from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, NamedTuple

_MAX_HEADER_BYTES = 1024 * 1024
"""Maximum size of a header in bytes. It includes the minimum and the maximum value of its page."""
_MAX_DEPTH = 8
_DICTIONARY_PAGE = 2
_VALUE_COUNT_FIELDS = (5, 7, 8)
"""Fields with the number of values: of a data page, a dictionary page, and a data page of version 2."""


class PageInfo(NamedTuple):
    """Size of one page of a column."""

    is_dictionary: bool
    uncompressed_size: int
    """In bytes."""
    value_count: int


class _InvalidPageHeader(Exception):
    """The bytes at the position of a page header are not one."""


def read_pages(file: BinaryIO, chunk: Any) -> list[PageInfo]:
    """Return the pages of a column chunk, from its metadata; one for the whole chunk if its headers cannot be read."""
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
    """Return how many rows can be read at once so that their pages take at most `max_bytes`; at least one."""
    data_pages: list[PageInfo] = []
    rows = max_rows
    for page in pages:
        if page.is_dictionary:  # every row may contain its longest value
            rows = min(rows, max_bytes // max(page.uncompressed_size, 1))
        else:
            data_pages.append(page)
    while rows > 1 and _max_window_bytes(data_pages, rows) > max_bytes:
        rows //= 8
    return max(rows, 1)


def _iter_pages(file: BinaryIO, start: int, length: int) -> Iterator[PageInfo]:
    position, end = start, start + length
    while position < end:
        file.seek(position)
        fields, header_size = _read_header(file, end - position)
        kind, size, compressed_size = (fields.get((number,), -1) for number in (1, 2, 3))
        if size < 0 or compressed_size < 0:
            raise _InvalidPageHeader
        value_count = next((fields[page, 1] for page in _VALUE_COUNT_FIELDS if (page, 1) in fields), 0)
        yield PageInfo(kind == _DICTIONARY_PAGE, size, value_count)
        position += header_size + compressed_size


def _max_window_bytes(pages: list[PageInfo], rows: int) -> int:
    """Return the maximum size of the pages that any `rows` consecutive rows need, in bytes."""
    largest = size = values = first = 0
    for page in pages:
        size += page.uncompressed_size
        values += page.value_count
        largest = max(largest, size)
        while values - pages[first].value_count >= rows:
            size -= pages[first].uncompressed_size
            values -= pages[first].value_count
            first += 1
    return largest


def _read_header(file: BinaryIO, limit: int) -> tuple[dict[tuple[int, ...], int], int]:
    """Return the integers in a page header by the path of field numbers to each, and the header's size in bytes."""
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
    """Reader for the part of Thrift's compact protocol that page headers use. `IndexError`: the data ends early."""

    def __init__(self, data: bytes) -> None:
        self.position = 0
        self.numbers: dict[tuple[int, ...], int] = {}
        self._data = data

    def read_struct(self, path: tuple[int, ...]) -> None:
        if len(path) > _MAX_DEPTH:
            raise _InvalidPageHeader
        field = 0
        while header := self._read_byte():
            field = field + (header >> 4) if header >> 4 else self._read_zigzag()
            self._read_value(header & 15, (*path, field))

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
        elif kind not in {1, 2}:  # the kind itself is true or false; page headers contain no lists or maps
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
