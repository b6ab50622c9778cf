"""Header of a ledger: which run has it open, and how much was committed. It is read from the bytes of a page.

SQLite is not used, because opening and closing a database changes the files beside it: the intact part of a damaged log
would be merged, and the log removed.
"""

import os
import struct
from typing import NamedTuple

from ..._sqlite import SQLITE_MAGIC

HEADER_PAGE = 2
"""Page of the table `ledger`, because that is created first: its one row is the header."""
_FILE_HEADER_SIZE = 100
_LEAF_PAGE = 13  # the first byte of a page with table rows


class LedgerHeader(NamedTuple):
    """The first columns of the table `ledger`."""

    run_id: str
    owner: str
    """Id of the run that has it open; empty once it was closed."""
    inode: str
    """Inode number of the file that was opened: a copy has another one."""
    commits: int
    """Number of transactions that were ever committed."""
    committed_at: float
    """When the last of them was committed."""


class MainFile(NamedTuple):
    """Content of a database's main file, without its log."""

    application: int
    version: int
    header: LedgerHeader | None


def read_main_file(descriptor: int) -> MainFile | None:
    """Read a database's main file; `None` for a file that is no database. Raises `OSError`."""
    header = _read(descriptor, 0, _FILE_HEADER_SIZE)
    if not header.startswith(SQLITE_MAGIC):
        return None
    size = int.from_bytes(header[16:18], "big")
    page = _read(descriptor, (HEADER_PAGE - 1) * size, size)
    version, application = int.from_bytes(header[60:64], "big"), int.from_bytes(header[68:72], "big")
    return MainFile(application, version, parse_header(page))


def _read(descriptor: int, offset: int, size: int) -> bytes:
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.read(descriptor, size)


def parse_header(page: bytes) -> LedgerHeader | None:
    """Read the header in a page; `None` if it holds none, as after damage."""
    try:
        if page[0] != _LEAF_PAGE or int.from_bytes(page[3:5], "big") != 1:
            return None
        values = _record(page, int.from_bytes(page[8:10], "big"), len(LedgerHeader._fields))
        run_id, owner, inode, commits, committed_at = values
        if not isinstance(commits, int) or not isinstance(committed_at, int | float):
            return None
        if not (isinstance(run_id, str) and isinstance(owner, str) and isinstance(inode, str)):
            return None
        return LedgerHeader(run_id, owner, inode, commits, float(committed_at))
    except (IndexError, struct.error, UnicodeDecodeError, ValueError):
        return None


def _record(page: bytes, offset: int, count: int) -> list[int | float | str | None]:
    """Return the first values of a row. The format: https://www.sqlite.org/fileformat2.html#record_format."""
    _, offset = _varint(page, offset)  # the length of the row
    _, offset = _varint(page, offset)  # its number
    start = offset
    length, offset = _varint(page, offset)
    body = start + length
    values: list[int | float | str | None] = []
    for _ in range(count):
        serial_type, offset = _varint(page, offset)
        value, body = _value(page, body, serial_type)
        values.append(value)
    return values


_WIDTHS = (0, 1, 2, 3, 4, 6, 8)


def _value(page: bytes, offset: int, serial_type: int) -> tuple[int | float | str | None, int]:
    if serial_type == 0:
        return None, offset
    if serial_type < len(_WIDTHS):
        end = offset + _WIDTHS[serial_type]
        return int.from_bytes(page[offset:end], "big", signed=True), end
    if serial_type == 7:
        return struct.unpack_from(">d", page, offset)[0], offset + 8
    if serial_type in {8, 9}:
        return serial_type - 8, offset
    if serial_type % 2 == 0:
        return None, offset + (serial_type - 12) // 2  # bytes, which the header does not contain
    end = offset + (serial_type - 13) // 2
    return page[offset:end].decode(), end


def _varint(page: bytes, offset: int) -> tuple[int, int]:
    value = 0
    for index in range(offset, offset + 8):
        value = value << 7 | page[index] & 0x7F
        if page[index] < 0x80:
            return value, index + 1
    raise ValueError("longer than any number in the header")
