"""CSV record parser: splits lines into cells, and recovers from quotes that are not closed.

A quote that is not closed could merge the rows of two people into one cell. So a record of several lines is checked: if
two of its lines each look like a row, it is invalid, and the lines after its first one are read as separate rows.
"""

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from .base import Unreadable
from .line_reader import LINE_TOO_LONG, MAX_LINE_LENGTH, LineReader

UNCLOSED_QUOTE = "has a quote that is never closed"
_match_closing_quote = re.compile(r'((?:[^"]++|"")*+)"').match
_DATE = r"(?:19|20)\d\d[-/.]\d\d?[-/.]\d\d?|\d\d?[-/.]\d\d?[-/.](?:19|20)\d\d"
_begins_with_number = re.compile(
    rf"[\W_]*(?:tel:|whatsapp:)?(?![\W_]*(?:{_DATE}))[\W_]*\d(?:[\W_]*\d){{6,}}", re.IGNORECASE
).match
WHITESPACE_CLASS = " \t\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000\ufeff"
"""Characters that may occur between a delimiter and a quote in a file that was edited by hand."""


def _has_number(cell: str) -> bool:
    return _begins_with_number(cell[:80]) is not None


class MalformedRecord(Exception):  # caught within this package
    """A record cannot be read; the text says why, without quoting it."""


class RecordSplitter:
    """Splits records at one delimiter. Whitespace between a delimiter and a quote does not belong to a cell."""

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
        """Search a line for a quote that would close one that was opened on an earlier line."""
        self._single_line = _SingleLine()
        self._strict_reader = csv.reader(self._single_line, delimiter=delimiter, strict=True)

    def split_unquoted(self, line: str) -> list[str]:
        """Return the cells of a line without quotes."""
        return line.rstrip("\r\n").split(self.delimiter)

    def split_line(self, line: str) -> list[str] | None:
        """Return the cells of a line with quotes that is a well-formed record by itself; otherwise `None`."""
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
        """Return the cells of a line, wherever its quotes are."""
        try:
            return next(csv.reader((line,), delimiter=self.delimiter), [])
        except csv.Error:
            return self.split_unquoted(line)

    def read_record(self, line: str, next_line: Callable[[], str]) -> list[str]:
        """Return the cells of a record, whose further lines `next_line` returns. Raises `MalformedRecord`."""
        cells: list[str] = []
        position = 0
        while True:
            if opening := self._match_opening_quote(line, position):
                cell, line, position = self._read_quoted(line, opening.end(), next_line)
                after = self._match_cell_end(line, position)
                if after is None:
                    raise MalformedRecord(
                        "has text after a closing quote; a quote within a quoted value is written twice"
                    )
                cells.append(cell)
                position = after.end()
                if after[1] != self.delimiter:
                    return cells
            else:
                end = line.find(self.delimiter, position)
                if end < 0:
                    return [*cells, line[position:].rstrip("\r\n")]
                cells.append(line[position:end])
                position = end + 1

    @staticmethod
    def _read_quoted(line: str, position: int, next_line: Callable[[], str]) -> tuple[str, str, int]:
        parts: list[str] = []
        while (closing := _match_closing_quote(line, position)) is None:
            parts.append(line[position:])
            line, position = next_line(), 0
        parts.append(closing[1])
        return "".join(parts).replace('""', '"'), line, closing.end()


class _SingleLine:
    """Iterator over one line, for `csv.reader`."""

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
    """Heuristic for what a row looks like: which column most often has a number in the sample rows."""

    def __init__(self, splitter: RecordSplitter, width: int, rows: Iterable[list[str]]) -> None:
        self._splitter = splitter
        self.width: int = width
        counts = Counter(column for row in rows for column, cell in enumerate(row[:width]) if _has_number(cell))
        self._number_column = max(counts, key=lambda column: (counts[column], -column)) if counts else None

    def matches_line(self, line: str) -> bool:
        """Return whether a line looks like a row, with its quotes or without them."""
        return any(
            map(
                self.matches, (self._splitter.split_lenient(line), self._splitter.split_unquoted(line.replace('"', "")))
            )
        )

    def matches(self, cells: list[str]) -> bool:
        """Return whether cells have a number in the column in which rows have one."""
        if self._number_column is None:
            return len(cells) == self.width
        return (
            len(cells) >= min(2, self.width)
            and self._number_column < len(cells)
            and _has_number(cells[self._number_column])
        )


class RecordReader:
    """Iterator over the records of a file, each with the number of its first line."""

    def __init__(self, lines: LineReader, splitter: RecordSplitter, pattern: RowPattern, line_ending: str) -> None:
        """`line_ending` is that of the header."""
        self._lines = lines
        self._splitter = splitter
        self._pattern = pattern
        self._line_ending = line_ending
        self._unclosed_line = 0
        """The line of a quote that was not closed, until the next line with a quote."""

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
        unclosed_line, self._unclosed_line = self._unclosed_line, 0
        cells = self._splitter.split_line(line)
        try:
            if cells is None:
                continuation = _ContinuationLines(self._lines, self._pattern, line)
                cells = continuation.validate(self._splitter.read_record(line, continuation))
        except MalformedRecord as error:
            self._lines.rewind()
            self._unclosed_line = start
            return Unreadable(str(error))
        if (
            unclosed_line
            and self._lines.line_number == start
            and line.count('"') % 2
            and self._splitter.find_closing_quote(line)
        ):
            return Unreadable(f"has a quote that may close the one of line {unclosed_line}")
        return cells

    def _read_other_line_ending(self, line: str) -> list[str] | Unreadable:
        """Read a line with another line ending than the header's. If it is within a cell, neither half is a row."""
        cells, following = self._splitter.split_unquoted(line), self._lines.peek()
        if not following.strip() or len(self._splitter.split_lenient(following)) == self._pattern.width:
            return cells
        return Unreadable(f"has another line ending than line 1, and line {self._lines.line_number + 1} is not a row")


class _ContinuationLines:
    """Returns the further lines of a record whose quote is open, and checks that they are not rows of their own."""

    def __init__(self, lines: LineReader, pattern: RowPattern, first: str) -> None:
        self.row_like_line: int = 0
        """Number of the continuation line that looks like a row; 0 if there is none."""
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
            number = self._lines.line_number
            if self.row_like_line or self._pattern.matches_line(self._first):
                raise MalformedRecord(
                    f"has a quote that is not closed before line {number}, which looks like a row of its own"
                )
            self.row_like_line = number
        return line

    def validate(self, cells: list[str]) -> list[str]:
        """Return the cells of the complete record. Raises `MalformedRecord` if its number is from another line."""
        if self.row_like_line and not self._pattern.matches(cells):
            raise MalformedRecord(
                f"has a quote that joins it to line {self.row_like_line}, which looks like a row of its own"
            )
        return cells
