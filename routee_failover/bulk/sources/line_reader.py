"""Line reader for text files: line length is bounded, so that memory is, and lines can be pushed back."""

from collections import deque
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path

from ...errors import InvalidSource
from .column_names import strip_invisible

MAX_LINE_LENGTH = 1024 * 1024
"""Maximum length of a line in characters. No real row comes near it."""
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
_SNIFFED_BYTES = 4096
"""Bytes at the start of a file that are checked for whether it is text."""
NOT_UTF8 = "is not UTF-8"
LINE_TOO_LONG = f"is longer than {MAX_LINE_LENGTH // 1024**2} MiB"


def open_text(path: Path, name: str) -> TextIOWrapper:
    """Open a text file as UTF-8 with `surrogateescape`. Raises `InvalidSource` if it cannot be read or is not text."""
    try:
        with path.open("rb") as start:
            first = start.read(_SNIFFED_BYTES)
        if not first.startswith(_UTF16_BOMS) and 8 * first.count(0) > len(first):  # a few make only their rows invalid
            raise InvalidSource(
                f"{name} has NUL bytes from line 1 on: it is not text, or text in UTF-16; save it as UTF-8; "
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
    """Return whether every byte of a text from `open_text` was UTF-8."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_blank(text: str) -> bool:
    """Return whether a text has only whitespace and invisible characters."""
    text = strip_invisible(text)
    return not text or text.isspace()


class _TruncatedLine(str):
    """The start of a line of more than `MAX_LINE_LENGTH` characters."""

    __slots__ = ()


class LineReader:
    """Iterator over the lines of a file. `rewind` pushes back the lines that were read since the last `commit`."""

    def __init__(self, file: TextIOWrapper) -> None:
        self.line_number: int = 0
        """The number of the line that was read last."""
        self.truncated: bool = False
        """Whether a line since the last `commit` was too long, and was truncated."""
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
        """Return the next line without reading it; empty at the end of the file."""
        if not self._pushed_back and (line := self._read()):
            self._pushed_back.append(line)
        return self._pushed_back[0] if self._pushed_back else ""

    def commit(self) -> None:
        """Forget the lines that were read: they cannot be pushed back any more."""
        self._uncommitted.clear()
        self.truncated = False

    def rewind(self, keep: int = 1) -> None:
        """Push back the lines since the last `commit`, except for the first `keep`, and commit those."""
        repeated = self._uncommitted[keep:]
        self._pushed_back.extendleft(reversed(repeated))
        self.line_number -= len(repeated)
        self.commit()
