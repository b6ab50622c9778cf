"""Comma-separated values as spreadsheets write them; a row that is broken ends nothing."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from ...errors import InvalidSource
from .lines import TOO_LONG, UNDECODABLE, Lines, is_sound, open_text
from .source import Read, Unreadable

DELIMITERS = ",;\t"


class CsvFile:
    """A CSV file in UTF-8, with or without a byte order mark, its columns named in the first line.

    The delimiter is the comma, the semicolon or the tab, whichever the first line has most of. A quote that is never
    closed breaks its own row only: reading goes on with the line after it.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.name: str = name
        self.total: int | None = None
        self._path = path
        self._delimiter, self._header = _read_header(path, name)
        self.columns: tuple[str, ...] | None = tuple(column for column in self._header if column)

    def __iter__(self) -> Iterator[Read]:
        header, width = self._header, len(self._header)
        with open_text(self._path, self.name) as file:
            lines = Lines(file)
            reader = csv.reader(lines, delimiter=self._delimiter, strict=True)
            self._pass_header(reader)
            lines.settle()
            while True:
                start = lines.number + 1
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    yield start, Unreadable(_why(error, lines))
                    lines.give_back()
                    reader = csv.reader(lines, delimiter=self._delimiter, strict=True)
                    continue
                except OSError as error:
                    raise InvalidSource(f"{self.name} cannot be read after line {lines.number}: {error}") from None
                if lines.cut:
                    yield start, Unreadable(TOO_LONG)
                elif len(cells) == width:
                    yield (
                        (start, dict(zip(header, cells, strict=True)))
                        if is_sound("".join(cells))
                        else (start, Unreadable(UNDECODABLE))
                    )
                elif cells:  # an empty line is no row
                    yield start, Unreadable(_miscounted(len(cells), width, start, lines.number))
                lines.settle()

    def _pass_header(self, reader: Iterator[list[str]]) -> None:
        """Raise `InvalidSource` where it is not what it was: values would go under the names of others."""
        try:
            now = [cell.strip() for cell in next(reader, [])]
        except csv.Error:
            now = []
        if now != self._header:
            raise InvalidSource(
                f"{self.name} names other columns in line 1 than when this run began to read it; nothing more is sent. "
                "Leave it as it was while a run goes on"
            )


def _read_header(path: Path, name: str) -> tuple[str, list[str]]:
    with open_text(path, name) as file:
        lines = Lines(file)
        first = next(lines, "")
        delimiter = max(DELIMITERS, key=_outside_quotes(first).count)
        lines.give_back(settled=0)
        try:
            header = [cell.strip() for cell in next(csv.reader(lines, delimiter=delimiter, strict=True))]
        except csv.Error as error:
            raise InvalidSource(f"{name} line 1: {error}; nothing was sent") from None
    if not any(header):
        raise InvalidSource(f"{name} line 1 names no columns; nothing was sent")
    if not is_sound("".join(header)):
        raise InvalidSource(f"{name} line 1 {UNDECODABLE}; save the file as UTF-8; nothing was sent")
    if any(_is_number(cell) for cell in header):
        raise InvalidSource(f"{name} line 1 holds a number where it must name the columns; nothing was sent")
    twice = sorted({cell for cell in header if cell and header.count(cell) > 1})
    if twice:
        raise InvalidSource(f"{name} line 1 names the column {twice[0]} twice; nothing was sent")
    return delimiter, header


def _is_number(cell: str) -> bool:
    """Whether it is a phone number or a code, however it is written: names of columns may be shown, these may not."""
    return re.fullmatch(r"[0-9]{4,}", re.sub(r"[\s()+./-]", "", cell)) is not None


def _outside_quotes(line: str) -> str:
    return "".join(line.split('"')[::2])


def _why(error: csv.Error, lines: Lines) -> str:
    if lines.cut:
        return TOO_LONG
    words = str(error)
    if "field larger" in words:
        return "has a value longer than 131,072 characters, or a quote that is never closed"
    return "has a quote that is never closed" if "unexpected end" in words else "has text after a closing quote"


def _miscounted(found: int, wanted: int, start: int, end: int) -> str:
    where = f" in lines {start} to {end}, which a quote joins" if end > start else ""
    return f"has {found} value{'s' if found != 1 else ''}{where}, where the header names {wanted} columns"
