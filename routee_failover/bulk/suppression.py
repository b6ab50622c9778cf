"""Suppression list: the phone numbers that are never written to, such as those of people who have opted out.

A list is used whole or not at all. One line that cannot be read may be somebody who must not get the message.
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

_COLUMNS = {
    *("phone", "phonenumber", "phoneno", "number", "mobile", "mobilenumber", "mobilephone", "cell", "cellphone"),
    *("msisdn", "tel", "telephone", "to", "recipient", "e164"),
}
"""Names of a column of phone numbers, without blanks and signs."""
_TABLES = {".jsonl", ".ndjson", ".json", ".parquet", ".pq"}
"""Endings of files that are no lines of text."""
_FIRST_PROBLEMS = 3
"""Broken lines that an error names; the others are counted."""
_Entry = tuple[int, str | Unreadable]


class SuppressionList:
    """Numbers that are never written to: `BulkSettings(suppression_list=SuppressionList.read("optout.csv"))`.

    They are compared in E.164, so that one person written in several ways is one. `region` (such as `GR`) is the
    country of numbers that are written without one, the same as that of the recipients. Ten million numbers take about
    a hundred megabytes; none of them is shown. Raises `InvalidSource` for a text that is no number.
    """

    def __init__(self, numbers: Iterable[str] = (), *, region: str | None = None) -> None:
        check_region(region)
        self._numbers = KeySet()
        self._count = 0
        self._add("the suppression list", "number", enumerate(numbers, 1), functools.partial(_any_e164, region=region))

    @classmethod
    def read(cls, *paths: str | Path, region: str | None = None, columns: Sequence[str] = ()) -> Self:
        """The numbers in one or more files, each read whole.

        A file holds one number a line, or it is CSV, JSON lines or Parquet with a column of numbers: one of `columns`,
        else one that is called phone, number, mobile, msisdn or so, else the only one. Blank lines and lines that begin
        with # are left out. Raises `InvalidSource` for a file that cannot be read, that holds no number, or with a line
        that is no number.
        """
        found = cls(region=region)
        for path in map(Path, paths):
            name = f"the suppression list {printable_path(path)}"
            if not found._add(
                name, "line", _entries(path, name, tuple(columns), region), functools.partial(to_e164, region=region)
            ):
                raise InvalidSource(
                    f"{name} holds no number, which looks like an export that went wrong; nothing was sent. "
                    "Leave it out if there is nobody who must not be written to"
                )
        return found

    def _add(self, name: str, what: str, entries: Iterable[_Entry], read_number: Callable[[str], str]) -> int:
        """Add what was read, and return how many entries that were."""
        problems: list[str] = []
        read = broken = 0
        for line, text in entries:
            read += 1
            why = text.reason if isinstance(text, Unreadable) else self._add_one(text, read_number)
            if why is not None:
                broken += 1
                problems += [f"{what} {line}: {why}"] if broken <= _FIRST_PROBLEMS else []
        if broken:
            more = f"; {broken - len(problems):,} more" if broken > len(problems) else ""
            raise InvalidSource(
                f"{name} cannot be used, since it must be read whole ({'; '.join(problems)}{more}); nothing was sent. "
                "Correct it or take out what is no phone number; a first line that names columns must call one phone"
            )
        return read

    def _add_one(self, text: str, read_number: Callable[[str], str]) -> str | None:
        """Why a text is no number; `None` where it is one, which is on the list then."""
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
    """The number; one in E.164 is taken where its plan does not know it (any more): a flow may be made for it."""
    return canonical_e164(text) if is_e164(text) else to_e164(text, region)


def _entries(path: Path, name: str, columns: tuple[str, ...], region: str | None) -> Iterator[_Entry]:
    if is_stream(path):
        raise InvalidSource(
            f"{name} is a pipe or a device, and each start reads it anew: save it to a file first; nothing was sent"
        )
    if path.suffix.lower() in _TABLES:
        yield from _table(path, name, columns)
    else:
        yield from _text(path, name, columns, region)


def _table(path: Path, name: str, columns: tuple[str, ...]) -> Iterator[_Entry]:
    try:
        source = read_source(path)
    except InvalidSource as error:
        raise InvalidSource(f"the suppression list {error}") from None
    column = _column(source.columns or (), name, columns)
    for line, values in select_columns(source, {column}):
        yield line, values if isinstance(values, Unreadable) else values.get(column, "")


def _text(path: Path, name: str, columns: tuple[str, ...], region: str | None) -> Iterator[_Entry]:
    """The numbers of a text file. Each line is read by itself: a quote that is never closed swallows none."""
    delimiter: str | None = None
    header: list[str] | None = None
    place, first = 0, True
    for line, text in _lines(path, name):
        if isinstance(text, Unreadable):
            yield line, text
            continue
        if first and (chosen := re.fullmatch(r"sep=(.)", text, re.IGNORECASE)):
            delimiter = chosen[1]  # written by a spreadsheet for itself
            continue
        if delimiter is None:
            delimiter = max(reversed(DELIMITERS), key=re.sub(r'"[^"]*"', "", text).count)
        cells = _cells(text, delimiter)
        if isinstance(cells, Unreadable):
            yield line, cells
        elif first and _is_header(cells, columns, region):
            header = cells
            place = header.index(_column([cell for cell in header if cell], name, columns))
        elif any(cells):
            yield line, _cell(cells, header, place)
        first = False


def _lines(path: Path, name: str) -> Iterator[_Entry]:
    """The lines that say something."""
    try:
        file = open_text(path, name)
    except InvalidSource:
        if path.is_file() and not path.stat().st_size:
            return  # empty: told of as a list without a number
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


def _cells(text: str, delimiter: str) -> list[str] | Unreadable:
    if delimiter not in text and '"' not in text:
        return [text]
    try:
        (cells,) = csv.reader([text], delimiter=delimiter, strict=True, skipinitialspace=True)
    except csv.Error:
        return Unreadable("has a quote that is not closed in its line, or text after one")
    return [cell.strip() for cell in cells]


def _cell(cells: list[str], header: list[str] | None, place: int) -> str | Unreadable:
    if header is None:
        filled = [cell for cell in cells if cell]
        return filled[0] if len(filled) == 1 else Unreadable("has several values, and line 1 does not name the columns")
    if len(cells) != len(header):
        return Unreadable(f"has {len(cells)} values where line 1 names {len(header)} columns")
    return cells[place]


def _is_header(cells: list[str], columns: tuple[str, ...], region: str | None) -> bool:
    """Whether a first line names columns. What may be a number with a slip in it is none, so that it is refused."""
    if any(_is_number(cell, region) for cell in cells):
        return False
    if _named(cells, columns):
        return True
    return any(map(str.isalpha, "".join(cells))) and not any(map(str.isdigit, "".join(cells)))


def _is_number(cell: str, region: str | None) -> bool:
    try:
        return bool(to_e164(cell, region))
    except InvalidPhoneNumber:
        return False


def _column(there: Sequence[str], name: str, columns: tuple[str, ...]) -> str:
    found = _named(there, columns) or list(there)
    if len(found) == 1:
        return found[0]
    have = ", ".join(there[:20]) or "none"
    wanted = columns[0] if columns else "phone"
    raise InvalidSource(
        f"{name} has the columns {have}, and which holds the numbers is not clear; nothing was sent. Call one {wanted}"
    )


def _named(there: Sequence[str], columns: tuple[str, ...]) -> list[str]:
    """The columns of numbers, by their names: those that the recipients have go before the usual ones."""
    for names in ({*map(_plain, columns)}, _COLUMNS):
        found = [column for column in there if _plain(column) in names]
        if found:
            return found
    return []


def _plain(column: str) -> str:
    return "".join(letter for letter in column.casefold() if letter.isalnum())
