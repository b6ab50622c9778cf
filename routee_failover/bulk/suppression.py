"""Suppression list: the phone numbers that are never written to, such as those of people who have opted out.

A list is used whole or not at all: a line that cannot be read may be the number of a person who must not get the
message.
"""

import csv
import functools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Self

from .._phone_numbers import InvalidPhoneNumber, is_e164
from ..errors import InvalidSource
from .key_set import KeySet
from .phone_numbers import canonical_e164, check_region, to_e164
from .sources.base import Unreadable
from .sources.csv_header import DELIMITERS
from .sources.formats import is_stream, printable_path, read_source
from .sources.line_reader import LINE_TOO_LONG, NOT_UTF8, LineReader, is_valid_utf8, open_text
from .sources.mappings import select_columns
from .templates.correlation import with_plus

_COLUMN_NAMES = {
    *("phone", "phonenumber", "phoneno", "number", "mobile", "mobilenumber", "mobilephone", "cell", "cellphone"),
    *("msisdn", "tel", "telephone", "to", "recipient", "e164"),
}
"""Names of a column of phone numbers, without blanks and punctuation."""
_TABLE_SUFFIXES = {".jsonl", ".ndjson", ".json", ".parquet", ".pq"}
"""Suffixes of files that are not plain text."""
_MAX_PROBLEMS = 3
"""Number of invalid lines that an error names; the others are counted."""
_Entry = tuple[int, str | Unreadable]


class SuppressionList:
    """Suppression list: `BulkSettings(suppression_list=SuppressionList.read("optout.csv"))`.

    Its numbers are never written to. They are compared in E.164, so that all notations of a number are one. `region`
    (such as `GR`) is the country of numbers that are written without one, the same as that of the recipients. Ten
    million numbers take about a hundred megabytes; none of them is shown. Raises `InvalidSource` for a text that is not
    a number.
    """

    def __init__(self, numbers: Iterable[str] = (), *, region: str | None = None) -> None:
        check_region(region)
        self._numbers = KeySet()
        self._count = 0
        self._add("the suppression list", "number", enumerate(numbers, 1), functools.partial(_any_e164, region=region))

    @classmethod
    def read(cls, *paths: str | Path, region: str | None = None, columns: Sequence[str] = ()) -> Self:
        """Read the numbers of one or more files.

        A file has one number a line, or it is CSV, JSON Lines or Parquet with a column of numbers: one of `columns`,
        else one that is named like phone, number, mobile or msisdn, else the only column. Blank lines and lines that
        begin with # are skipped. Raises `InvalidSource` for a file that cannot be read, that has no number, or that has
        a line without a valid number.
        """
        found = cls(region=region)
        for path in map(Path, paths):
            name = f"the suppression list {printable_path(path)}"
            if not found._add(
                name, "line", _entries(path, name, tuple(columns), region), functools.partial(to_e164, region=region)
            ):
                raise InvalidSource(
                    f"{name} holds no number, which looks like a failed export; nothing was sent. "
                    "Leave it out if no recipient has to be suppressed"
                )
        return found

    def _add(self, name: str, unit: str, entries: Iterable[_Entry], read_number: Callable[[str], str]) -> int:
        """Add the entries, and return how many were read."""
        problems: list[str] = []
        read = invalid_count = 0
        for line, text in entries:
            read += 1
            reason = text.reason if isinstance(text, Unreadable) else self._add_one(text, read_number)
            if reason is not None:
                invalid_count += 1
                problems += [f"{unit} {line}: {reason}"] if invalid_count <= _MAX_PROBLEMS else []
        if invalid_count:
            more = f"; {invalid_count - len(problems):,} more" if invalid_count > len(problems) else ""
            raise InvalidSource(
                f"{name} cannot be used, since it must be read whole ({'; '.join(problems)}{more}); nothing was sent. "
                "Correct it or remove what is no phone number; a first line that names columns must name one phone"
            )
        return read

    def _add_one(self, text: str, read_number: Callable[[str], str]) -> str | None:
        """Add a number; return the reason if the text is not a valid number, otherwise `None`."""
        try:
            self._count += self._numbers.add(read_number(text))
        except InvalidPhoneNumber as error:
            return str(error)
        return None

    def __contains__(self, number: object) -> bool:
        return isinstance(number, str) and canonical_e164(with_plus(number)) in self._numbers

    def __len__(self) -> int:
        return self._count

    def __repr__(self) -> str:
        return f"SuppressionList({self._count:,} numbers)"


def _any_e164(text: str, region: str | None) -> str:
    """Return the number in E.164.

    One in E.164 is accepted even if its numbering plan does not, or no longer, contain it: a flow may be sent to it.
    """
    return canonical_e164(text) if is_e164(text) else to_e164(text, region)


def _entries(path: Path, name: str, columns: tuple[str, ...], region: str | None) -> Iterator[_Entry]:
    if is_stream(path):
        raise InvalidSource(
            f"{name} is a pipe or a device, and each run reads it again: save it to a file first; nothing was sent"
        )
    if path.suffix.lower() in _TABLE_SUFFIXES:
        yield from _read_table(path, name, columns)
    else:
        yield from _read_text(path, name, columns, region)


def _read_table(path: Path, name: str, columns: tuple[str, ...]) -> Iterator[_Entry]:
    try:
        source = read_source(path)
    except InvalidSource as error:
        raise InvalidSource(f"the suppression list {error}") from None
    column = _choose_column(source.columns or (), name, columns)
    for line, values in select_columns(source, {column}):
        yield line, values if isinstance(values, Unreadable) else values.get(column, "")


def _read_text(path: Path, name: str, columns: tuple[str, ...], region: str | None) -> Iterator[_Entry]:
    """Yield the numbers of a text file.

    Each line is parsed by itself, so that an unclosed quote affects no other line.
    """
    delimiter: str | None = None
    header: list[str] | None = None
    index, is_first_line = 0, True
    for line, text in _read_lines(path, name):
        if isinstance(text, Unreadable):
            yield line, text
            continue
        if is_first_line and (chosen := re.fullmatch(r"sep=(.)", text, re.IGNORECASE)):
            delimiter = chosen[1]  # a line that Excel writes
            continue
        if delimiter is None:
            delimiter = max(reversed(DELIMITERS), key=re.sub(r'"[^"]*"', "", text).count)
        cells = _split_line(text, delimiter)
        if isinstance(cells, Unreadable):
            yield line, cells
        elif is_first_line and _is_header(cells, columns, region):
            header = cells
            index = header.index(_choose_column([cell for cell in header if cell], name, columns))
        elif any(cells):
            yield line, _number_cell(cells, header, index)
        is_first_line = False


def _read_lines(path: Path, name: str) -> Iterator[_Entry]:
    """Yield the lines that are neither blank nor comments."""
    try:
        file = open_text(path, name)
    except InvalidSource:
        if path.is_file() and not path.stat().st_size:
            return  # empty: reported as a list without a number
        raise
    with file:
        lines = LineReader(file)
        try:
            for line in lines:
                text = line.strip()
                if lines.truncated:
                    yield lines.line_number, Unreadable(LINE_TOO_LONG)
                elif not is_valid_utf8(text):
                    yield lines.line_number, Unreadable(NOT_UTF8)
                elif text and not text.startswith("#"):
                    yield lines.line_number, text
                lines.commit()
        except OSError as error:
            raise InvalidSource(
                f"{name} cannot be read after line {lines.line_number}: {error}; nothing was sent"
            ) from None


def _split_line(text: str, delimiter: str) -> list[str] | Unreadable:
    if delimiter not in text and '"' not in text:
        return [text]
    try:
        (cells,) = csv.reader([text], delimiter=delimiter, strict=True, skipinitialspace=True)
    except csv.Error:
        return Unreadable("has a quote that is not closed in its line, or text after one")
    return [cell.strip() for cell in cells]


def _number_cell(cells: list[str], header: list[str] | None, index: int) -> str | Unreadable:
    if header is None:
        filled = [cell for cell in cells if cell]
        return filled[0] if len(filled) == 1 else Unreadable("has several values, and line 1 does not name the columns")
    if len(cells) != len(header):
        return Unreadable(f"has {len(cells)} values where line 1 names {len(header)} columns")
    return cells[index]


def _is_header(cells: list[str], columns: tuple[str, ...], region: str | None) -> bool:
    """Return whether a first line names columns.

    A cell that may be a mistyped number is none, so that it is reported.
    """
    if any(_is_number(cell, region) for cell in cells):
        return False
    if _number_columns(cells, columns):
        return True
    return any(map(str.isalpha, "".join(cells))) and not any(map(str.isdigit, "".join(cells)))


def _is_number(cell: str, region: str | None) -> bool:
    try:
        return bool(to_e164(cell, region))
    except InvalidPhoneNumber:
        return False


def _choose_column(available: Sequence[str], name: str, columns: tuple[str, ...]) -> str:
    found = _number_columns(available, columns) or list(available)
    if len(found) == 1:
        return found[0]
    listed = ", ".join(available[:20]) or "none"
    wanted = columns[0] if columns else "phone"
    raise InvalidSource(
        f"{name} has the columns {listed}, and which has the numbers is not clear; nothing was sent. Name one {wanted}"
    )


def _number_columns(available: Sequence[str], columns: tuple[str, ...]) -> list[str]:
    """Return the columns of numbers, by name: those of the recipients come before the usual names."""
    for names in ({*map(_normalize_name, columns)}, _COLUMN_NAMES):
        found = [column for column in available if _normalize_name(column) in names]
        if found:
            return found
    return []


def _normalize_name(column: str) -> str:
    return "".join(char for char in column.casefold() if char.isalnum())
