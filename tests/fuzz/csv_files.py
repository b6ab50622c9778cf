"""CSV files as people and programs write them, bent, and a reading of them that takes nothing for granted."""

import re
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from routee_failover import InvalidSource
from routee_failover.bulk.sources import read_source

from .inputs import Source, broken, one_of

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
_ENDS = ["\n", "\r\n", "\n", "\r"]
_BLANK = re.compile(r"[\s,;|\u200b\ufeff\"]*").fullmatch
_NO_NAME = re.compile(r"[\s\u200b\ufeff]*").fullmatch  # a column may be called | where commas are between them
_BLANKS_AT_QUOTES = " \t\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000\ufeff"
_match_sep_line = re.compile(r'\ufeff*"?sep=([^\w\s"]|\t| )"?\s*', re.IGNORECASE).fullmatch
_begins_with_person = re.compile(r"[\W_]*\+3069\d{8}").match


@cache
def _folder() -> "tempfile.TemporaryDirectory[str]":  # a text: TemporaryDirectory may be watched as it is imported
    memory = Path("/dev/shm")  # where a file costs a tenth; a million of them are written
    return tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None)


def write_input(data: bytes, name: str) -> Path:
    """A file with these bytes."""
    path = Path(_folder().name) / name
    path.write_bytes(data)
    return path


def generate_csv(source: Source) -> bytes:
    """A file of some rows, a few of its cells spoiled, and perhaps some of its bytes."""
    delimiter, end = one_of(source, ",;\t|,"), one_of(source, _ENDS)
    names = ["phone", *(one_of(source, _NAMES) for _ in range(source.upto(2)))]
    rows = (
        [_quoted(name, delimiter) for name in names],
        *(
            [f"+3069{number:08}", *(_cell(source, delimiter) for _ in names[1:])]
            for number in range(1 + source.upto(7))
        ),
    )
    lines = [delimiter.join(row) + (end if source.upto(20) else one_of(source, _ENDS)) for row in rows]
    if not source.upto(6):
        lines.insert(source.upto(len(lines)), one_of(source, [end, delimiter * (len(names) - 1) + end, " " + end]))
    text = "".join(lines)
    start = one_of(source, ["", "", "", "\ufeff", f"sep={delimiter}{end}"])
    data = (start + text).encode("utf-8", "surrogatepass")
    return broken(source, data) if not source.upto(2) else data


def _quoted(cell: str, delimiter: str) -> str:
    needs = any(letter in cell for letter in ('"', delimiter, "\r", "\n"))
    return '"' + cell.replace('"', '""') + '"' if needs else cell


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
    """A file is read as it is written: each row out of it is the record of its line, and no line is lost."""
    check(generate_csv(source))


def check(data: bytes) -> None:
    """The same for a file with these bytes."""
    try:
        opened = read_source(write_input(data, "rows.csv"))
        read = [*opened]
    except InvalidSource:
        return
    lines = _lines(data.decode("utf-8-sig", "surrogateescape"))
    said = _match_sep_line(lines[0])
    readings = [(said[1], 1)] if said else [(delimiter, 0) for delimiter in ",;\t|"]
    assert any(_matches_reading(delimiter, at, lines, read) for delimiter, at in readings), (data, read)


def _lines(text: str) -> list[str]:
    return re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", text)


def _matches_reading(delimiter: str, at: int, lines: list[str], read: list[tuple[int, object]]) -> bool:
    """Whether the rows are the records of the file with this delimiter, with every line but blank ones in one of them.

    `at` is how many lines stand before the header.
    """
    header = parse_record(lines, at, delimiter, strip=True)
    if header is None:
        return False
    names, next_line = header
    for start, values in read:
        if start <= next_line or start > len(lines):
            return False
        if not all(_BLANK(line.replace(delimiter, "")) for line in lines[next_line : start - 1]):
            return False
        found = parse_record(lines, start - 1, delimiter)
        next_line = start
        if isinstance(values, Mapping):
            if found is None or len(found[0]) != len(names):
                return False
            cells = [cell for name, cell in zip(names, found[0], strict=True) if not _NO_NAME(name)]
            if not all(map(_is_same, cells, values.values())) or len(cells) != len(values):
                return False
            next_line = found[1]
            people = [line for line in lines[start - 1 : next_line] if _is_row(line, delimiter, names)]
            assert len(people) <= 1, f"{len(people)} people in one row of {lines!r}"
        elif found is not None:
            # It may have been refused as a whole, or for its quote alone, so that its other lines are read as rows.
            later = [line for line, _ in read if start < line <= found[1]]
            next_line = start if later else found[1]
    return all(_BLANK(line.replace(delimiter, "")) for line in lines[next_line:])


def _is_row(line: str, delimiter: str, names: list[str]) -> bool:
    """Whether a line begins with a person's number and is more than it: a text may tell a number, as in an address."""
    return _begins_with_person(line) is not None and (delimiter in line or len(names) == 1)


def _is_same(cell: str, text: str) -> bool:
    return text in (cell, re.sub(r"\.0(?:000+)?$", "", cell))


def parse_record(lines: list[str], at: int, delimiter: str, *, strip: bool = False) -> tuple[list[str], int] | None:
    """The cells of the record that begins with a line, and how many lines there are until its end, if it is sound.

    Within quotes everything is text, and a quote is written twice; blanks around them are none of it.
    """
    text = "".join(lines[at:])
    if strip:
        text = text.lstrip("\ufeff")
    cells: list[str] = []
    place = 0
    blanks = "[" + _BLANKS_AT_QUOTES.replace(delimiter, "") + "]*"
    quoted = re.compile(rf'{blanks}"((?:[^"]|"")*)"{blanks}(?={re.escape(delimiter)}|[\r\n]|\Z)')
    opened = re.compile(rf'{blanks}"')
    plain = re.compile(rf"[^{re.escape(delimiter)}\r\n]*")
    while True:
        if found := quoted.match(text, place):
            cells.append(found[1].replace('""', '"'))
        elif opened.match(text, place):
            return None
        else:
            found = plain.match(text, place)
            assert found is not None
            cells.append(found[0])
        place = found.end()
        if text[place : place + 1] != delimiter:
            break
        place += 1
    return cells, at + len(_lines(text[:place] + "x"))
