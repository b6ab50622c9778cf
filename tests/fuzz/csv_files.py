"""CSV files as people and programs write them, mutated, and an independent parser to check how they are read."""

import re
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from routee_failover import InvalidSource
from routee_failover.bulk.sources import read_source

from .inputs import Source, mutate_bytes, one_of

_NAMES = ["name", "pin", "text", "Nom, prénom", "order no", "ἀριθμός", "2026", ""]
_CELLS = [
    "Ada",
    "Zoë",
    "",
    " ",
    "0.10",
    "12.0",
    "a;b",
    "a,b",
    'say "hi"',
    "two\nlines",
    "x\r\ny",
    "'",
    "=1+1",
    "\u200b",
]
_MALFORMED = [
    '"',
    '""',
    ' "',
    '" ',
    'a"b',
    '"a" b',
    '"open',
    "\0",
    "\x1b[2J",
    "\ufffd",
    "\x85",
    "\r",
    "\n",
    "\t",
    "\ufeff",
]
_LINE_ENDINGS = ["\n", "\r\n", "\n", "\r"]
_is_blank_line = re.compile(r"[\s,;|\u200b\ufeff\"]*").fullmatch
_is_unnamed = re.compile(r"[\s\u200b\ufeff]*").fullmatch  # a column may be called | where commas are between them
_BLANKS_AROUND_QUOTES = " \t\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000\ufeff"
_match_sep_line = re.compile(r'\ufeff*"?sep=([^\w\s"]|\t| )"?\s*', re.IGNORECASE).fullmatch
_begins_with_number = re.compile(r"[\W_]*\+3069\d{8}").match


@cache
def _folder() -> "tempfile.TemporaryDirectory[str]":  # quoted: TemporaryDirectory may be instrumented on import
    memory = Path("/dev/shm")  # where a file costs a tenth: a million are written
    return tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None)


def write_input(data: bytes, name: str) -> Path:
    """Write a file with these bytes and return its path."""
    path = Path(_folder().name) / name
    path.write_bytes(data)
    return path


def generate_csv(source: Source) -> bytes:
    """Return a CSV file of some rows, with a few malformed cells and perhaps some mutated bytes."""
    delimiter, line_ending = one_of(source, ",;\t|,"), one_of(source, _LINE_ENDINGS)
    names = ["phone", *(one_of(source, _NAMES) for _ in range(source.upto(2)))]
    rows = (
        [_quoted(name, delimiter) for name in names],
        *(
            [f"+3069{number:08}", *(_cell(source, delimiter) for _ in names[1:])]
            for number in range(1 + source.upto(7))
        ),
    )
    lines = [delimiter.join(row) + (line_ending if source.upto(20) else one_of(source, _LINE_ENDINGS)) for row in rows]
    if not source.upto(6):
        lines.insert(
            source.upto(len(lines)),
            one_of(source, [line_ending, delimiter * (len(names) - 1) + line_ending, " " + line_ending]),
        )
    text = "".join(lines)
    start = one_of(source, ["", "", "", "\ufeff", f"sep={delimiter}{line_ending}"])
    data = (start + text).encode("utf-8", "surrogatepass")
    return mutate_bytes(source, data) if not source.upto(2) else data


def _quoted(cell: str, delimiter: str) -> str:
    needs_quotes = any(letter in cell for letter in ('"', delimiter, "\r", "\n"))
    return '"' + cell.replace('"', '""') + '"' if needs_quotes else cell


def _cell(source: Source, delimiter: str) -> str:
    match source.upto(11):
        case 0:
            return one_of(source, _MALFORMED) + one_of(source, _CELLS)
        case 1:
            return one_of(source, _CELLS) + one_of(source, _MALFORMED)
        case 2:
            return f' "{one_of(source, _CELLS)}" '.replace("\n", "")
        case 3:
            return _quoted(source.text(), delimiter)
        case _:
            return _quoted(one_of(source, _CELLS), delimiter)


def fuzz_rows(source: Source) -> None:
    """Assert that a generated file is read correctly: each row is the record of its line, and no line is lost."""
    check_csv(generate_csv(source))


def check_csv(data: bytes) -> None:
    """Assert the same for a file with these bytes."""
    try:
        opened = read_source(write_input(data, "rows.csv"))
        rows = [*opened]
    except InvalidSource:
        return
    lines = _lines(data.decode("utf-8-sig", "surrogateescape"))
    declared = _match_sep_line(lines[0])
    readings = [(declared[1], 1)] if declared else [(delimiter, 0) for delimiter in ",;\t|"]
    assert any(_matches_reading(delimiter, index, lines, rows) for delimiter, index in readings), (data, rows)


def _lines(text: str) -> list[str]:
    return re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", text)


def _matches_reading(delimiter: str, index: int, lines: list[str], rows: list[tuple[int, object]]) -> bool:
    """Return whether the rows are the records of the file with this delimiter, without losing a line but blank ones.

    `index` is the number of lines before the header.
    """
    header = parse_record(lines, index, delimiter, strip=True)
    if header is None:
        return False
    names, next_line = header
    for start, values in rows:
        if start <= next_line or start > len(lines):
            return False
        if not all(_is_blank_line(line.replace(delimiter, "")) for line in lines[next_line : start - 1]):
            return False
        found = parse_record(lines, start - 1, delimiter)
        next_line = start
        if isinstance(values, Mapping):
            if found is None or len(found[0]) != len(names):
                return False
            cells = [cell for name, cell in zip(names, found[0], strict=True) if not _is_unnamed(name)]
            if not all(map(_is_same, cells, values.values())) or len(cells) != len(values):
                return False
            next_line = found[1]
            recipients = [line for line in lines[start - 1 : next_line] if _is_row(line, delimiter, names)]
            assert len(recipients) <= 1, f"{len(recipients)} recipients in one row of {lines!r}"
        elif found is not None:
            # It may have been refused as a whole, or for its quote only, so that its other lines are read as rows.
            later = [line for line, _ in rows if start < line <= found[1]]
            next_line = start if later else found[1]
    return all(_is_blank_line(line.replace(delimiter, "")) for line in lines[next_line:])


def _is_row(line: str, delimiter: str, names: list[str]) -> bool:
    """Return whether a line begins with a number and continues: a text may contain a number, as in an address."""
    return _begins_with_number(line) is not None and (delimiter in line or len(names) == 1)


def _is_same(cell: str, text: str) -> bool:
    return text in (cell, re.sub(r"\.0(?:000+)?$", "", cell))


def parse_record(lines: list[str], index: int, delimiter: str, *, strip: bool = False) -> tuple[list[str], int] | None:
    """Return the cells of the record that begins at a line and the number of lines up to its end, if it is valid.

    Within quotes everything is text, and a quote is doubled; blanks around the quotes are not part of the cell.
    """
    text = "".join(lines[index:])
    if strip:
        text = text.lstrip("\ufeff")
    cells: list[str] = []
    position = 0
    blanks = "[" + _BLANKS_AROUND_QUOTES.replace(delimiter, "") + "]*"
    quoted = re.compile(rf'{blanks}"((?:[^"]|"")*)"{blanks}(?={re.escape(delimiter)}|[\r\n]|\Z)')
    opened = re.compile(rf'{blanks}"')
    plain = re.compile(rf"[^{re.escape(delimiter)}\r\n]*")
    while True:
        if found := quoted.match(text, position):
            cells.append(found[1].replace('""', '"'))
        elif opened.match(text, position):
            return None
        else:
            found = plain.match(text, position)
            assert found is not None
            cells.append(found[0])
        position = found.end()
        if text[position : position + 1] != delimiter:
            break
        position += 1
    return cells, index + len(_lines(text[:position] + "x"))
