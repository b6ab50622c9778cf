"""The header of a CSV file: its delimiter, the names of its columns, and the line after which its rows begin."""

import re
from collections import Counter
from itertools import islice
from operator import itemgetter
from typing import NamedTuple

from ...errors import InvalidSource
from .cells import MOST_COLUMNS
from .column_names import first_duplicate, masked_column_name, normalize_column_name
from .csv_records import BLANKS, NEVER_CLOSED, Cells, Refused, RowShape
from .lines import LONGEST_LINE, TOO_LONG, UNDECODABLE, Lines

DELIMITERS = ";\t|,"
"""In this order where nothing else tells: a comma stands in names and prices, too."""
_LOOKED_AT = 50
"""The first so many lines show what rows look like."""
_MOST_LINES = 100
"""Of a header with line ends in its names."""
_says_delimiter = re.compile(r'\ufeff*"?sep=([^\w\s"]|\t| )"?\s*', re.IGNORECASE).fullmatch
_is_phone_number = re.compile(r"""[\s'"(+]*[0-9][0-9\s()./-]{6,40}['"\s]*""").fullmatch
# A year, a month or a day is a name of a column. A bare number is a phone number or a code.
_is_date = re.compile(
    r"(?:19|20)\d\d(?:[-/. ]+\d{1,2}(?:[-/. ]+\d{1,2})?|\s*[-/]\s*(?:19|20)\d\d)?|(?:\d{1,2}[-/. ]+){1,2}(?:19|20)\d\d"
).fullmatch


class Header(NamedTuple):
    """What a CSV file says of itself before its rows."""

    cells: Cells
    names: tuple[str, ...]
    """As `normalize_column_name` writes them; empty for a column without one."""
    end: str
    """How its line ends."""
    shape: RowShape
    """What the rows look like."""


def read_header(lines: Lines, name: str, delimiter: str | None = None) -> Header:
    """The header, with `lines` then at the first row; raises `InvalidSource`.

    `delimiter` is the one that the file is known to have. Lines may have to be looked at that come again.
    """
    first = next(lines, "")
    if said := _says_delimiter(first):
        delimiter = said[1]
        first = next(lines, "")
    at = lines.number
    text = _whole_header(lines, first, f"{name} line {at}", delimiter or DELIMITERS)
    lines.settle()
    sample = [*islice(lines, _LOOKED_AT)]
    lines.give_back(settled=0)
    outside = "".join(text.split('"')[::2])
    delimiters = [delimiter] if delimiter is not None else [one for one in DELIMITERS if one in outside] or [","]
    try:
        readings = [_reading(one, text, sample) for one in delimiters]
    except Refused as refused:
        raise InvalidSource(f"{name} line {at}: {refused}; nothing was sent") from None
    _, header = max(readings, key=itemgetter(0))
    _check(header.names, f"{name} line {at}")
    return header


def _whole_header(lines: Lines, text: str, where: str, delimiters: str) -> str:
    """The line and those that a quote in it joins to it: one that begins a name, for another one is a part of it."""
    begins = rf'(\A\ufeff*|[{re.escape(delimiters)}])[{BLANKS}]*"'
    closed, opened = re.compile(rf'{begins}(?:[^"]|"")*+"'), re.compile(begins)
    while opened.search(closed.sub(r"\1", text)) and not lines.cut:
        more = next(lines, None)
        if more is None or len(text) > LONGEST_LINE or text.count("\n") > _MOST_LINES:
            raise InvalidSource(f"{where}: unexpected end of data: a quote in it is never closed; nothing was sent")
        text += more
    if lines.cut:
        raise InvalidSource(f"{where} {TOO_LONG}; nothing was sent")
    return text.lstrip("\ufeff")


def _reading(delimiter: str, text: str, sample: list[str]) -> tuple[tuple[int, int, int], Header]:
    """What speaks for a delimiter, and the header as it makes it."""
    cells = Cells(delimiter)
    names = tuple(map(normalize_column_name, cells.record(text, _no_more)))
    rows = [*map(cells.loosely, sample)]
    numbers = Counter(place for row in rows for place, cell in enumerate(row) if _is_phone_number(cell))
    as_wide = sum(len(row) == len(names) for row in rows)
    end = text[len(text.rstrip("\r\n")) :]
    header = Header(cells, names, end, RowShape(cells, len(names), rows))
    return (max(numbers.values(), default=0), as_wide, len(names)), header


def _no_more() -> str:
    raise Refused(NEVER_CLOSED)


def _check(names: tuple[str, ...], where: str) -> None:
    if not any(names):
        raise InvalidSource(f"{where} names no columns; nothing was sent")
    if any("\0" in name for name in names):
        raise InvalidSource(
            f"{where} has a NUL byte: it is no text, or text in UTF-16; save it as UTF-8; nothing was sent"
        )
    if any(re.search("[\udc80-\udcff]", name) for name in names):
        raise InvalidSource(f"{where} {UNDECODABLE}; save the file as UTF-8; nothing was sent")
    if len(names) > MOST_COLUMNS:
        raise InvalidSource(f"{where} names more than {MOST_COLUMNS:,} columns; nothing was sent")
    if any(map(_is_number, names)):
        raise InvalidSource(f"{where} holds a number where it must name the columns; nothing was sent")
    if twice := first_duplicate(names):
        raise InvalidSource(f"{where} names the column {masked_column_name(twice)} twice; nothing was sent")


def _is_number(cell: str) -> bool:
    """Whether it is a phone number or a code, however it is written: names of columns may be shown, these may not."""
    bare = re.sub(r"[\s()+./-]", "", cell)
    return re.fullmatch(r"[0-9]{4,}", bare) is not None and not _is_date(cell)
