"""Inspection of a template's texts, row by row: what is empty, unfilled or of another length than in other rows."""

import copy
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from .codes import is_gap
from .findings import FindingKind
from .foreign_placeholders import ColumnNames, has_marks, of_other_tools
from .leaves import Leaf
from .required import RequiredColumns
from .shape import Path, Use

_GAPS_BEGIN = frozenset("nNuUmMeEbBiIoO1")
_READ = {Use.TEXT, Use.CODED}

Text = Callable[[Mapping[str, str]], str]
Fixed = tuple[Path, str]
"""A text that is the same in every row, with its path."""


class Observation(NamedTuple):
    """What is worth a look in one row."""

    kind: FindingKind
    subject: str
    """The column, or the placeholder as it stands."""
    text: Text
    """Gives the text of the row in which it is."""


class Inspection:
    """Looks at the texts of a template. It is prepared once, and costs a row about a microsecond."""

    def __init__(self, leaves: Sequence[Leaf], fixed: Iterable[Fixed], required: RequiredColumns) -> None:
        recipients = {column for leaf in leaves if leaf.use is Use.RECIPIENT for column in leaf.columns}
        self._texts = [leaf for leaf in leaves if leaf.use in _READ and not _is_address(leaf.words.literals[0])]
        self._fixed = [(path, text) for path, text in fixed if not _is_address(text)]
        self._used = {column for leaf in leaves for column in leaf.columns}
        first: dict[str, Leaf] = {}
        for leaf in self._texts:
            for column in leaf.columns:
                first.setdefault(column, leaf)
        self._columns = [(column, leaf) for column, leaf in first.items() if column not in required.secret | recipients]
        self._dollars = [
            (column, leaf)
            for leaf in self._texts
            for column, ahead in zip(leaf.columns, leaf.words.literals, strict=False)
            if ahead.endswith("$") and not ahead.endswith("$$")
        ]
        self.codes: tuple[tuple[str, bool, Text], ...] = tuple(
            (column, column in required.codes, next(leaf.words.fill for leaf in leaves if column in leaf.columns))
            for column in sorted(required.secret)
        )
        """Columns, whether each surely holds a code, and what gives the text that it stands in."""
        self._names: ColumnNames | None = None
        self._always: tuple[Observation, ...] = ()

    def of_source(self, columns: Collection[str]) -> "Inspection":
        """Return one that knows all columns of a source, also those that no text uses and rows are read without."""
        known = copy.copy(self)
        known._names = ColumnNames(columns, self._used)  # noqa: SLF001  # its own
        known._always = tuple(self.unfilled(columns))  # noqa: SLF001
        return known

    def unfilled(self, columns: Collection[str]) -> list[Observation]:
        """Return the placeholders in the template's own words that no row of a source with these columns fills."""
        names = ColumnNames(columns, self._used)
        found: dict[str, Observation] = {}
        for leaf in self._texts:
            own = "\0".join(leaf.words.literals)
            whole = "".join(_woven(leaf))
            for placeholder in (*of_other_tools(whole), *names.in_text(own)):
                found.setdefault(placeholder, Observation(FindingKind.PLACEHOLDER, placeholder, leaf.words.fill))
        for _, text in self._fixed:
            for placeholder in (*of_other_tools(text), *names.in_text(text)):
                found.setdefault(placeholder, Observation(FindingKind.PLACEHOLDER, placeholder, _always(text)))
        return _longest(found)

    def look(self, values: Mapping[str, str]) -> Sequence[Observation]:
        """Return what is worth a look in a row."""
        names = self._names
        if names is None:
            names = self._names = ColumnNames(values, self._used)
            self._always = tuple(self.unfilled(values.keys()))
        found: list[Observation] | None = None
        for column, leaf in self._columns:
            cell = values.get(column, "")
            first = cell[:1]
            if (not first.isalnum() or first in _GAPS_BEGIN) and is_gap(cell):
                found = [*(found or ()), Observation(FindingKind.EMPTY_COLUMN, column, leaf.words.fill)]
            elif has_marks(cell) and not _is_address(cell):
                inside = {*of_other_tools(cell), *names.in_text(cell)}
                found = [
                    *(found or ()),
                    *(Observation(FindingKind.PLACEHOLDER, each, leaf.words.fill) for each in inside),
                ]
        for column, leaf in self._dollars:
            if values.get(column, "")[:1].isalpha():
                found = [*(found or ()), Observation(FindingKind.PLACEHOLDER, f"${{{column}}}", leaf.words.fill)]
        return self._always if found is None else [*self._always, *found]


def _woven(leaf: Leaf) -> Iterable[str]:
    """A text with the names of its columns in their places: what stands around a column may make it a placeholder."""
    for literal, column in zip(leaf.words.literals, leaf.columns, strict=False):
        yield literal
        yield column
    yield leaf.words.literals[-1]


def _longest(found: Mapping[str, Observation]) -> list[Observation]:
    """Those that are no part of another: `[[name]]` holds `[name]`."""
    return [one for text, one in found.items() if not any(text != other and text in other for other in found)]


def _always(text: str) -> Text:
    return lambda _values: text


def _is_address(text: str) -> bool:
    return text.startswith(("https://", "http://"))
