"""A source's rows as a template makes them: whom each is for, what it is known by, and its flow when its turn comes."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, cast

import attrs

from .._phone_numbers import InvalidPhoneNumber
from .._wire import load_flow
from ..errors import InvalidFlow, InvalidSource, Problem
from ..flows import AnyFlow, Endpoint
from ..secret import scrub_traceback
from .inspection import Inspection
from .keys import row_key
from .leaves import Leaf, copied, placed_in, put
from .making import NotThisWay, Part, quick_way
from .numbers import check_region, e164
from .required import RequiredColumns
from .row import Row, Stamp, broken_row
from .shape import Path, Use
from .sources.mappings import AsyncMappings
from .sources.source import Source, Unreadable
from .stamp import stamp_json


@attrs.frozen(repr=False)
class Recipe:
    """How the values of a row become its flow."""

    endpoint: Endpoint
    flow: Mapping[str, Any]
    leaves: tuple[Leaf, ...]
    required: RequiredColumns
    """The columns that hold codes, and others that must not be empty."""
    inspection: Inspection
    """What the dry run looks at."""
    key: str | None = None
    region: str | None = None

    def settled(self, key: str | None, region: str | None) -> "Recipe":
        """For rows that are known by a column, with numbers of a region; raises `InvalidSource`."""
        check_region(region)
        if key is not None and key in self.required.secret:
            raise InvalidSource(f"rows cannot be known by {key}: it holds codes, and no ledger does; nothing was sent")
        if key is None and not isinstance(self.recipient, Leaf):
            why = "is the same in every row" if self.recipient else "is no phone number"
            raise InvalidSource(
                f"the recipient of the first step {why}: name the column that rows are known by; nothing was sent"
            )
        return attrs.evolve(self, key=key, region=region)

    def reading(self, columns: Sequence[str]) -> "Recipe":
        """For rows of a source with these columns."""
        return attrs.evolve(self, inspection=self.inspection.of_source(columns))

    @property
    def recipient(self) -> Leaf | str:
        """The number that the first step goes to, empty where it is none."""
        place = _first_recipient(self.endpoint, self.flow)
        for end in ((), ("phone",), ("viber",)):
            path = (*place, *end)
            found = next((leaf for leaf in self.leaves if leaf.path == path), None)
            if found is not None:
                return found
            text = _at(self.flow, path)
            if isinstance(text, str):
                return text
        return ""

    def make(self, values: Mapping[str, str], stamp: Stamp) -> AnyFlow:
        """The flow of a row. Raises `InvalidFlow`, its problems each with the column that it came from."""
        flow = copied(self.flow)
        missing: list[Problem] = []
        for leaf in self.leaves:
            try:
                put(flow, leaf.path, leaf.value(values, self.region))
            except KeyError:
                lacking = [column for column in leaf.columns if column not in values]
                missing += [Problem(leaf.path, f"the row has no {column}") for column in lacking]
        if missing:
            raise InvalidFlow("row", missing)
        stamp_json(self.endpoint, flow, stamp)
        try:
            return load_flow(self.endpoint, flow)
        except InvalidFlow as error:
            problems = [self._with_columns(problem) for problem in error.problems]
        raise InvalidFlow("row", problems)

    def _with_columns(self, problem: Problem) -> Problem:
        """A problem with the columns that it came from beside it."""
        near = [leaf for leaf in self.leaves if placed_in(problem.path, leaf.path)]
        if not near and problem.path:  # what is wrong with a whole comes from its parts
            near = [leaf for leaf in self.leaves if placed_in(leaf.path, problem.path)]
        columns = list(dict.fromkeys(column for leaf in near for column in leaf.columns))
        if not columns:
            return problem
        return Problem(problem.path, f"{problem.reason} (column{'s' * (len(columns) > 1)} {', '.join(columns)})")


def _first_recipient(endpoint: Endpoint, flow: Mapping[str, Any]) -> Path:
    if endpoint is Endpoint.VIBER_OTP:
        return ("to",)
    steps = flow["flow"]
    first = min(range(len(steps)), key=lambda index: steps[index].get("order", 0))
    return ("flow", first, "to")


def _at(value: Any, path: Path) -> Any:
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return None
    return value


class _RowMaker:
    """Makes `Row` of what a source gives."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        recipient = recipe.recipient
        self._to = recipient if isinstance(recipient, Leaf) else None
        self._fixed = "" if isinstance(recipient, Leaf) else recipient
        # One person is one key, in however many ways a file writes the number.
        is_number = self._to is not None and self._to.words.alone and self._to.columns == (recipe.key,)
        self._key = None if is_number else recipe.key
        self._make = _Flows(recipe).make
        self._others = tuple(leaf for leaf in recipe.leaves if leaf.use is Use.RECIPIENT and leaf is not self._to)

    def row(self, line: int, values: Mapping[str, str] | Unreadable) -> Row:
        if isinstance(values, Unreadable):
            return broken_row(line, "", "", [Problem((), values.reason)])
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
        values = recipe.required.checked(values, problems)
        key = recipient if self._key is None else self._key_in(self._key, values, problems)
        if problems:
            return broken_row(line, key, recipient, problems)
        return Row(line, key, recipient, TemplateFlow(self._make, values, line, recipe))

    @staticmethod
    def _key_in(column: str, values: Mapping[str, str], problems: list[Problem]) -> str:
        """The key, or nothing and one more problem."""
        try:
            key = row_key(values.get(column, ""))
        except ValueError as error:
            problems.append(Problem((), f"{error} (column {column})"))
            return ""
        if not key:
            problems.append(Problem((), f"has no key (column {column})"))
        return key

    def _number(self, leaf: Leaf, values: Mapping[str, str], problems: list[Problem]) -> str:
        """The number, or nothing and one more problem."""
        columns = f"(column{'s' * (len(leaf.columns) > 1)} {', '.join(leaf.columns)})"
        try:
            return e164(leaf.words.fill(values), self._recipe.region)
        except InvalidPhoneNumber as error:
            problems.append(Problem(leaf.path, f"{error} {columns}"))
        except KeyError:
            problems.append(Problem(leaf.path, f"the row has no number {columns}"))
        return ""


class _Flows:
    """Makes flows of rows: the first by the long way, the rest by the short one that the first shows."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self._quick: Part | None = None

    def make(self, values: Mapping[str, str], stamp: Stamp) -> AnyFlow:
        quick = self._quick
        if quick is not None:
            try:
                return cast("AnyFlow", quick(values, stamp))
            except (InvalidFlow, KeyError, NotThisWay):
                pass  # the long way says why, with its path and its column
        flow = self._recipe.make(values, stamp)
        if quick is None:
            self._quick = self._way(values)
        return flow

    def _way(self, values: Mapping[str, str]) -> Part:
        recipe = self._recipe
        try:
            return quick_way(recipe.make(values, Stamp()), recipe.leaves, recipe.flow, recipe.region)
        except NotThisWay:
            return recipe.make


class TemplateFlow:
    """Makes the flow of one row. A class, for the row's values to stay out of sight."""

    __slots__ = ("_line", "_make", "_recipe", "_values")

    def __init__(self, make: Part, values: Mapping[str, str], line: int, recipe: Recipe) -> None:
        self._recipe = recipe
        self._make = make
        self._values = values
        self._line = line

    @scrub_traceback
    def __call__(self, stamp: Stamp) -> AnyFlow:
        """Return the flow. Raises `InvalidFlow`."""
        try:
            return cast("AnyFlow", self._make(self._values, stamp))
        except InvalidFlow as error:
            problems = error.problems
        raise InvalidFlow(f"line {self._line}", problems)

    def codes(self) -> tuple[str, ...]:
        """The codes in the row: what is shown of it must not show them."""
        return tuple(code for column in self._recipe.required.secret if (code := self._values.get(column)))

    def numbers(self) -> tuple[str, ...]:
        """The recipients of the row as its cells have them: what is shown of it must not show them either."""
        return tuple(leaf.words.fill(self._values) for leaf in self._recipe.leaves if leaf.use is Use.RECIPIENT)

    def inspected(self) -> tuple[Inspection, Mapping[str, str]]:
        """What looks at the row, and its values."""
        return self._recipe.inspection, self._values

    def __repr__(self) -> str:
        return f"<makes the flow of line {self._line}>"


class TemplateRows:
    """The rows of a source; each pass over them begins anew, as far as the source can."""

    def __init__(self, source: Source, recipe: Recipe) -> None:
        self._source = source
        self._recipe = recipe

    def __iter__(self) -> Iterator[Row]:
        row = _RowMaker(self._recipe).row
        for line, values in self._source:
            yield row(line, values)


class AsyncTemplateRows:
    """The rows of an async iterable of mappings."""

    def __init__(self, source: AsyncMappings, recipe: Recipe) -> None:
        self._source = source
        self._recipe = recipe

    async def __aiter__(self) -> AsyncIterator[Row]:
        row = _RowMaker(self._recipe).row
        async for line, values in self._source:
            yield row(line, values)
