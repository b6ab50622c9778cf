"""The records of a CSV file as people's programs write them: cells out of lines, whatever their quotes do.

A quote that is not closed could make one cell of two people's rows. So a record of several lines is looked at: where
two of its lines each look like a row, it is refused, and the lines after its first are read as rows of their own.
"""

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from .base import Unreadable
from .line_reader import LINE_TOO_LONG, MAX_LINE_LENGTH, LineReader

UNCLOSED_QUOTE = "has a quote that is never closed"
_closing = re.compile(r'((?:[^"]++|"")*+)"').match
_DATE = r"(?:19|20)\d\d[-/.]\d\d?[-/.]\d\d?|\d\d?[-/.]\d\d?[-/.](?:19|20)\d\d"
_begins_with_number = re.compile(
    rf"[\W_]*(?:tel:|whatsapp:)?(?![\W_]*(?:{_DATE}))[\W_]*\d(?:[\W_]*\d){{6,}}", re.IGNORECASE
).match
WHITESPACE_CLASS = " \t\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000\ufeff"
"""That a person may have written between a delimiter and a quote."""


def _has_number(cell: str) -> bool:
    return _begins_with_number(cell[:80]) is not None


class MalformedRecord(Exception):  # it is caught where it is raised
    """A record cannot be read; says why without quoting it."""


class RecordSplitter:
    """Splits records at one delimiter. A blank between a delimiter and a quote is no part of a cell."""

    def __init__(self, delimiter: str) -> None:
        self.delimiter = delimiter
        bare = re.escape(delimiter)
        blank = "[" + WHITESPACE_CLASS.replace(delimiter, "") + "]"
        self._match_opening_quote = re.compile(rf'{blank}*"').match
        self._match_cell_end = re.compile(rf"{blank}*({bare}|[\r\n]*\Z)").match
        self._search_padded_quote = re.compile(rf'(?:^|{bare}){blank}+"|"{blank}+(?:{bare}|[\r\n]*\Z)').search
        self.find_closing_quote: Callable[[str], re.Match[str] | None] = re.compile(
            rf'"{blank}*(?:{bare}|[\r\n]*\Z)'
        ).search
        """Whether a line has a quote where one that was opened before would end."""
        self._single_line = _SingleLine()
        self._strict_reader = csv.reader(self._single_line, delimiter=delimiter, strict=True)

    def split_unquoted(self, line: str) -> list[str]:
        """The cells of a line without a quote."""
        return line.rstrip("\r\n").split(self.delimiter)

    def split_line(self, line: str) -> list[str] | None:
        """The cells of a line with quotes that is a record by itself, and written as it should be."""
        if not (
            line.isascii() and '" ' not in line and ' "' not in line and "\t" not in line
        ) and self._search_padded_quote(line):
            return None
        self._single_line.line = line
        try:
            return next(self._strict_reader)
        except csv.Error:
            return None

    def split_lenient(self, line: str) -> list[str]:
        """The cells of a line, wherever its quotes stand."""
        try:
            return next(csv.reader((line,), delimiter=self.delimiter), [])
        except csv.Error:
            return self.split_unquoted(line)

    def read_record(self, line: str, next_line: Callable[[], str]) -> list[str]:
        """The cells of a record that begins with this line and takes `more`. Raises `Refused`."""
        cells: list[str] = []
        at = 0
        while True:
            if opened := self._match_opening_quote(line, at):
                cell, line, at = self._read_quoted(line, opened.end(), next_line)
                after = self._match_cell_end(line, at)
                if after is None:
                    raise MalformedRecord(
                        "has text after a closing quote; a quote within a quoted value is written twice"
                    )
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
    def _read_quoted(line: str, at: int, next_line: Callable[[], str]) -> tuple[str, str, int]:
        parts: list[str] = []
        while (closed := _closing(line, at)) is None:
            parts.append(line[at:])
            line, at = next_line(), 0
        parts.append(closed[1])
        return "".join(parts).replace('""', '"'), line, closed.end()


class _SingleLine:
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


class RowPattern:
    """Knows a row by where its numbers stand: the first column that holds some in the rows that it has seen."""

    def __init__(self, splitter: RecordSplitter, width: int, rows: Iterable[list[str]]) -> None:
        self._splitter = splitter
        self.width: int = width
        found = Counter(place for row in rows for place, cell in enumerate(row[:width]) if _has_number(cell))
        self._number_column = max(found, key=lambda column: (found[column], -column)) if found else None

    def matches_line(self, line: str) -> bool:
        """Whether a line looks like a row, its quotes taken as they are or for none."""
        return any(
            map(
                self.matches, (self._splitter.split_lenient(line), self._splitter.split_unquoted(line.replace('"', "")))
            )
        )

    def matches(self, cells: list[str]) -> bool:
        """Whether cells have a number where rows have one."""
        if self._number_column is None:
            return len(cells) == self.width
        return (
            len(cells) >= min(2, self.width)
            and self._number_column < len(cells)
            and _has_number(cells[self._number_column])
        )


class RecordReader:
    """The records of a file's lines, each with the number of the line that it begins in."""

    def __init__(self, lines: LineReader, splitter: RecordSplitter, pattern: RowPattern, line_ending: str) -> None:
        """`end` is how the header's line ends."""
        self._lines = lines
        self._splitter = splitter
        self._pattern = pattern
        self._line_ending = line_ending
        self._unclosed_line = 0
        """The line of a quote that was not closed, until the next quote is seen."""

    def __iter__(self) -> Iterator[tuple[int, list[str] | Unreadable]]:
        lines = self._lines
        end, delimiter = self._line_ending, self._splitter.delimiter
        for line in lines:
            start = lines.line_number
            if '"' in line or lines.truncated:
                yield start, self._read_quoted_record(line, start)
            elif line.endswith(end):
                yield start, line.rstrip("\r\n").split(delimiter)
            else:
                yield start, self._read_other_line_ending(line)
            lines.commit()

    def _read_quoted_record(self, line: str, start: int) -> list[str] | Unreadable:
        if self._lines.truncated:
            return Unreadable(LINE_TOO_LONG)
        opened, self._unclosed_line = self._unclosed_line, 0
        cells = self._splitter.split_line(line)
        try:
            if cells is None:
                more = _ContinuationLines(self._lines, self._pattern, line)
                cells = more.validate(self._splitter.read_record(line, more))
        except MalformedRecord as refused:
            self._lines.rewind()
            self._unclosed_line = start
            return Unreadable(str(refused))
        if (
            opened
            and self._lines.line_number == start
            and line.count('"') % 2
            and self._splitter.find_closing_quote(line)
        ):
            return Unreadable(f"has a quote that may close the one of line {opened}")
        return cells

    def _read_other_line_ending(self, line: str) -> list[str] | Unreadable:
        """A line end of another kind than the header's may stand within a cell: then neither half is a row."""
        cells, following = self._splitter.split_unquoted(line), self._lines.peek()
        if not following.strip() or len(self._splitter.split_lenient(following)) == self._pattern.width:
            return cells
        return Unreadable(
            f"has a line end of another kind than line 1, and line {self._lines.line_number + 1} is no row"
        )


class _ContinuationLines:
    """Gives a record the lines that it goes on with."""

    def __init__(self, lines: LineReader, pattern: RowPattern, first: str) -> None:
        self.row_like_line: int = 0
        """The number of the line after the first that looks like a row, if there is one."""
        self._lines = lines
        self._pattern = pattern
        self._first = first
        self._size = len(first)

    def __call__(self) -> str:
        line = next(self._lines, None)
        if line is None:
            raise MalformedRecord(UNCLOSED_QUOTE)
        self._size += len(line)
        if self._lines.truncated or self._size > MAX_LINE_LENGTH:
            raise MalformedRecord(f"{UNCLOSED_QUOTE}, or {LINE_TOO_LONG}")
        if self._pattern.matches_line(line):
            where = self._lines.line_number
            if self.row_like_line or self._pattern.matches_line(self._first):
                raise MalformedRecord(
                    f"has a quote that is not closed before line {where}, which looks like a row of its own"
                )
            self.row_like_line = where
        return line

    def validate(self, cells: list[str]) -> list[str]:
        """The cells of the whole record. Raises `Refused` where its number is that of another line."""
        if self.row_like_line and not self._pattern.matches(cells):
            raise MalformedRecord(
                f"has a quote that joins it to line {self.row_like_line}, which looks like a row of its own"
            )
        return cells
