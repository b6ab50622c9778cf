"""Rows of a source as a template makes them: recipient, key, validation, and a factory of each row's flow."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, ClassVar, cast

import attrs

from ..._phone_number_parser import InvalidPhoneNumber
from ..._wire import load_flow
from ..._wire.step_order import step_sequence
from ...errors import InvalidFlow, InvalidSource, Problem
from ...flows import AnyFlow, Endpoint, ValidatedFlow
from ...secret import scrub_traceback
from ..phone_numbers import check_region, to_e164
from ..sources.base import Source, Unreadable
from ..sources.mappings import AsyncMappingSource
from .compiled_template import Builder, CannotCompile, compile_flow
from .correlation import add_correlation_json
from .field_roles import FieldPath, FieldRole
from .key_normalization import normalize_key
from .nonempty_columns import RequiredColumns
from .row import Correlation, Row, invalid_row
from .row_linter import TemplateLinter
from .template_fields import TemplateField, deep_copy, path_starts_with, set_at


@attrs.frozen(repr=False)
class TemplateSpec:
    """Specification of a template's rows: how their values become their key, recipient and flow."""

    endpoint: Endpoint
    flow: Mapping[str, Any]
    fields: tuple[TemplateField, ...]
    required_columns: RequiredColumns
    """The columns that hold codes, and others that must not be empty."""
    linter: TemplateLinter
    """Checks texts in the dry run."""
    key_column: str | None = None
    region: str | None = None

    no_single_recipient: ClassVar[str] = "the recipient of the first step is no phone number"

    def with_key(self, key: str | None, region: str | None) -> "TemplateSpec":
        """Return the spec for rows with a key column, and with numbers of a region; raise `InvalidSource`."""
        check_region(region)
        if key is not None and key in self.required_columns.secret_columns:
            raise InvalidSource(
                f"column {key} cannot be the key: it holds codes, which a ledger must not; nothing was sent"
            )
        spec = attrs.evolve(self, key_column=key, region=region)
        if key is None and not isinstance(recipient := spec.recipient, TemplateField):
            why = "the recipient of the first step is the same in every row" if recipient else self.no_single_recipient
            raise InvalidSource(f"{why}: name the key column; nothing was sent")
        return spec

    def for_columns(self, columns: Sequence[str]) -> "TemplateSpec":
        """Return the spec for rows of a source with these columns."""
        return attrs.evolve(self, linter=self.linter.for_source(columns))

    @property
    def recipient(self) -> TemplateField | str:
        """The field or number that the first step goes to, empty if it goes to no number."""
        base_path = _first_recipient_path(self.endpoint, self.flow)
        for suffix in ((), ("phone",), ("viber",)):
            path = (*base_path, *suffix)
            found = next((field for field in self.fields if field.path == path), None)
            if found is not None:
                return found
            text = _value_at(self.flow, path)
            if isinstance(text, str):
                return text
        return ""

    def build_flow(self, values: Mapping[str, str], correlation: Correlation) -> AnyFlow:
        """Return the flow of a row. Raises `InvalidFlow`, each problem with the column that it comes from."""
        flow = deep_copy(self.flow)
        missing: list[Problem] = []
        for field in self.fields:
            try:
                set_at(flow, field.path, self._render(field, values))
            except KeyError:
                absent = [column for column in field.columns if column not in values]
                missing += [Problem(field.path, f"the row has no {column}") for column in absent]
        if missing:
            raise InvalidFlow("row", missing)
        try:
            return self._make_flow(flow, correlation)
        except InvalidFlow as error:
            problems = [self._with_columns(problem) for problem in error.problems]
        raise InvalidFlow("row", problems)

    def row_factory(self) -> "RowFactory":
        """Return the factory of its rows."""
        return RowFactory(self)

    def compile(self, values: Mapping[str, str]) -> Builder:
        """Return a builder of flows like that of a row. Raises `CannotCompile` if only the slow path builds them."""
        flow = cast("ValidatedFlow", self.build_flow(values, Correlation()))
        return compile_flow(flow, self.fields, self.flow, self.region)

    def _render(self, field: TemplateField, values: Mapping[str, str]) -> Any:
        return field.render(values, self.region)

    def _make_flow(self, flow: dict[str, Any], correlation: Correlation) -> AnyFlow:
        add_correlation_json(self.endpoint, flow, correlation)
        return load_flow(self.endpoint, flow)

    def _with_columns(self, problem: Problem) -> Problem:
        """Return a problem with the columns that it comes from appended."""
        matching = [field for field in self.fields if path_starts_with(problem.path, field.path)]
        if not matching and problem.path:  # a problem of an object comes from its parts
            matching = [field for field in self.fields if path_starts_with(field.path, problem.path)]
        columns = list(dict.fromkeys(column for field in matching for column in field.columns))
        if not columns:
            return problem
        return Problem(problem.path, f"{problem.reason} (column{'s' * (len(columns) > 1)} {', '.join(columns)})")


def _first_recipient_path(endpoint: Endpoint, flow: Mapping[str, Any]) -> FieldPath:
    if endpoint is Endpoint.VIBER_OTP:
        return ("to",)
    return ("flow", step_sequence(flow["flow"])[0], "to")


def _value_at(value: Any, path: FieldPath) -> Any:
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return None
    return value


class RowFactory:
    """Factory of rows: makes each `Row` from a line number and its values."""

    def __init__(self, spec: TemplateSpec) -> None:
        self._spec = spec
        recipient = spec.recipient
        self._recipient_field = recipient if isinstance(recipient, TemplateField) else None
        self._fixed_recipient = "" if isinstance(recipient, TemplateField) else recipient
        # A key that is the recipient's number is its E.164 form, whatever notation the file uses.
        is_number = (
            self._recipient_field is not None
            and self._recipient_field.text.is_single_column
            and self._recipient_field.columns == (spec.key_column,)
        )
        self._key_is_recipient = is_number or spec.key_column is None
        self._build = _TemplateFlowFactory(spec).build
        self._other_recipient_fields = tuple(
            field for field in spec.fields if field.role is FieldRole.RECIPIENT and field is not self._recipient_field
        )

    def build(self, line: int, values: Mapping[str, str] | Unreadable) -> Row:
        """Return the row of a line."""
        if isinstance(values, Unreadable):
            return invalid_row(line, "", "", [Problem((), values.reason)])
        spec = self._spec
        problems: list[Problem] = []
        recipient = self._find_recipient(values, problems)
        values = spec.required_columns.normalize(values, problems)
        key = self._find_key(recipient, values, problems)
        if problems:
            return invalid_row(line, key, recipient, problems)
        return Row(line, key, recipient, RowFlowFactory(self._build, values, line, spec))

    def _find_recipient(self, values: Mapping[str, str], problems: list[Problem]) -> str:
        """Return the number of the first step, empty if it has none, and append a problem for each invalid number."""
        recipient = self._fixed_recipient
        if self._recipient_field is not None:
            recipient = self._parse_recipient(self._recipient_field, values, problems)
        # An invalid number is reported once, even if several steps use its column.
        reported = [self._recipient_field.columns] if problems and self._recipient_field is not None else []
        for field in self._other_recipient_fields:
            if field.columns not in reported and not self._parse_recipient(field, values, problems):
                reported.append(field.columns)
        return recipient

    def _find_key(self, recipient: str, values: Mapping[str, str], problems: list[Problem]) -> str:
        """Return the key, or an empty string and append a problem."""
        key_column = self._spec.key_column
        if self._key_is_recipient or key_column is None:
            return recipient
        return self._parse_key(key_column, values, problems)

    @staticmethod
    def _parse_key(column: str, values: Mapping[str, str], problems: list[Problem]) -> str:
        """Return the key, or an empty string and append a problem."""
        try:
            key = normalize_key(values.get(column, ""))
        except ValueError as error:
            problems.append(Problem((), f"{error} (column {column})"))
            return ""
        if not key:
            problems.append(Problem((), f"has no key (column {column})"))
        return key

    def _parse_recipient(self, field: TemplateField, values: Mapping[str, str], problems: list[Problem]) -> str:
        """Return the number in E.164, or an empty string and append a problem."""
        try:
            return to_e164(field.text.render(values), self._spec.region)
        except InvalidPhoneNumber as error:
            problems.append(self._recipient_problem(field, str(error)))
        except KeyError:
            problems.append(self._recipient_problem(field, "the row has no number"))
        return ""

    @staticmethod
    def _recipient_problem(field: TemplateField, reason: str) -> Problem:
        columns = f"(column{'s' * (len(field.columns) > 1)} {', '.join(field.columns)})"
        return Problem(field.path, f"{reason} {columns}")


class _TemplateFlowFactory:
    """Flow factory of a template: builds the first flow by the slow path, and compiles the fast one from it."""

    def __init__(self, spec: TemplateSpec) -> None:
        self._spec = spec
        self._compiled: Builder | None = None

    def build(self, values: Mapping[str, str], correlation: Correlation) -> AnyFlow:
        compiled = self._compiled
        if compiled is not None:
            try:
                return cast("AnyFlow", compiled(values, correlation))
            except (InvalidFlow, KeyError, CannotCompile):
                pass  # the slow path gives the reason, with its path and column
        flow = self._spec.build_flow(values, correlation)
        if compiled is None:
            self._compiled = self._compile(values)
        return flow

    def _compile(self, values: Mapping[str, str]) -> Builder:
        try:
            return self._spec.compile(values)
        except CannotCompile:
            return self._spec.build_flow


class RowFlowFactory:
    """Flow factory of one row. A class instead of a closure, so that the row's values stay out of tracebacks."""

    __slots__ = ("_build", "_line", "_spec", "_values")

    def __init__(self, build_flow: Builder, values: Mapping[str, str], line: int, spec: TemplateSpec) -> None:
        self._spec = spec
        self._build = build_flow
        self._values = values
        self._line = line

    @scrub_traceback
    def __call__(self, correlation: Correlation) -> AnyFlow:
        """Return the flow. Raises `InvalidFlow`."""
        try:
            return cast("AnyFlow", self._build(self._values, correlation))
        except InvalidFlow as error:
            problems = error.problems
        raise InvalidFlow(f"line {self._line}", problems)

    def codes(self) -> tuple[str, ...]:
        """Return the codes in the row, which must not be shown."""
        return tuple(
            code for column in self._spec.required_columns.secret_columns if (code := self._values.get(column))
        )

    def numbers(self) -> tuple[str, ...]:
        """Return the recipients as the row's cells have them, which must not be shown either."""
        return tuple(
            field.text.render(self._values) for field in self._spec.fields if field.role is FieldRole.RECIPIENT
        )

    def linter_and_values(self) -> tuple[TemplateLinter, Mapping[str, str]]:
        """Return the linter of the template, and the values of the row."""
        return self._spec.linter, self._values

    def __repr__(self) -> str:
        return f"<RowFlowFactory of line {self._line}>"


class TemplateRows:
    """The rows of a source; each iteration starts again, if the source can."""

    def __init__(self, source: Source, spec: TemplateSpec) -> None:
        self._source = source
        self._spec = spec

    def __iter__(self) -> Iterator[Row]:
        build_row = self._spec.row_factory().build
        for line, values in self._source:
            yield build_row(line, values)
            del values  # if the source raises, a traceback that shows locals would show this row


class AsyncTemplateRows:
    """The rows of an async iterable of mappings."""

    def __init__(self, source: AsyncMappingSource, spec: TemplateSpec) -> None:
        self._source = source
        self._spec = spec

    async def __aiter__(self) -> AsyncIterator[Row]:
        build_row = self._spec.row_factory().build
        async for line, values in self._source:
            yield build_row(line, values)
            del values
