"""One flow for many rows: the API's own JSON with `{column}` in its texts, checked before the first row is read."""

import difflib
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self, cast, overload

from ..._wire import load_flow
from ..._wire.flow_file import ENDPOINT_NAMES, read_json_object, read_toml, size_violation
from ...errors import InvalidFlow, InvalidSource, Problem
from ...flows import Endpoint
from ..sources.base import Recipients, Source
from ..sources.column_names import masked_column_name, normalize_column_name
from ..sources.formats import printable_path
from ..sources.mappings import AsyncMappingSource, MappingSource, select_columns
from .field_roles import FieldPath as Place
from .field_roles import FieldRole, iter_texts
from .linter import TemplateLinter
from .required_columns import RequiredColumns
from .row import Row, Rows
from .row_factory import AsyncTemplateRows, TemplateRows, TemplateSpec
from .template_fields import TemplateField, extract_fields, path_starts_with

_MAX_LABEL_LENGTH = 320
"""Of the 350 that Routee takes, these are left beside the label of a run."""
_PLACEHOLDER_URL = "https://example.com/"


class FlowTemplate:
    """A flow with `{column}` in its texts, for every row to put its values there.

    A column may stand in any text, whole or in part, but in `type` and `order`; `{{` and `}}` are the braces
    themselves. A text that is nothing but one column, in a place where Routee takes a number or true and false, is
    turned into that: `"ttl": "{ttl}"` with 60 in the column says 60. What is no such thing breaks that row alone.
    """

    endpoint: Endpoint
    columns: frozenset[str]
    """The columns that are used."""
    secret_columns: frozenset[str]
    """Those of them that hold a code: they stand in a `pin` or in the text of an OTP's SMS, or are called so.

    An empty cell there breaks its row, and so does what is no code any more, as a number that was rounded.
    """
    has_own_labels: bool
    """Whether it is a failover OTP whose steps have a label, by which Routee is not asked: its doubts stay."""

    def __init__(self, endpoint: Endpoint, flow: Mapping[str, Any], fields: tuple[TemplateField, ...]) -> None:
        self.endpoint = endpoint
        self.columns = frozenset(column for leaf in fields for column in leaf.columns)
        required = RequiredColumns.from_fields(fields)
        self.secret_columns = required.secret_columns
        differing = {leaf.path for leaf in fields}
        fixed = [
            (path, text)
            for path, text, use in iter_texts(endpoint, flow)
            if use is FieldRole.TEXT or use is FieldRole.OTP_TEXT
        ]
        self._linter = TemplateLinter(fields, [item for item in fixed if item[0] not in differing], required)
        self.has_own_labels = endpoint is Endpoint.OTP and any(step.get("label") for step in flow["flow"])
        self._spec = TemplateSpec(endpoint, flow, fields, required, self._linter)

    @property
    def recipient_columns(self) -> tuple[str, ...]:
        """The columns that hold phone numbers, that of the first step first."""
        leaves = [self._spec.recipient, *(leaf for leaf in self._spec.fields if leaf.role is FieldRole.RECIPIENT)]
        return tuple(dict.fromkeys(name for leaf in leaves if isinstance(leaf, TemplateField) for name in leaf.columns))

    def __repr__(self) -> str:
        return f"FlowTemplate(endpoint={self.endpoint!s}, columns={sorted(self.columns)})"

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """The template in a JSON file, or in a TOML file where its name ends in `.toml`.

        Raises `InvalidSource` for what is no such file, and `InvalidFlow` with every problem of the flow in it.
        """
        name = printable_path(Path(path))
        read = read_toml if Path(path).suffix.lower() == ".toml" else read_json_object
        return cls._from_mapping(read(str(path), name), name)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Self:
        """The template that a mapping in the API's shape says, with its `endpoint` beside the flow.

        Raises `InvalidFlow` with every problem of what is the same for all rows.
        """
        return cls._from_mapping(mapping, "the template")

    @classmethod
    def _from_mapping(cls, mapping: Mapping[str, Any], name: str) -> Self:
        if (why := size_violation(mapping)) is not None:
            raise InvalidFlow(name, [Problem((), why)])
        flow = dict(mapping)
        named = flow.pop("endpoint", None)
        if named not in [*Endpoint]:
            reason = f"must be {ENDPOINT_NAMES}" if named is not None else f"required: {ENDPOINT_NAMES}"
            raise InvalidFlow(name, [Problem(("endpoint",), reason)])
        endpoint = Endpoint(cast("str", named))
        try:
            flow, leaves, problems = extract_fields(endpoint, flow)
            problems += _problems_of(endpoint, flow, leaves)
        except RecursionError:
            raise InvalidFlow(name, [Problem((), "is nested too deeply")]) from None
        if problems:
            raise InvalidFlow(f"{name} ({endpoint})", problems)
        return cls(endpoint, flow, tuple(leaves))

    def check_columns(self, columns: Iterable[str]) -> None:
        """Raises `InvalidSource` that names the columns which the template has and the source has not."""
        there = list(map(normalize_column_name, columns))
        missing = sorted(self.columns.difference(there))
        if not missing:
            return
        guesses = [(column, _close(column, there)) for column in missing]
        names = ", ".join(
            f"{column} (did you mean {masked_column_name(guess)}?)" if guess else column for column, guess in guesses
        )
        shown = list(map(masked_column_name, there[:20]))
        have = ", ".join(shown) + (", ..." if len(there) > 20 else "")
        if shown != there[:20]:
            have += "; does its first line name the columns?"
        columns_word = "column" if len(missing) == 1 else "columns"
        raise InvalidSource(
            f"the template uses the {columns_word} {names}; the source has {have or 'none'}; nothing was sent"
        )

    def unfilled_placeholders(self, columns: Iterable[str]) -> list[str]:
        """Return the placeholders in the template's own texts that no row of a source with these columns fills.

        They are those of other tools, as `{name}` that was written `{{name}}`, and names of columns in other marks.
        """
        return [one.subject for one in self._linter.unfilled_placeholders([*columns])]

    @overload
    def rows(
        self, recipients: AsyncIterable[Mapping[str, object]], *, key: str | None = ..., region: str | None = ...
    ) -> AsyncIterable[Row]: ...
    @overload
    def rows(
        self, recipients: Source | Iterable[Mapping[str, object]], *, key: str | None = ..., region: str | None = ...
    ) -> Iterable[Row]: ...
    def rows(self, recipients: Recipients, *, key: str | None = None, region: str | None = None) -> Rows:
        """The rows of a source, or of any iterable or async iterable of mappings, as this template makes them.

        `key` is the column that says what a row is known by; without one it is the recipient of the first step, so
        that each gets one message. `region` (such as `GR`) is the country of numbers that are written without one.
        The rows can be gone through again where the recipients can. What is broken in one row stands in that row's
        `problems`; raises `InvalidSource` for what breaks them all.
        """
        key = None if key is None else normalize_column_name(key)
        recipe = self._spec.with_key(key, region)
        used = self.columns if key is None else self.columns | {key}
        if isinstance(recipients, AsyncIterable):
            arriving = AsyncTemplateRows(AsyncMappingSource(recipients, used), recipe)
            return aiter(arriving) if isinstance(recipients, AsyncIterator) else arriving
        source = recipients if isinstance(recipients, Source) else MappingSource(recipients)
        if source.columns is not None:
            self.check_columns(source.columns)
            if key is not None and key not in map(normalize_column_name, source.columns):
                guess = _close(key, source.columns)
                hint = f"; did you mean {masked_column_name(guess)}?" if guess else ""
                raise InvalidSource(f"{source.name} has no column {key} to know rows by{hint}; nothing was sent")
            recipe = recipe.for_columns([*map(normalize_column_name, source.columns)])
        rows = TemplateRows(select_columns(source, used), recipe)
        return iter(rows) if isinstance(recipients, Iterator) else rows


def _close(column: str, there: Iterable[str]) -> str | None:
    """The column that was probably meant: case and blanks are what is mistaken most."""
    plain = {name.lower().replace(" ", "_"): name for name in there}
    found = difflib.get_close_matches(column.lower().replace(" ", "_"), plain, n=1)
    return plain[found[0]] if found else None


def _problems_of(endpoint: Endpoint, flow: Mapping[str, Any], leaves: list[TemplateField]) -> list[Problem]:
    """What is wrong with a flow whatever a row puts into it."""
    callback = flow.get("callback")
    if isinstance(callback, Mapping) and "url" not in callback:
        flow = {**flow, "callback": {**callback, "url": _PLACEHOLDER_URL}}  # the run's own goes there
    problems = [] if endpoint is Endpoint.OTP else _long_labels(endpoint, flow)
    try:
        load_flow(endpoint, flow)
    except InvalidFlow as error:
        # A row gives texts: what stands for a step or for all of them is not its to mend.
        differing = [leaf.path for leaf in leaves if len(leaf.path) > 2 or leaf.path[:1] != ("flow",)]
        problems += [problem for problem in error.problems if not _is_within(problem.path, differing)]
    return problems


def _long_labels(endpoint: Endpoint, flow: Mapping[str, Any]) -> list[Problem]:
    why = f"must have at most {_MAX_LABEL_LENGTH} characters, for the run's own label to have room behind it"
    texts = iter_texts(endpoint, flow)
    return [Problem(path, why) for path, text, _ in texts if path[-1] == "label" and len(text) > _MAX_LABEL_LENGTH]


def _is_within(path: Place, differing: list[Place]) -> bool:
    return any(path_starts_with(path, place) for place in differing)
