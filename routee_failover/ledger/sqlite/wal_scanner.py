"""Scanner of SQLite's write-ahead log: how far it is intact, and whether it ends with a crash or with damage.

SQLite stops at the first frame whose checksum is wrong and treats that as the end of the log, which is right after a
crash. The format: https://www.sqlite.org/fileformat2.html#the_write_ahead_log.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

_HEADER_SIZE = 32
_FRAME_HEADER_SIZE = 24
_MAGIC = 0x377F0682  # with the last bit set the checksums are big-endian
_MASK = 0xFFFFFFFF


class WalContents(NamedTuple):
    """Content of a log."""

    page: bytes | None = None
    """The requested page after the last complete transaction; `None` if no transaction changed it."""
    is_damaged: bool = False
    """Whether something that no crash leaves follows the first bad frame."""


def scan_wal(path: Path, page: int) -> WalContents:
    """Read a log that no process writes. Raises `OSError`; a missing log holds nothing.

    A crash leaves at most one transaction unfinished, because each is synced before the next is written. Any part of
    that one may exist or not, in any order, after a power cut. So a frame of this log (which its salts identify) that
    follows a commit at or behind the first bad frame is proof of damage. Frames with other salts are from before the
    log was restarted.
    """
    try:
        with path.open("rb") as file:
            return _scan(file, page)
    except FileNotFoundError:
        return WalContents()


def _scan(file: BinaryIO, page: int) -> WalContents:
    header = file.read(_HEADER_SIZE)
    if len(header) < _HEADER_SIZE:
        return WalContents()
    magic, _, size, _, *_, first, second = struct.unpack(">8I", header)
    order = ">" if magic & 1 else "<"
    checksum = _checksum(order, header[:24], (0, 0))
    if magic & ~1 != _MAGIC or checksum != (first, second):
        # The header is synced before the first frame is written.
        return WalContents(is_damaged=bool(file.read(1)))
    salts = header[16:24]
    pending: bytes | None = None
    committed: bytes | None = None
    offset = _HEADER_SIZE
    while len(frame := file.read(_FRAME_HEADER_SIZE + size)) == _FRAME_HEADER_SIZE + size:
        number, commit = struct.unpack_from(">2I", frame)
        following = _checksum(order, frame[:8], checksum)
        following = _checksum(order, frame[_FRAME_HEADER_SIZE:], following)
        if frame[8:16] != salts or not number or struct.unpack_from(">2I", frame, 16) != following:
            break
        checksum = following
        offset += len(frame)
        if number == page:
            pending = frame[_FRAME_HEADER_SIZE:]
        if commit:
            committed = pending
    return WalContents(committed, _is_damaged(_headers(file, offset, size), salts))


def _headers(file: BinaryIO, offset: int, size: int) -> Iterator[bytes]:
    file.seek(offset)
    while len(header := file.read(_FRAME_HEADER_SIZE)) == _FRAME_HEADER_SIZE:
        yield header
        offset += _FRAME_HEADER_SIZE + size
        file.seek(offset)


def _is_damaged(headers: Iterator[bytes], salts: bytes) -> bool:
    """Return whether a frame of this log follows a commit among these, the first of which is bad."""
    has_commit = False
    for header in headers:
        if header[8:16] == salts:
            if has_commit:
                return True
            has_commit = header[4:8] != b"\0\0\0\0"
    return False


def _checksum(order: str, data: bytes, before: tuple[int, int]) -> tuple[int, int]:
    first, second = before
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for one, other in zip(words, words, strict=True):
        first = (first + one + second) & _MASK
        second = (second + other + first) & _MASK
    return first, second
