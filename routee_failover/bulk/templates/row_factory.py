"""A source's rows as a template makes them: whom each is for, what it is known by, and its flow when its turn comes."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, cast

import attrs

from ..._phone_numbers import InvalidPhoneNumber
from ..._wire import load_flow
from ...errors import InvalidFlow, InvalidSource, Problem
from ...flows import AnyFlow, Endpoint
from ...secret import scrub_traceback
from ..phone_numbers import check_region, to_e164
from ..sources.base import Source, Unreadable
from ..sources.mappings import AsyncMappingSource
from .compiled_template import Builder, CannotCompile, compile_flow
from .correlation import add_correlation_json
from .field_roles import FieldPath, FieldRole
from .linter import TemplateLinter
from .required_columns import RequiredColumns
from .row import Correlation, Row, invalid_row
from .row_key import normalize_key
from .template_fields import TemplateField, deep_copy, path_starts_with, set_at


@attrs.frozen(repr=False)
class TemplateSpec:
    """How the values of a row become its flow."""

    endpoint: Endpoint
    flow: Mapping[str, Any]
    fields: tuple[TemplateField, ...]
    required_columns: RequiredColumns
    """The columns that hold codes, and others that must not be empty."""
    linter: TemplateLinter
    """What the dry run looks at."""
    key_column: str | None = None
    region: str | None = None

    def with_key(self, key: str | None, region: str | None) -> "TemplateSpec":
        """For rows that are known by a column, with numbers of a region; raises `InvalidSource`."""
        check_region(region)
        if key is not None and key in self.required_columns.secret_columns:
            raise InvalidSource(f"rows cannot be known by {key}: it holds codes, and no ledger does; nothing was sent")
        if key is None and not isinstance(self.recipient, TemplateField):
            why = "is the same in every row" if self.recipient else "is no phone number"
            raise InvalidSource(
                f"the recipient of the first step {why}: name the column that rows are known by; nothing was sent"
            )
        return attrs.evolve(self, key_column=key, region=region)

    def for_columns(self, columns: Sequence[str]) -> "TemplateSpec":
        """For rows of a source with these columns."""
        return attrs.evolve(self, linter=self.linter.for_source(columns))

    @property
    def recipient(self) -> TemplateField | str:
        """The number that the first step goes to, empty where it is none."""
        place = _first_recipient(self.endpoint, self.flow)
        for end in ((), ("phone",), ("viber",)):
            path = (*place, *end)
            found = next((leaf for leaf in self.fields if leaf.path == path), None)
            if found is not None:
                return found
            text = _at(self.flow, path)
            if isinstance(text, str):
                return text
        return ""

    def build_flow(self, values: Mapping[str, str], correlation: Correlation) -> AnyFlow:
        """The flow of a row. Raises `InvalidFlow`, its problems each with the column that it came from."""
        flow = deep_copy(self.flow)
        missing: list[Problem] = []
        for leaf in self.fields:
            try:
                set_at(flow, leaf.path, leaf.render(values, self.region))
            except KeyError:
                lacking = [column for column in leaf.columns if column not in values]
                missing += [Problem(leaf.path, f"the row has no {column}") for column in lacking]
        if missing:
            raise InvalidFlow("row", missing)
        add_correlation_json(self.endpoint, flow, correlation)
        try:
            return load_flow(self.endpoint, flow)
        except InvalidFlow as error:
            problems = [self._with_columns(problem) for problem in error.problems]
        raise InvalidFlow("row", problems)

    def _with_columns(self, problem: Problem) -> Problem:
        """A problem with the columns that it came from beside it."""
        near = [leaf for leaf in self.fields if path_starts_with(problem.path, leaf.path)]
        if not near and problem.path:  # what is wrong with a whole comes from its parts
            near = [leaf for leaf in self.fields if path_starts_with(leaf.path, problem.path)]
        columns = list(dict.fromkeys(column for leaf in near for column in leaf.columns))
        if not columns:
            return problem
        return Problem(problem.path, f"{problem.reason} (column{'s' * (len(columns) > 1)} {', '.join(columns)})")


def _first_recipient(endpoint: Endpoint, flow: Mapping[str, Any]) -> FieldPath:
    if endpoint is Endpoint.VIBER_OTP:
        return ("to",)
    steps = flow["flow"]
    first = min(range(len(steps)), key=lambda index: steps[index].get("order", 0))
    return ("flow", first, "to")


def _at(value: Any, path: FieldPath) -> Any:
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return None
    return value


class _RowFactory:
    """Makes `Row` of what a source gives."""

    def __init__(self, recipe: TemplateSpec) -> None:
        self._recipe = recipe
        recipient = recipe.recipient
        self._to = recipient if isinstance(recipient, TemplateField) else None
        self._fixed = "" if isinstance(recipient, TemplateField) else recipient
        # One person is one key, in however many ways a file writes the number.
        is_number = self._to is not None and self._to.text.is_single_column and self._to.columns == (recipe.key_column,)
        self._key = None if is_number else recipe.key_column
        self._make = _TemplateFlowFactory(recipe).build
        self._others = tuple(
            leaf for leaf in recipe.fields if leaf.role is FieldRole.RECIPIENT and leaf is not self._to
        )

    def build(self, line: int, values: Mapping[str, str] | Unreadable) -> Row:
        if isinstance(values, Unreadable):
            return invalid_row(line, "", "", [Problem((), values.reason)])
        recipe = self._recipe
        problems: list[Problem] = []
        recipient = self._fixed
        if self._to is not None:
            recipient = self._number(self._to, values, problems)
        # A column that holds no number is one problem, in however many steps it stands.
        told = [self._to.columns] if problems and self._to is not None else []
        for leaf in self._others:
            if leaf.columns not in told and not self._number(leaf, values, problems):
                told.append(leaf.columns)
        values = recipe.required_columns.normalize(values, problems)
        key = recipient if self._key is None else self._key_in(self._key, values, problems)
        if problems:
            return invalid_row(line, key, recipient, problems)
        return Row(line, key, recipient, RowFlowFactory(self._make, values, line, recipe))

    @staticmethod
    def _key_in(column: str, values: Mapping[str, str], problems: list[Problem]) -> str:
        """The key, or nothing and one more problem."""
        try:
            key = normalize_key(values.get(column, ""))
        except ValueError as error:
            problems.append(Problem((), f"{error} (column {column})"))
            return ""
        if not key:
            problems.append(Problem((), f"has no key (column {column})"))
        return key

    def _number(self, leaf: TemplateField, values: Mapping[str, str], problems: list[Problem]) -> str:
        """The number, or nothing and one more problem."""
        columns = f"(column{'s' * (len(leaf.columns) > 1)} {', '.join(leaf.columns)})"
        try:
            return to_e164(leaf.text.render(values), self._recipe.region)
        except InvalidPhoneNumber as error:
            problems.append(Problem(leaf.path, f"{error} {columns}"))
        except KeyError:
            problems.append(Problem(leaf.path, f"the row has no number {columns}"))
        return ""


class _TemplateFlowFactory:
    """Makes flows of rows: the first by the long way, the rest by the short one that the first shows."""

    def __init__(self, recipe: TemplateSpec) -> None:
        self._recipe = recipe
        self._compiled: Builder | None = None

    def build(self, values: Mapping[str, str], stamp: Correlation) -> AnyFlow:
        quick = self._compiled
        if quick is not None:
            try:
                return cast("AnyFlow", quick(values, stamp))
            except (InvalidFlow, KeyError, CannotCompile):
                pass  # the long way says why, with its path and its column
        flow = self._recipe.build_flow(values, stamp)
        if quick is None:
            self._compiled = self._compile(values)
        return flow

    def _compile(self, values: Mapping[str, str]) -> Builder:
        recipe = self._recipe
        try:
            return compile_flow(recipe.build_flow(values, Correlation()), recipe.fields, recipe.flow, recipe.region)
        except CannotCompile:
            return recipe.build_flow


class RowFlowFactory:
    """Makes the flow of one row. A class, for the row's values to stay out of sight."""

    __slots__ = ("_line", "_make", "_recipe", "_values")

    def __init__(self, build_flow: Builder, values: Mapping[str, str], line: int, spec: TemplateSpec) -> None:
        self._recipe = spec
        self._make = build_flow
        self._values = values
        self._line = line

    @scrub_traceback
    def __call__(self, correlation: Correlation) -> AnyFlow:
        """Return the flow. Raises `InvalidFlow`."""
        try:
            return cast("AnyFlow", self._make(self._values, correlation))
        except InvalidFlow as error:
            problems = error.problems
        raise InvalidFlow(f"line {self._line}", problems)

    def codes(self) -> tuple[str, ...]:
        """The codes in the row: what is shown of it must not show them."""
        return tuple(
            code for column in self._recipe.required_columns.secret_columns if (code := self._values.get(column))
        )

    def numbers(self) -> tuple[str, ...]:
        """The recipients of the row as its cells have them: what is shown of it must not show them either."""
        return tuple(leaf.text.render(self._values) for leaf in self._recipe.fields if leaf.role is FieldRole.RECIPIENT)

    def linter_and_values(self) -> tuple[TemplateLinter, Mapping[str, str]]:
        """What looks at the row, and its values."""
        return self._recipe.linter, self._values

    def __repr__(self) -> str:
        return f"<makes the flow of line {self._line}>"


class TemplateRows:
    """The rows of a source; each pass over them begins anew, as far as the source can."""

    def __init__(self, source: Source, spec: TemplateSpec) -> None:
        self._source = source
        self._recipe = spec

    def __iter__(self) -> Iterator[Row]:
        row = _RowFactory(self._recipe).build
        for line, values in self._source:
            yield row(line, values)


class AsyncTemplateRows:
    """The rows of an async iterable of mappings."""

    def __init__(self, source: AsyncMappingSource, spec: TemplateSpec) -> None:
        self._source = source
        self._recipe = spec

    async def __aiter__(self) -> AsyncIterator[Row]:
        row = _RowFactory(self._recipe).build
        async for line, values in self._source:
            yield row(line, values)
