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
_HEADER = 100
_LEAF = 13  # the first byte of a page with table rows


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
    header = _read(descriptor, 0, _HEADER)
    if not header.startswith(SQLITE_MAGIC):
        return None
    size = int.from_bytes(header[16:18], "big")
    page = _read(descriptor, (HEADER_PAGE - 1) * size, size)
    version, application = int.from_bytes(header[60:64], "big"), int.from_bytes(header[68:72], "big")
    return MainFile(application, version, parse_header(page))


def _read(descriptor: int, at: int, size: int) -> bytes:
    os.lseek(descriptor, at, os.SEEK_SET)
    return os.read(descriptor, size)


def parse_header(page: bytes) -> LedgerHeader | None:
    """Read the header in a page; `None` where it holds none, as after damage."""
    try:
        if page[0] != _LEAF or int.from_bytes(page[3:5], "big") != 1:
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


def _record(page: bytes, at: int, count: int) -> list[int | float | str | None]:
    """Return the first values of a row. The format: https://www.sqlite.org/fileformat2.html#record_format."""
    _, at = _varint(page, at)  # the length of the row
    _, at = _varint(page, at)  # its number
    begin = at
    length, at = _varint(page, at)
    body = begin + length
    values: list[int | float | str | None] = []
    for _ in range(count):
        kind, at = _varint(page, at)
        value, body = _value(page, body, kind)
        values.append(value)
    return values


_WIDTHS = (0, 1, 2, 3, 4, 6, 8)


def _value(page: bytes, at: int, kind: int) -> tuple[int | float | str | None, int]:
    if kind == 0:
        return None, at
    if kind < len(_WIDTHS):
        end = at + _WIDTHS[kind]
        return int.from_bytes(page[at:end], "big", signed=True), end
    if kind == 7:
        return struct.unpack_from(">d", page, at)[0], at + 8
    if kind in {8, 9}:
        return kind - 8, at
    if kind % 2 == 0:
        return None, at + (kind - 12) // 2  # bytes, which the header does not contain
    end = at + (kind - 13) // 2
    return page[at:end].decode(), end


def _varint(page: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(at, at + 8):
        value = value << 7 | page[place] & 0x7F
        if page[place] < 0x80:
            return value, place + 1
    raise ValueError("longer than any number in the header")
