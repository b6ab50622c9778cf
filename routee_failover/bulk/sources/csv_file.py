"""Comma-separated values as spreadsheets and people write them; a row that is broken ends nothing."""

from collections.abc import Callable, Collection, Iterator
from copy import copy
from operator import itemgetter
from pathlib import Path

from ...errors import InvalidSource
from .cells import LONGEST_CELL, checked, is_sendable
from .csv_header import Header, read_header
from .csv_records import Records
from .lines import Lines, is_blank, open_text
from .source import Read, Unreadable


class CsvFile:
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
            lines = Lines(file)
            try:
                self._header = read_header(lines, name)
            except OSError as error:
                raise _ends(name, lines, error) from None
        self.columns: tuple[str, ...] | None = tuple(column for column in self._header.names if column)
        self.used: Collection[str] = self.columns

    def select(self, columns: Collection[str]) -> "CsvFile":
        """The same rows with these columns alone."""
        chosen = copy(self)
        chosen.used = columns
        return chosen

    def __iter__(self) -> Iterator[Read]:
        with open_text(self._path, self.name) as file:
            lines = Lines(file)
            try:
                header = self._pass_header(lines)
                width = len(header.names)
                names, cells_of = self._choice(header)
                for start, cells in Records(lines, header.cells, header.shape, header.end):
                    if isinstance(cells, Unreadable):
                        yield start, cells
                    elif len(cells) == width:
                        used = cells_of(cells)
                        joined = "".join(used)
                        if is_sendable(joined) and joined and not joined.isspace() and len(joined) <= LONGEST_CELL:
                            yield start, dict(zip(names, used, strict=True))
                        elif not is_blank("".join(cells)):
                            yield start, checked(dict(zip(names, used, strict=True)))
                    elif not is_blank("".join(cells)):
                        yield start, Unreadable(_miscounted(len(cells), width, start, lines.number))
            except OSError as error:
                raise _ends(self.name, lines, error) from None

    def _choice(self, header: Header) -> tuple[list[str], Callable[[list[str]], tuple[str, ...]]]:
        """The columns that are used, and what takes their cells out of a row's."""
        places = {name: place for place, name in enumerate(header.names) if name and name in self.used}
        if len(places) > 1:  # of one, it is no tuple
            return [*places], itemgetter(*places.values())
        return [*places], lambda cells: tuple(cells[place] for place in places.values())

    def _pass_header(self, lines: Lines) -> Header:
        """Raise `InvalidSource` where it is not what it was: values would go under the names of others."""
        known = self._header
        try:
            now = read_header(lines, self.name, known.cells.delimiter)
        except InvalidSource:
            now = None
        if now is None or now.names != known.names or now.cells.delimiter != known.cells.delimiter:
            raise InvalidSource(
                f"{self.name} names other columns in line 1 than when this run began to read it; nothing more is sent. "
                "Leave it as it was while a run goes on"
            )
        return now


def _ends(name: str, lines: Lines, error: OSError) -> InvalidSource:
    return InvalidSource(f"{name} cannot be read after line {lines.number}: {error}")


def _miscounted(found: int, wanted: int, start: int, end: int) -> str:
    where = f" in lines {start} to {end}, which a quote joins" if end > start else ""
    return f"has {found} value{'s' if found != 1 else ''}{where}, where the header names {wanted} columns"
