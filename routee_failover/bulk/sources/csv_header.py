"""CSV header: detects the delimiter, and reads and checks the column names."""

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
"""Candidates by precedence, if all else is equal: names and prices contain commas, too."""
_SAMPLE_LINES = 50
"""Number of lines that are sampled for what rows look like."""
_MAX_HEADER_LINES = 100
"""Maximum number of lines of a header with line ends in its names."""
_match_sep_line = re.compile(r'\ufeff*"?sep=([^\w\s"]|\t| )"?\s*', re.IGNORECASE).fullmatch
_is_phone_number = re.compile(r"""[\s'"(+]*[0-9][0-9\s()./-]{6,40}['"\s]*""").fullmatch
# A year, a month or a day can be a column name. Any other number is a phone number or a code.
_is_date = re.compile(
    r"(?:19|20)\d\d(?:[-/. ]+\d{1,2}(?:[-/. ]+\d{1,2})?|\s*[-/]\s*(?:19|20)\d\d)?|(?:\d{1,2}[-/. ]+){1,2}(?:19|20)\d\d"
).fullmatch


class CsvHeader(NamedTuple):
    """Delimiter, column names and format of a CSV file."""

    splitter: RecordSplitter
    names: tuple[str, ...]
    """Normalized by `normalize_column_name`; empty for a column without a name."""
    line_ending: str
    """The line ending of the header."""
    row_pattern: RowPattern
    """Heuristic for what the rows look like."""


def read_header(lines: LineReader, source_name: str, delimiter: str | None = None) -> CsvHeader:
    """Read the header, and leave `lines` at the first row. Raises `InvalidSource`.

    `delimiter` is the one of the file, if it is known. Sampled lines are pushed back.
    """
    # 1. Read a declared delimiter, and the lines of the header.
    first = next(lines, "")
    if declared := _match_sep_line(first):
        delimiter = declared[1]
        first = next(lines, "")
    number = lines.line_number
    text = _join_header_lines(lines, first, f"{source_name} line {number}", delimiter or DELIMITERS)
    lines.commit()
    # 2. Sample the rows, and score each candidate by them.
    sample = [*islice(lines, _SAMPLE_LINES)]
    lines.rewind(keep=0)
    unquoted = "".join(text.split('"')[::2])
    candidates = [delimiter] if delimiter is not None else [one for one in DELIMITERS if one in unquoted] or [","]
    try:
        scored = [_score_delimiter(one, text, sample) for one in candidates]
    except MalformedRecord as error:
        raise InvalidSource(f"{source_name} line {number}: {error}; nothing was sent") from None
    _, header = max(scored, key=itemgetter(0))
    # 3. Check the names.
    _validate_names(header.names, f"{source_name} line {number}")
    return header


def _join_header_lines(lines: LineReader, text: str, where: str, delimiters: str) -> str:
    """Return the line with the lines that an open quote joins to it; only a quote at the start of a name counts."""
    opening = rf'(\A\ufeff*|[{re.escape(delimiters)}])[{WHITESPACE_CLASS}]*"'
    quoted_name, opening_quote = re.compile(rf'{opening}(?:[^"]|"")*+"'), re.compile(opening)
    while opening_quote.search(quoted_name.sub(r"\1", text)) and not lines.truncated:
        line = next(lines, None)
        if line is None or len(text) > MAX_LINE_LENGTH or text.count("\n") > _MAX_HEADER_LINES:
            raise InvalidSource(f"{where}: unexpected end of data: a quote in it is never closed; nothing was sent")
        text += line
    if lines.truncated:
        raise InvalidSource(f"{where} {LINE_TOO_LONG}; nothing was sent")
    return text.lstrip("\ufeff")


def _score_delimiter(delimiter: str, text: str, sample: list[str]) -> tuple[tuple[int, int, int], CsvHeader]:
    """Return the score of a delimiter (rows with a number, rows as wide as the header, columns), and the header."""
    splitter = RecordSplitter(delimiter)
    names = tuple(map(normalize_column_name, splitter.read_record(text, _no_continuation)))
    rows = [*map(splitter.split_lenient, sample)]
    phone_numbers = Counter(column for row in rows for column, cell in enumerate(row) if _is_phone_number(cell))
    same_width = sum(len(row) == len(names) for row in rows)
    line_ending = text[len(text.rstrip("\r\n")) :]
    header = CsvHeader(splitter, names, line_ending, RowPattern(splitter, len(names), rows))
    return (max(phone_numbers.values(), default=0), same_width, len(names)), header


def _no_continuation() -> str:
    raise MalformedRecord(UNCLOSED_QUOTE)


def _validate_names(names: tuple[str, ...], where: str) -> None:
    if not any(names):
        raise InvalidSource(f"{where} names no columns; nothing was sent")
    if any("\0" in name for name in names):
        raise InvalidSource(
            f"{where} has a NUL byte: it is not text, or text in UTF-16; save it as UTF-8; nothing was sent"
        )
    if any(re.search("[\udc80-\udcff]", name) for name in names):
        raise InvalidSource(f"{where} {NOT_UTF8}; save the file as UTF-8; nothing was sent")
    if len(names) > MAX_COLUMNS:
        raise InvalidSource(f"{where} names more than {MAX_COLUMNS:,} columns; nothing was sent")
    if any(map(_is_number, names)):
        raise InvalidSource(f"{where} holds a number where it must name the columns; nothing was sent")
    if duplicate := first_duplicate(names):
        raise InvalidSource(f"{where} names the column {masked_column_name(duplicate)} twice; nothing was sent")


def _is_number(cell: str) -> bool:
    """Return whether a cell is a phone number or a code: errors show column names, but must not show these."""
    digits = re.sub(r"[\s()+./-]", "", cell)
    return re.fullmatch(r"[0-9]{4,}", digits) is not None and not _is_date(cell)
