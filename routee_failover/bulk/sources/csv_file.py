"""CSV source: files of spreadsheets and databases, also hand-edited ones. An invalid row does not end the iteration."""

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
    """CSV file in UTF-8, with or without a byte order mark, whose first line names the columns.

    A first line `sep=;` declares the delimiter; otherwise it is detected: the comma, the semicolon, the tab or the bar,
    whichever splits the lines into rows best. A quote that is never closed invalidates its own row only: reading
    continues with the next line. Lines with only delimiters and whitespace are skipped.
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
        """Return the same rows with only these columns."""
        selected = copy(self)
        selected.selected_columns = columns
        return selected

    def __iter__(self) -> Iterator[SourceRow]:
        with open_text(self._path, self.name) as file:
            lines = LineReader(file)
            try:
                header = self._skip_header(lines)
                width = len(header.names)
                names, used_cells = self._cell_getter(header)
                for start, cells in RecordReader(lines, header.splitter, header.row_pattern, header.line_ending):
                    if isinstance(cells, Unreadable):
                        yield start, cells
                    elif len(cells) == width:
                        used = used_cells(cells)
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
        """Return the used columns, and a function that returns their cells of a row."""
        indexes = {name: index for index, name in enumerate(header.names) if name and name in self.selected_columns}
        if len(indexes) > 1:  # with one index, itemgetter does not return a tuple
            return [*indexes], itemgetter(*indexes.values())
        return [*indexes], lambda cells: tuple(cells[index] for index in indexes.values())

    def _skip_header(self, lines: LineReader) -> CsvHeader:
        """Read the header again. Raises `InvalidSource` if it has changed: values would get the names of others."""
        expected = self._header
        try:
            header = read_header(lines, self.name, expected.splitter.delimiter)
        except InvalidSource:
            header = None
        if header is None or header.names != expected.names or header.splitter.delimiter != expected.splitter.delimiter:
            raise InvalidSource(
                f"{self.name} has other columns in line 1 than at the start of this run; nothing more is sent. "
                "Do not change it during a run"
            )
        return header


def _read_error(name: str, lines: LineReader, error: OSError) -> InvalidSource:
    return InvalidSource(f"{name} cannot be read after line {lines.line_number}: {error}")


def _column_count_reason(count: int, expected: int, start: int, end: int) -> str:
    where = f" in lines {start} to {end}, which a quote joins" if end > start else ""
    return f"has {count} value{'s' if count != 1 else ''}{where}, but the header names {expected} columns"
