"""JSON lines: one object a line, its values texts, numbers or truths; a line that is none breaks its own row only."""

import json
from collections.abc import Collection, Iterator
from copy import copy
from itertools import islice
from pathlib import Path

from ..._wire.flow_file import MAX_DIGITS, reject_duplicate_keys
from ...errors import InvalidSource
from .base import SourceRow, Unreadable
from .cells import CellExtractor, normalize_column_names
from .line_reader import LINE_TOO_LONG, NOT_UTF8, LineReader, is_blank, open_text

COLUMN_SAMPLE_ROWS = 100
"""The first so many rows say what columns there are."""


class JsonLinesSource:
    """A file with one JSON object a line. Its columns are the keys of the first hundred rows.

    A value that is null, an object or a list is no text: the row lacks that column. Numbers are taken as they are
    written.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.name: str = name
        self.total: int | None = None
        self._path = path
        self.selected_columns: Collection[str] | None = None
        first = [*islice(self._objects(), COLUMN_SAMPLE_ROWS)]
        read = [values for _, values in first if isinstance(values, dict)]
        for line, values in first[:1]:
            if not isinstance(values, Unreadable):
                continue
            if _starts_with_list(path, name):
                raise InvalidSource(f"{name} holds a list; JSON lines are one object a line; nothing was sent")
            if not read:
                why = f"line {line} {values.reason}"
                raise InvalidSource(f"{name} holds no JSON lines ({why}); nothing was sent")
        self.columns: tuple[str, ...] | None = normalize_column_names(
            dict.fromkeys(key for values in read for key in values)
        )

    def select(self, columns: Collection[str]) -> "JsonLinesSource":
        """The same rows with these columns alone."""
        chosen = copy(self)
        chosen.selected_columns = columns
        return chosen

    def __iter__(self) -> Iterator[SourceRow]:
        picker = CellExtractor(self.selected_columns)
        for line, values in self._objects():
            yield line, values if isinstance(values, Unreadable) else picker.extract(values)

    def _objects(self) -> Iterator[tuple[int, dict[str, object] | Unreadable]]:
        with open_text(self._path, self.name) as file:
            lines = LineReader(file)
            while True:
                try:
                    line = next(lines, None)
                except OSError as error:
                    raise InvalidSource(f"{self.name} cannot be read after line {lines.line_number}: {error}") from None
                if line is None:
                    return
                if line[0] == "{" or not is_blank(line):
                    yield lines.line_number, _parse_line(line) if not lines.truncated else Unreadable(LINE_TOO_LONG)
                lines.commit()


class _TooManyDigits(ValueError):
    pass


def _limit_digits(text: str) -> str:
    if len(text) > MAX_DIGITS:
        raise _TooManyDigits
    return text


# Numbers stay the texts that they are: a phone number is not counted with, nor is 0.10.
_decode = json.JSONDecoder(object_pairs_hook=reject_duplicate_keys, parse_int=str, parse_float=str).decode
_decode_long = json.JSONDecoder(
    object_pairs_hook=reject_duplicate_keys, parse_int=_limit_digits, parse_float=_limit_digits
).decode


def _parse_line(line: str) -> dict[str, object] | Unreadable:
    line = line.lstrip("\ufeff").rstrip("\r\n")
    try:
        value: object = _decode(line) if len(line) <= MAX_DIGITS else _decode_long(line)
    except json.JSONDecodeError as error:
        undecoded = any("\udc80" <= letter <= "\udcff" for letter in line[error.pos : error.pos + 1])
        return Unreadable(NOT_UTF8 if undecoded else f"is not JSON ({error.msg} at column {error.colno})")
    except RecursionError:
        return Unreadable("is nested too deeply")
    except _TooManyDigits:
        return Unreadable(f"has a number of more than {MAX_DIGITS} digits")
    except ValueError:
        return Unreadable("has a key that stands twice")
    if not isinstance(value, dict):
        return Unreadable("must be one JSON object")
    return value


def _starts_with_list(path: Path, name: str) -> bool:
    with open_text(path, name) as file:
        return file.read(100).lstrip(" \t\r\n\ufeff").startswith("[")
