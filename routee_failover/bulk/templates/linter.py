"""Inspection of a template's texts, row by row: what is empty, unfilled or of another length than in other rows."""

import copy
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from .code_cells import is_blank
from .field_roles import FieldPath, FieldRole
from .findings import FindingKind
from .required_columns import RequiredColumns
from .template_fields import TemplateField
from .unfilled_placeholders import ColumnNameMatcher, find_foreign_placeholders, may_hold_placeholder

_GAPS_BEGIN = frozenset("nNuUmMeEbBiIoO1")
_READ = {FieldRole.TEXT, FieldRole.OTP_TEXT}

RenderText = Callable[[Mapping[str, str]], str]
FixedText = tuple[FieldPath, str]
"""A text that is the same in every row, with its path."""


class LintWarning(NamedTuple):
    """What is worth a look in one row."""

    kind: FindingKind
    subject: str
    """The column, or the placeholder as it stands."""
    render: RenderText
    """Gives the text of the row in which it is."""


class TemplateLinter:
    """Looks at the texts of a template. It is prepared once, and costs a row about a microsecond."""

    def __init__(self, fields: Sequence[TemplateField], fixed: Iterable[FixedText], required: RequiredColumns) -> None:
        recipients = {column for leaf in fields if leaf.role is FieldRole.RECIPIENT for column in leaf.columns}
        self._texts = [leaf for leaf in fields if leaf.role in _READ and not _is_address(leaf.text.literals[0])]
        self._fixed = [(path, text) for path, text in fixed if not _is_address(text)]
        self._used = {column for leaf in fields for column in leaf.columns}
        first: dict[str, TemplateField] = {}
        for leaf in self._texts:
            for column in leaf.columns:
                first.setdefault(column, leaf)
        self._columns = [
            (column, leaf) for column, leaf in first.items() if column not in required.secret_columns | recipients
        ]
        self._dollars = [
            (column, leaf)
            for leaf in self._texts
            for column, ahead in zip(leaf.columns, leaf.text.literals, strict=False)
            if ahead.endswith("$") and not ahead.endswith("$$")
        ]
        self.code_columns: tuple[tuple[str, bool, RenderText], ...] = tuple(
            (
                column,
                column in required.code_columns,
                next(leaf.text.render for leaf in fields if column in leaf.columns),
            )
            for column in sorted(required.secret_columns)
        )
        """Columns, whether each surely holds a code, and what gives the text that it stands in."""
        self._names: ColumnNameMatcher | None = None
        self._always: tuple[LintWarning, ...] = ()

    def for_source(self, columns: Collection[str]) -> "TemplateLinter":
        """Return one that knows all columns of a source, also those that no text uses and rows are read without."""
        known = copy.copy(self)
        known._names = ColumnNameMatcher(columns, self._used)  # noqa: SLF001  # its own
        known._always = tuple(self.unfilled_placeholders(columns))  # noqa: SLF001
        return known

    def unfilled_placeholders(self, columns: Collection[str]) -> list[LintWarning]:
        """Return the placeholders in the template's own words that no row of a source with these columns fills."""
        names = ColumnNameMatcher(columns, self._used)
        found: dict[str, LintWarning] = {}
        for leaf in self._texts:
            own = "\0".join(leaf.text.literals)
            whole = "".join(_woven(leaf))
            for placeholder in (*find_foreign_placeholders(whole), *names.find_in(own)):
                found.setdefault(placeholder, LintWarning(FindingKind.PLACEHOLDER, placeholder, leaf.text.render))
        for _, text in self._fixed:
            for placeholder in (*find_foreign_placeholders(text), *names.find_in(text)):
                found.setdefault(placeholder, LintWarning(FindingKind.PLACEHOLDER, placeholder, _always(text)))
        return _longest(found)

    def lint_row(self, values: Mapping[str, str]) -> Sequence[LintWarning]:
        """Return what is worth a look in a row."""
        names = self._names
        if names is None:
            names = self._names = ColumnNameMatcher(values, self._used)
            self._always = tuple(self.unfilled_placeholders(values.keys()))
        found: list[LintWarning] | None = None
        for column, leaf in self._columns:
            cell = values.get(column, "")
            first = cell[:1]
            if (not first.isalnum() or first in _GAPS_BEGIN) and is_blank(cell):
                found = [*(found or ()), LintWarning(FindingKind.EMPTY_COLUMN, column, leaf.text.render)]
            elif may_hold_placeholder(cell) and not _is_address(cell):
                inside = {*find_foreign_placeholders(cell), *names.find_in(cell)}
                found = [
                    *(found or ()),
                    *(LintWarning(FindingKind.PLACEHOLDER, each, leaf.text.render) for each in inside),
                ]
        for column, leaf in self._dollars:
            if values.get(column, "")[:1].isalpha():
                found = [*(found or ()), LintWarning(FindingKind.PLACEHOLDER, f"${{{column}}}", leaf.text.render)]
        return self._always if found is None else [*self._always, *found]


def _woven(leaf: TemplateField) -> Iterable[str]:
    """A text with the names of its columns in their places: what stands around a column may make it a placeholder."""
    for literal, column in zip(leaf.text.literals, leaf.columns, strict=False):
        yield literal
        yield column
    yield leaf.text.literals[-1]


def _longest(found: Mapping[str, LintWarning]) -> list[LintWarning]:
    """Those that are no part of another: `[[name]]` holds `[name]`."""
    return [one for text, one in found.items() if not any(text != other and text in other for other in found)]


def _always(text: str) -> RenderText:
    return lambda _values: text


def _is_address(text: str) -> bool:
    return text.startswith(("https://", "http://"))
