"""Comma-separated values as spreadsheets and people write them; a row that is broken ends nothing."""

from collections.abc import Callable, Collection, Iterator
from copy import copy
from operator import itemgetter
from pathlib import Path

from ...errors import InvalidSource
from .base import SourceRow, Unreadable
from .cells import MAX_CELL_LENGTH, is_sendable, validate_texts
from .csv_header import CsvHeader, read_header
from .csv_records import RecordReader
from .line_reader import LineReader, is_blank, open_text


class CsvSource:
    """A CSV file in UTF-8, with or without byte order marks, its columns named in the first line.

    A first line `sep=;` says the delimiter; otherwise it is the comma, the semicolon, the tab or the bar, whichever
    makes rows of the lines. A quote that is never closed breaks its own row only: reading goes on with the line after
    it. Lines that hold delimiters and blanks alone are no rows.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.name: str = name
        self.total: int | None = None
        self._path = path
        with open_text(path, name) as file:
            lines = LineReader(file)
            try:
                self._header = read_header(lines, name)
            except OSError as error:
                raise _read_error(name, lines, error) from None
        self.columns: tuple[str, ...] | None = tuple(column for column in self._header.names if column)
        self.selected_columns: Collection[str] = self.columns

    def select(self, columns: Collection[str]) -> "CsvSource":
        """The same rows with these columns alone."""
        chosen = copy(self)
        chosen.selected_columns = columns
        return chosen

    def __iter__(self) -> Iterator[SourceRow]:
        with open_text(self._path, self.name) as file:
            lines = LineReader(file)
            try:
                header = self._skip_header(lines)
                width = len(header.names)
                names, cells_of = self._cell_getter(header)
                for start, cells in RecordReader(lines, header.splitter, header.row_pattern, header.line_ending):
                    if isinstance(cells, Unreadable):
                        yield start, cells
                    elif len(cells) == width:
                        used = cells_of(cells)
                        joined = "".join(used)
                        if is_sendable(joined) and joined and not joined.isspace() and len(joined) <= MAX_CELL_LENGTH:
                            yield start, dict(zip(names, used, strict=True))
                        elif not is_blank("".join(cells)):
                            yield start, validate_texts(dict(zip(names, used, strict=True)))
                    elif not is_blank("".join(cells)):
                        yield start, Unreadable(_column_count_reason(len(cells), width, start, lines.line_number))
            except OSError as error:
                raise _read_error(self.name, lines, error) from None

    def _cell_getter(self, header: CsvHeader) -> tuple[list[str], Callable[[list[str]], tuple[str, ...]]]:
        """The columns that are used, and what takes their cells out of a row's."""
        places = {name: place for place, name in enumerate(header.names) if name and name in self.selected_columns}
        if len(places) > 1:  # of one, it is no tuple
            return [*places], itemgetter(*places.values())
        return [*places], lambda cells: tuple(cells[place] for place in places.values())

    def _skip_header(self, lines: LineReader) -> CsvHeader:
        """Raise `InvalidSource` where it is not what it was: values would go under the names of others."""
        known = self._header
        try:
            now = read_header(lines, self.name, known.splitter.delimiter)
        except InvalidSource:
            now = None
        if now is None or now.names != known.names or now.splitter.delimiter != known.splitter.delimiter:
            raise InvalidSource(
                f"{self.name} names other columns in line 1 than when this run began to read it; nothing more is sent. "
                "Leave it as it was while a run goes on"
            )
        return now


def _read_error(name: str, lines: LineReader, error: OSError) -> InvalidSource:
    return InvalidSource(f"{name} cannot be read after line {lines.line_number}: {error}")


def _column_count_reason(found: int, wanted: int, start: int, end: int) -> str:
    where = f" in lines {start} to {end}, which a quote joins" if end > start else ""
    return f"has {found} value{'s' if found != 1 else ''}{where}, where the header names {wanted} columns"
