"""The records of a CSV file as people's programs write them: cells out of lines, whatever their quotes do.

A quote that is not closed could make one cell of two people's rows. So a record of several lines is looked at: where
two of its lines each look like a row, it is refused, and the lines after its first are read as rows of their own.
"""

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from .lines import LONGEST_LINE, TOO_LONG, Lines
from .source import Unreadable

NEVER_CLOSED = "has a quote that is never closed"
_closing = re.compile(r'((?:[^"]++|"")*+)"').match
_DATE = r"(?:19|20)\d\d[-/.]\d\d?[-/.]\d\d?|\d\d?[-/.]\d\d?[-/.](?:19|20)\d\d"
_begins_with_number = re.compile(
    rf"[\W_]*(?:tel:|whatsapp:)?(?![\W_]*(?:{_DATE}))[\W_]*\d(?:[\W_]*\d){{6,}}", re.IGNORECASE
).match
BLANKS = " \t\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000\ufeff"
"""That a person may have written between a delimiter and a quote."""


def _has_number(cell: str) -> bool:
    return _begins_with_number(cell[:80]) is not None


class Refused(Exception):  # it is caught where it is raised
    """A record cannot be read; says why without quoting it."""


class Cells:
    """Splits records at one delimiter. A blank between a delimiter and a quote is no part of a cell."""

    def __init__(self, delimiter: str) -> None:
        self.delimiter = delimiter
        bare = re.escape(delimiter)
        blank = "[" + BLANKS.replace(delimiter, "") + "]"
        self._opening = re.compile(rf'{blank}*"').match
        self._after = re.compile(rf"{blank}*({bare}|[\r\n]*\Z)").match
        self._has_blanks = re.compile(rf'(?:^|{bare}){blank}+"|"{blank}+(?:{bare}|[\r\n]*\Z)').search
        self.may_close: Callable[[str], re.Match[str] | None] = re.compile(rf'"{blank}*(?:{bare}|[\r\n]*\Z)').search
        """Whether a line has a quote where one that was opened before would end."""
        self._feed = _Feed()
        self._strictly = csv.reader(self._feed, delimiter=delimiter, strict=True)

    def plain(self, line: str) -> list[str]:
        """The cells of a line without a quote."""
        return line.rstrip("\r\n").split(self.delimiter)

    def in_line(self, line: str) -> list[str] | None:
        """The cells of a line with quotes that is a record by itself, and written as it should be."""
        if not (line.isascii() and '" ' not in line and ' "' not in line and "\t" not in line) and self._has_blanks(
            line
        ):
            return None
        self._feed.line = line
        try:
            return next(self._strictly)
        except csv.Error:
            return None

    def loosely(self, line: str) -> list[str]:
        """The cells of a line, wherever its quotes stand."""
        try:
            return next(csv.reader((line,), delimiter=self.delimiter), [])
        except csv.Error:
            return self.plain(line)

    def record(self, line: str, more: Callable[[], str]) -> list[str]:
        """The cells of a record that begins with this line and takes `more`. Raises `Refused`."""
        cells: list[str] = []
        at = 0
        while True:
            if opened := self._opening(line, at):
                cell, line, at = self._quoted(line, opened.end(), more)
                after = self._after(line, at)
                if after is None:
                    raise Refused("has text after a closing quote; a quote within a quoted value is written twice")
                cells.append(cell)
                at = after.end()
                if after[1] != self.delimiter:
                    return cells
            else:
                end = line.find(self.delimiter, at)
                if end < 0:
                    return [*cells, line[at:].rstrip("\r\n")]
                cells.append(line[at:end])
                at = end + 1

    @staticmethod
    def _quoted(line: str, at: int, more: Callable[[], str]) -> tuple[str, str, int]:
        parts: list[str] = []
        while (closed := _closing(line, at)) is None:
            parts.append(line[at:])
            line, at = more(), 0
        parts.append(closed[1])
        return "".join(parts).replace('""', '"'), line, closed.end()


class _Feed:
    """Gives one line to a reader of Python's, and no other."""

    def __init__(self) -> None:
        self.line: str | None = None

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line, self.line = self.line, None
        if line is None:
            raise StopIteration
        return line


class RowShape:
    """Knows a row by where its numbers stand: the first column that holds some in the rows that it has seen."""

    def __init__(self, cells: Cells, width: int, rows: Iterable[list[str]]) -> None:
        self._cells = cells
        self.width: int = width
        found = Counter(place for row in rows for place, cell in enumerate(row[:width]) if _has_number(cell))
        self._place = max(found, key=lambda column: (found[column], -column)) if found else None

    def fits(self, line: str) -> bool:
        """Whether a line looks like a row, its quotes taken as they are or for none."""
        return any(map(self.is_row, (self._cells.loosely(line), self._cells.plain(line.replace('"', "")))))

    def is_row(self, cells: list[str]) -> bool:
        """Whether cells have a number where rows have one."""
        if self._place is None:
            return len(cells) == self.width
        return len(cells) >= min(2, self.width) and self._place < len(cells) and _has_number(cells[self._place])


class Records:
    """The records of a file's lines, each with the number of the line that it begins in."""

    def __init__(self, lines: Lines, cells: Cells, shape: RowShape, end: str) -> None:
        """`end` is how the header's line ends."""
        self._lines = lines
        self._cells = cells
        self._shape = shape
        self._end = end
        self._open = 0
        """The line of a quote that was not closed, until the next quote is seen."""

    def __iter__(self) -> Iterator[tuple[int, list[str] | Unreadable]]:
        lines = self._lines
        end, delimiter = self._end, self._cells.delimiter
        for line in lines:
            start = lines.number
            if '"' in line or lines.cut:
                yield start, self._with_quotes(line, start)
            elif line.endswith(end):
                yield start, line.rstrip("\r\n").split(delimiter)
            else:
                yield start, self._otherwise_ended(line)
            lines.settle()

    def _with_quotes(self, line: str, start: int) -> list[str] | Unreadable:
        if self._lines.cut:
            return Unreadable(TOO_LONG)
        opened, self._open = self._open, 0
        cells = self._cells.in_line(line)
        try:
            if cells is None:
                more = _More(self._lines, self._shape, line)
                cells = more.checked(self._cells.record(line, more))
        except Refused as refused:
            self._lines.give_back()
            self._open = start
            return Unreadable(str(refused))
        if opened and self._lines.number == start and line.count('"') % 2 and self._cells.may_close(line):
            return Unreadable(f"has a quote that may close the one of line {opened}")
        return cells

    def _otherwise_ended(self, line: str) -> list[str] | Unreadable:
        """A line end of another kind than the header's may stand within a cell: then neither half is a row."""
        cells, following = self._cells.plain(line), self._lines.peek()
        if not following.strip() or len(self._cells.loosely(following)) == self._shape.width:
            return cells
        return Unreadable(f"has a line end of another kind than line 1, and line {self._lines.number + 1} is no row")


class _More:
    """Gives a record the lines that it goes on with."""

    def __init__(self, lines: Lines, shape: RowShape, first: str) -> None:
        self.row: int = 0
        """The number of the line after the first that looks like a row, if there is one."""
        self._lines = lines
        self._shape = shape
        self._first = first
        self._size = len(first)

    def __call__(self) -> str:
        line = next(self._lines, None)
        if line is None:
            raise Refused(NEVER_CLOSED)
        self._size += len(line)
        if self._lines.cut or self._size > LONGEST_LINE:
            raise Refused(f"{NEVER_CLOSED}, or {TOO_LONG}")
        if self._shape.fits(line):
            where = self._lines.number
            if self.row or self._shape.fits(self._first):
                raise Refused(f"has a quote that is not closed before line {where}, which looks like a row of its own")
            self.row = where
        return line

    def checked(self, cells: list[str]) -> list[str]:
        """The cells of the whole record. Raises `Refused` where its number is that of another line."""
        if self.row and not self._shape.is_row(cells):
            raise Refused(f"has a quote that joins it to line {self.row}, which looks like a row of its own")
        return cells
