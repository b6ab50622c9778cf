"""The lines of a text file, within bounds: one without end does not fill the memory, and lines can be read again."""

from collections import deque
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path

from ...errors import InvalidSource
from .column_names import strip_invisible

LONGEST_LINE = 1024 * 1024
"""Characters. No row comes near it."""
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_LOOKED_AT = 4096
"""Bytes at the beginning of a file that say whether it is text."""
UNDECODABLE = "is not UTF-8"
TOO_LONG = f"is longer than {LONGEST_LINE // 1024**2} MiB"


def open_text(path: Path, name: str) -> TextIOWrapper:
    """A text file whose undecodable bytes are kept apart as half surrogates; raises `InvalidSource`."""
    try:
        with path.open("rb") as start:
            first = start.read(_LOOKED_AT)
        if not first.startswith(_UTF16) and 8 * first.count(0) > len(first):  # one alone breaks its row
            raise InvalidSource(
                f"{name} has NUL bytes from line 1 on: it is no text, or text in UTF-16; save it as UTF-8; "
                "nothing was sent"
            )
        if first.startswith(_UTF16):
            raise InvalidSource(f"{name} is not UTF-8 text; save it as UTF-8; nothing was sent")
        if not first:
            raise InvalidSource(f"{name} is empty; nothing was sent")
        return path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")
    except OSError as error:
        raise InvalidSource(f"{name} cannot be read: {error.strerror}; nothing was sent") from None


def is_sound(text: str) -> bool:
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


class _Cut(str):
    """The beginning of a line that is longer than any that is read."""

    __slots__ = ()


class Lines:
    """The lines of a file one by one. Those that were taken since the last `settle` can be given back."""

    def __init__(self, file: TextIOWrapper) -> None:
        self.number: int = 0
        """The number of the line that was taken last."""
        self.cut: bool = False
        """Whether a line was longer than any that is read since the last `settle`."""
        self._file = file
        self._taken: list[str] = []
        self._ahead: deque[str] = deque()

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._ahead.popleft() if self._ahead else self._read()
        if not line:
            raise StopIteration
        if line.__class__ is _Cut:
            self.cut = True
        self.number += 1
        self._taken.append(line)
        return line

    def _read(self) -> str:
        line = self._file.readline(LONGEST_LINE)
        if len(line) >= LONGEST_LINE and not line.endswith(("\n", "\r")):
            rest = line
            while rest and not rest.endswith(("\n", "\r")):
                rest = self._file.readline(LONGEST_LINE)
            return _Cut(line[:80] + "\n")
        return line

    def peek(self) -> str:
        """The line that comes next, empty at the end."""
        if not self._ahead and (line := self._read()):
            self._ahead.append(line)
        return self._ahead[0] if self._ahead else ""

    def settle(self) -> None:
        """What was taken is done with."""
        self._taken.clear()
        self.cut = False

    def give_back(self, settled: int = 1) -> None:
        """All of the lines that were taken but the first ones, which are settled, come again."""
        again = self._taken[settled:]
        self._ahead.extendleft(reversed(again))
        self.number -= len(again)
        self.settle()
