"""JSON Lines source: one object a line. A line that is not an object invalidates its own row only."""

import json
from collections.abc import Collection, Iterator
from copy import copy
from itertools import islice
from pathlib import Path

from ..._wire.flow_document import reject_duplicate_keys
from ...errors import InvalidSource
from ...flows.size_limits import MAX_DIGITS
from .base import SourceRow, Unreadable
from .cells import CellExtractor, normalize_column_names
from .line_reader import LINE_TOO_LONG, NOT_UTF8, LineReader, is_blank, open_text

COLUMN_SAMPLE_ROWS = 100
"""Number of rows that are sampled for the columns."""


class JsonLinesSource:
    """File with one JSON object a line. Its columns are the keys of the first hundred rows.

    A row lacks the columns whose value is null, an object or a list. Numbers keep the notation of the file.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.name: str = name
        self.total: int | None = None
        self._path = path
        self.selected_columns: Collection[str] | None = None
        sample = [*islice(self._objects(), COLUMN_SAMPLE_ROWS)]
        objects = [values for _, values in sample if isinstance(values, dict)]
        for line, values in sample[:1]:
            if not isinstance(values, Unreadable):
                continue
            if _starts_with_list(path, name):
                raise InvalidSource(f"{name} is a JSON list; JSON Lines are one object a line; nothing was sent")
            if not objects:
                reason = f"line {line} {values.reason}"
                raise InvalidSource(f"{name} is not JSON Lines ({reason}); nothing was sent")
        self.columns: tuple[str, ...] | None = normalize_column_names(
            dict.fromkeys(key for values in objects for key in values)
        )

    def select(self, columns: Collection[str]) -> "JsonLinesSource":
        """Return the same rows with only these columns."""
        selected = copy(self)
        selected.selected_columns = columns
        return selected

    def __iter__(self) -> Iterator[SourceRow]:
        extractor = CellExtractor(self.selected_columns)
        for line, values in self._objects():
            yield line, values if isinstance(values, Unreadable) else extractor.extract(values)

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


# Numbers stay texts: a phone number or 0.10 must not lose digits.
_decode = json.JSONDecoder(object_pairs_hook=reject_duplicate_keys, parse_int=str, parse_float=str).decode
_decode_long = json.JSONDecoder(
    object_pairs_hook=reject_duplicate_keys, parse_int=_limit_digits, parse_float=_limit_digits
).decode


def _parse_line(line: str) -> dict[str, object] | Unreadable:
    line = line.lstrip("\ufeff").rstrip("\r\n")
    try:
        value: object = _decode(line) if len(line) <= MAX_DIGITS else _decode_long(line)
    except json.JSONDecodeError as error:
        undecodable = any("\udc80" <= character <= "\udcff" for character in line[error.pos : error.pos + 1])
        return Unreadable(NOT_UTF8 if undecodable else f"is not JSON ({error.msg} at column {error.colno})")
    except RecursionError:
        return Unreadable("is nested too deeply")
    except _TooManyDigits:
        return Unreadable(f"has a number of more than {MAX_DIGITS} digits")
    except ValueError:
        return Unreadable("has a duplicate key")
    if not isinstance(value, dict):
        return Unreadable("must be one JSON object")
    return value


def _starts_with_list(path: Path, name: str) -> bool:
    with open_text(path, name) as file:
        return file.read(100).lstrip(" \t\r\n\ufeff").startswith("[")
