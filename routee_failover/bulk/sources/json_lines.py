"""JSON lines: one object a line, its values texts, numbers or truths; a line that is none breaks its own row only."""

import json
from collections.abc import Collection, Iterator
from copy import copy
from itertools import islice
from pathlib import Path

from ..._wire.flow_file import MAX_DIGITS, reject_duplicate_keys
from ...errors import InvalidSource
from .cells import Picker, names_of
from .lines import TOO_LONG, UNDECODABLE, Lines, is_blank, open_text
from .source import Read, Unreadable

LOOKED_AT = 100
"""The first so many rows say what columns there are."""


class JsonLines:
    """A file with one JSON object a line. Its columns are the keys of the first hundred rows.

    A value that is null, an object or a list is no text: the row lacks that column. Numbers are taken as they are
    written.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.name: str = name
        self.total: int | None = None
        self._path = path
        self.used: Collection[str] | None = None
        first = [*islice(self._objects(), LOOKED_AT)]
        read = [values for _, values in first if isinstance(values, dict)]
        for line, values in first[:1]:
            if not isinstance(values, Unreadable):
                continue
            if _begins_a_list(path, name):
                raise InvalidSource(f"{name} holds a list; JSON lines are one object a line; nothing was sent")
            if not read:
                why = f"line {line} {values.reason}"
                raise InvalidSource(f"{name} holds no JSON lines ({why}); nothing was sent")
        self.columns: tuple[str, ...] | None = names_of(dict.fromkeys(key for values in read for key in values))

    def select(self, columns: Collection[str]) -> "JsonLines":
        """The same rows with these columns alone."""
        chosen = copy(self)
        chosen.used = columns
        return chosen

    def __iter__(self) -> Iterator[Read]:
        picker = Picker(self.used)
        for line, values in self._objects():
            yield line, values if isinstance(values, Unreadable) else picker.texts(values)

    def _objects(self) -> Iterator[tuple[int, dict[str, object] | Unreadable]]:
        with open_text(self._path, self.name) as file:
            lines = Lines(file)
            while True:
                try:
                    line = next(lines, None)
                except OSError as error:
                    raise InvalidSource(f"{self.name} cannot be read after line {lines.number}: {error}") from None
                if line is None:
                    return
                if line[0] == "{" or not is_blank(line):
                    yield lines.number, _read(line) if not lines.cut else Unreadable(TOO_LONG)
                lines.settle()


class _TooManyDigits(ValueError):
    pass


def _number(text: str) -> str:
    if len(text) > MAX_DIGITS:
        raise _TooManyDigits
    return text


# Numbers stay the texts that they are: a phone number is not counted with, nor is 0.10.
_decode = json.JSONDecoder(object_pairs_hook=reject_duplicate_keys, parse_int=str, parse_float=str).decode
_decode_long = json.JSONDecoder(object_pairs_hook=reject_duplicate_keys, parse_int=_number, parse_float=_number).decode


def _read(line: str) -> dict[str, object] | Unreadable:
    line = line.lstrip("\ufeff").rstrip("\r\n")
    try:
        value: object = _decode(line) if len(line) <= MAX_DIGITS else _decode_long(line)
    except json.JSONDecodeError as error:
        undecoded = any("\udc80" <= letter <= "\udcff" for letter in line[error.pos : error.pos + 1])
        return Unreadable(UNDECODABLE if undecoded else f"is not JSON ({error.msg} at column {error.colno})")
    except RecursionError:
        return Unreadable("is nested too deeply")
    except _TooManyDigits:
        return Unreadable(f"has a number of more than {MAX_DIGITS} digits")
    except ValueError:
        return Unreadable("has a key that stands twice")
    if not isinstance(value, dict):
        return Unreadable("must be one JSON object")
    return value


def _begins_a_list(path: Path, name: str) -> bool:
    with open_text(path, name) as file:
        return file.read(100).lstrip(" \t\r\n\ufeff").startswith("[")
