"""Linter of a template's texts, row by row: empty columns and unfilled placeholders."""

import copy
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from .dry_run_findings import FindingKind
from .field_roles import FieldPath, FieldRole
from .nonempty_columns import RequiredColumns
from .otp_code_validators import is_blank
from .template_fields import TemplateField
from .unfilled_placeholders import ColumnNameMatcher, find_foreign_placeholders, may_hold_placeholder

_BLANK_INITIALS = frozenset("nNuUmMeEbBiIoO1")
_VISIBLE_ROLES = {FieldRole.TEXT, FieldRole.OTP_TEXT}

RenderText = Callable[[Mapping[str, str]], str]
FixedText = tuple[FieldPath, str]
"""A text that is the same in every row, with its path."""


class LintWarning(NamedTuple):
    """Warning about one row."""

    kind: FindingKind
    subject: str
    """The column, or the placeholder as written."""
    render: RenderText
    """Renders the text of the row that the warning is about."""


class TemplateLinter:
    """Linter of a template's texts. It is prepared once, and takes about a microsecond for a row."""

    def __init__(self, fields: Sequence[TemplateField], fixed: Iterable[FixedText], required: RequiredColumns) -> None:
        recipients = {column for field in fields if field.role is FieldRole.RECIPIENT for column in field.columns}
        self._texts = [
            field for field in fields if field.role in _VISIBLE_ROLES and not _is_url(field.text.literals[0])
        ]
        self._fixed = [(path, text) for path, text in fixed if not _is_url(text)]
        self._used = {column for field in fields for column in field.columns}
        first: dict[str, TemplateField] = {}
        for field in self._texts:
            for column in field.columns:
                first.setdefault(column, field)
        self._columns = [
            (column, field) for column, field in first.items() if column not in required.secret_columns | recipients
        ]
        self._dollars = [
            (column, field)
            for field in self._texts
            for column, literal in zip(field.columns, field.text.literals, strict=False)
            if literal.endswith("$") and not literal.endswith("$$")
        ]
        self.code_columns: tuple[tuple[str, bool, RenderText], ...] = tuple(
            (
                column,
                column in required.code_columns,
                next(field.text.render for field in fields if column in field.columns),
            )
            for column in sorted(required.secret_columns)
        )
        """Columns that may hold a code, whether each certainly does, and a function that renders its text."""
        self._names: ColumnNameMatcher | None = None
        self._template_warnings: tuple[LintWarning, ...] = ()

    def for_source(self, columns: Collection[str]) -> "TemplateLinter":
        """Return a linter that knows all columns of a source, also those that no text uses and that are not read."""
        linter = copy.copy(self)
        linter._names = ColumnNameMatcher(columns, self._used)  # noqa: SLF001  # the same class
        linter._template_warnings = tuple(self.unfilled_placeholders(columns))  # noqa: SLF001
        return linter

    def unfilled_placeholders(self, columns: Collection[str]) -> list[LintWarning]:
        """Return the placeholders in the template's own text that no row of a source with these columns fills."""
        names = ColumnNameMatcher(columns, self._used)
        found: dict[str, LintWarning] = {}
        for field in self._texts:
            literal_text = "\0".join(field.text.literals)
            joined = "".join(_with_column_names(field))
            for placeholder in (*find_foreign_placeholders(joined), *names.find_in(literal_text)):
                found.setdefault(placeholder, LintWarning(FindingKind.PLACEHOLDER, placeholder, field.text.render))
        for _, text in self._fixed:
            for placeholder in (*find_foreign_placeholders(text), *names.find_in(text)):
                found.setdefault(placeholder, LintWarning(FindingKind.PLACEHOLDER, placeholder, _constant_render(text)))
        return _drop_nested(found)

    def lint_row(self, values: Mapping[str, str]) -> Sequence[LintWarning]:
        """Return the warnings about a row."""
        names = self._names
        if names is None:
            names = self._names = ColumnNameMatcher(values, self._used)
            self._template_warnings = tuple(self.unfilled_placeholders(values.keys()))
        found: list[LintWarning] | None = None
        for column, field in self._columns:
            cell = values.get(column, "")
            first = cell[:1]
            if (not first.isalnum() or first in _BLANK_INITIALS) and is_blank(cell):
                found = [*(found or ()), LintWarning(FindingKind.EMPTY_COLUMN, column, field.text.render)]
            elif may_hold_placeholder(cell) and not _is_url(cell):
                placeholders = {*find_foreign_placeholders(cell), *names.find_in(cell)}
                found = [
                    *(found or ()),
                    *(
                        LintWarning(FindingKind.PLACEHOLDER, placeholder, field.text.render)
                        for placeholder in placeholders
                    ),
                ]
        for column, field in self._dollars:
            if values.get(column, "")[:1].isalpha():
                found = [*(found or ()), LintWarning(FindingKind.PLACEHOLDER, f"${{{column}}}", field.text.render)]
        return self._template_warnings if found is None else [*self._template_warnings, *found]


def _with_column_names(field: TemplateField) -> Iterable[str]:
    """Yield the parts of a text with column names inserted: the text around a column may make it a placeholder."""
    for literal, column in zip(field.text.literals, field.columns, strict=False):
        yield literal
        yield column
    yield field.text.literals[-1]


def _drop_nested(found: Mapping[str, LintWarning]) -> list[LintWarning]:
    """Return the warnings whose placeholder is no part of another: `[[name]]` contains `[name]`."""
    return [warning for text, warning in found.items() if not any(text != other and text in other for other in found)]


def _constant_render(text: str) -> RenderText:
    return lambda _values: text


def _is_url(text: str) -> bool:
    return text.startswith(("https://", "http://"))
