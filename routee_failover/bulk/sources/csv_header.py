"""The header of a CSV file: its delimiter, the names of its columns, and the line after which its rows begin."""

import re
from collections import Counter
from itertools import islice
from operator import itemgetter
from typing import NamedTuple

from ...errors import InvalidSource
from .cells import MAX_COLUMNS
from .column_names import first_duplicate, masked_column_name, normalize_column_name
from .csv_records import UNCLOSED_QUOTE, WHITESPACE_CLASS, MalformedRecord, RecordSplitter, RowPattern
from .line_reader import LINE_TOO_LONG, MAX_LINE_LENGTH, NOT_UTF8, LineReader

DELIMITERS = ";\t|,"
"""In this order where nothing else tells: a comma stands in names and prices, too."""
_SAMPLE_LINES = 50
"""The first so many lines show what rows look like."""
_MAX_HEADER_LINES = 100
"""Of a header with line ends in its names."""
_match_sep_line = re.compile(r'\ufeff*"?sep=([^\w\s"]|\t| )"?\s*', re.IGNORECASE).fullmatch
_is_phone_number = re.compile(r"""[\s'"(+]*[0-9][0-9\s()./-]{6,40}['"\s]*""").fullmatch
# A year, a month or a day is a name of a column. A bare number is a phone number or a code.
_is_date = re.compile(
    r"(?:19|20)\d\d(?:[-/. ]+\d{1,2}(?:[-/. ]+\d{1,2})?|\s*[-/]\s*(?:19|20)\d\d)?|(?:\d{1,2}[-/. ]+){1,2}(?:19|20)\d\d"
).fullmatch


class CsvHeader(NamedTuple):
    """What a CSV file says of itself before its rows."""

    splitter: RecordSplitter
    names: tuple[str, ...]
    """As `normalize_column_name` writes them; empty for a column without one."""
    line_ending: str
    """How its line ends."""
    row_pattern: RowPattern
    """What the rows look like."""


def read_header(lines: LineReader, source_name: str, delimiter: str | None = None) -> CsvHeader:
    """The header, with `lines` then at the first row; raises `InvalidSource`.

    `delimiter` is the one that the file is known to have. Lines may have to be looked at that come again.
    """
    first = next(lines, "")
    if said := _match_sep_line(first):
        delimiter = said[1]
        first = next(lines, "")
    at = lines.line_number
    text = _join_header_lines(lines, first, f"{source_name} line {at}", delimiter or DELIMITERS)
    lines.commit()
    sample = [*islice(lines, _SAMPLE_LINES)]
    lines.rewind(keep=0)
    outside = "".join(text.split('"')[::2])
    delimiters = [delimiter] if delimiter is not None else [one for one in DELIMITERS if one in outside] or [","]
    try:
        readings = [_score_delimiter(one, text, sample) for one in delimiters]
    except MalformedRecord as refused:
        raise InvalidSource(f"{source_name} line {at}: {refused}; nothing was sent") from None
    _, header = max(readings, key=itemgetter(0))
    _validate_names(header.names, f"{source_name} line {at}")
    return header


def _join_header_lines(lines: LineReader, text: str, where: str, delimiters: str) -> str:
    """The line and those that a quote in it joins to it: one that begins a name, for another one is a part of it."""
    begins = rf'(\A\ufeff*|[{re.escape(delimiters)}])[{WHITESPACE_CLASS}]*"'
    closed, opened = re.compile(rf'{begins}(?:[^"]|"")*+"'), re.compile(begins)
    while opened.search(closed.sub(r"\1", text)) and not lines.truncated:
        more = next(lines, None)
        if more is None or len(text) > MAX_LINE_LENGTH or text.count("\n") > _MAX_HEADER_LINES:
            raise InvalidSource(f"{where}: unexpected end of data: a quote in it is never closed; nothing was sent")
        text += more
    if lines.truncated:
        raise InvalidSource(f"{where} {LINE_TOO_LONG}; nothing was sent")
    return text.lstrip("\ufeff")


def _score_delimiter(delimiter: str, text: str, sample: list[str]) -> tuple[tuple[int, int, int], CsvHeader]:
    """What speaks for a delimiter, and the header as it makes it."""
    cells = RecordSplitter(delimiter)
    names = tuple(map(normalize_column_name, cells.read_record(text, _no_continuation)))
    rows = [*map(cells.split_lenient, sample)]
    numbers = Counter(place for row in rows for place, cell in enumerate(row) if _is_phone_number(cell))
    as_wide = sum(len(row) == len(names) for row in rows)
    end = text[len(text.rstrip("\r\n")) :]
    header = CsvHeader(cells, names, end, RowPattern(cells, len(names), rows))
    return (max(numbers.values(), default=0), as_wide, len(names)), header


def _no_continuation() -> str:
    raise MalformedRecord(UNCLOSED_QUOTE)


def _validate_names(names: tuple[str, ...], where: str) -> None:
    if not any(names):
        raise InvalidSource(f"{where} names no columns; nothing was sent")
    if any("\0" in name for name in names):
        raise InvalidSource(
            f"{where} has a NUL byte: it is no text, or text in UTF-16; save it as UTF-8; nothing was sent"
        )
    if any(re.search("[\udc80-\udcff]", name) for name in names):
        raise InvalidSource(f"{where} {NOT_UTF8}; save the file as UTF-8; nothing was sent")
    if len(names) > MAX_COLUMNS:
        raise InvalidSource(f"{where} names more than {MAX_COLUMNS:,} columns; nothing was sent")
    if any(map(_is_number, names)):
        raise InvalidSource(f"{where} holds a number where it must name the columns; nothing was sent")
    if twice := first_duplicate(names):
        raise InvalidSource(f"{where} names the column {masked_column_name(twice)} twice; nothing was sent")


def _is_number(cell: str) -> bool:
    """Whether it is a phone number or a code, however it is written: names of columns may be shown, these may not."""
    bare = re.sub(r"[\s()+./-]", "", cell)
    return re.fullmatch(r"[0-9]{4,}", bare) is not None and not _is_date(cell)
