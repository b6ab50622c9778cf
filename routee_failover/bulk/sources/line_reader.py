"""The lines of a text file, within bounds: one without end does not fill the memory, and lines can be read again."""

from collections import deque
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path

from ...errors import InvalidSource
from .column_names import strip_invisible

MAX_LINE_LENGTH = 1024 * 1024
"""Characters. No row comes near it."""
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
_SNIFFED_BYTES = 4096
"""Bytes at the beginning of a file that say whether it is text."""
NOT_UTF8 = "is not UTF-8"
LINE_TOO_LONG = f"is longer than {MAX_LINE_LENGTH // 1024**2} MiB"


def open_text(path: Path, name: str) -> TextIOWrapper:
    """A text file whose undecodable bytes are kept apart as half surrogates; raises `InvalidSource`."""
    try:
        with path.open("rb") as start:
            first = start.read(_SNIFFED_BYTES)
        if not first.startswith(_UTF16_BOMS) and 8 * first.count(0) > len(first):  # one alone breaks its row
            raise InvalidSource(
                f"{name} has NUL bytes from line 1 on: it is no text, or text in UTF-16; save it as UTF-8; "
                "nothing was sent"
            )
        if first.startswith(_UTF16_BOMS):
            raise InvalidSource(f"{name} is not UTF-8 text; save it as UTF-8; nothing was sent")
        if not first:
            raise InvalidSource(f"{name} is empty; nothing was sent")
        return path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")
    except OSError as error:
        raise InvalidSource(f"{name} cannot be read: {error.strerror}; nothing was sent") from None


def is_valid_utf8(text: str) -> bool:
    """Whether every byte of it was UTF-8."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_blank(text: str) -> bool:
    """Whether nothing is to be seen in it: blanks of any kind, and signs that no editor shows."""
    text = strip_invisible(text)
    return not text or text.isspace()


class _TruncatedLine(str):
    """The beginning of a line that is longer than any that is read."""

    __slots__ = ()


class LineReader:
    """The lines of a file one by one. Those that were taken since the last `settle` can be given back."""

    def __init__(self, file: TextIOWrapper) -> None:
        self.line_number: int = 0
        """The number of the line that was taken last."""
        self.truncated: bool = False
        """Whether a line was longer than any that is read since the last `settle`."""
        self._file = file
        self._uncommitted: list[str] = []
        self._pushed_back: deque[str] = deque()

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._pushed_back.popleft() if self._pushed_back else self._read()
        if not line:
            raise StopIteration
        if line.__class__ is _TruncatedLine:
            self.truncated = True
        self.line_number += 1
        self._uncommitted.append(line)
        return line

    def _read(self) -> str:
        line = self._file.readline(MAX_LINE_LENGTH)
        if len(line) >= MAX_LINE_LENGTH and not line.endswith(("\n", "\r")):
            rest = line
            while rest and not rest.endswith(("\n", "\r")):
                rest = self._file.readline(MAX_LINE_LENGTH)
            return _TruncatedLine(line[:80] + "\n")
        return line

    def peek(self) -> str:
        """The line that comes next, empty at the end."""
        if not self._pushed_back and (line := self._read()):
            self._pushed_back.append(line)
        return self._pushed_back[0] if self._pushed_back else ""

    def commit(self) -> None:
        """What was taken is done with."""
        self._uncommitted.clear()
        self.truncated = False

    def rewind(self, keep: int = 1) -> None:
        """All of the lines that were taken but the first ones, which are settled, come again."""
        again = self._uncommitted[keep:]
        self._pushed_back.extendleft(reversed(again))
        self.line_number -= len(again)
        self.commit()
