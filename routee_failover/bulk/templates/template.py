"""Flow template: the API's own JSON with `{column}` placeholders, checked before the first row is read."""

import difflib
import functools
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self, cast, overload

from ..._wire import load_flow
from ..._wire.flow_document import ENDPOINT_NAMES, pop_raw, read_json_object, read_toml
from ...errors import InvalidFlow, InvalidSource, Problem
from ...flows import Endpoint
from ...flows.size_limits import size_violation
from ...secret import scrub_traceback
from ..sources.base import Recipients, Source
from ..sources.column_names import masked_column_name, normalize_column_name
from ..sources.formats import printable_path
from ..sources.mappings import AsyncMappingSource, MappingSource, select_columns
from .field_roles import FieldPath, FieldRole, iter_texts
from .nonempty_columns import RequiredColumns
from .raw_template import RawTemplateSpec, iter_raw_texts, raw_problems
from .row import Row, Rows
from .row_factory import AsyncTemplateRows, TemplateRows, TemplateSpec
from .row_linter import TemplateLinter
from .template_fields import TemplateField, extract_fields, path_starts_with, unwrap_recipients

_MAX_LABEL_LENGTH = 320
"""Of the 350 characters that Routee allows; the rest is left for the label of a run."""
_PLACEHOLDER_URL = "https://example.com/"


class FlowTemplate:
    """Flow template: a flow with `{column}` placeholders, filled with the values of each row.

    With `"raw": true` beside the endpoint, each row is sent as a `RawFlow`: the columns are filled, recipients as the
    source has them, and nothing else is added, checked or changed. See `raw`.

    A column may be in any text, whole or in part, except in `type` and `order`; `{{` and `}}` are literal braces. A
    text that is a single column, in a place where Routee takes a number or a boolean, is converted: `"ttl": "{ttl}"`
    with 60 in the column gives 60. A value that cannot be converted makes that row alone invalid.
    """

    endpoint: Endpoint
    columns: frozenset[str]
    """The columns that are used."""
    secret_columns: frozenset[str]
    """Those of them that hold a code: used in a `pin` or in the text of an OTP's SMS, or named like one.

    An empty cell there makes its row invalid, and so does an altered code, such as a rounded number.
    """
    has_own_labels: bool
    """Whether it is a failover OTP with labels of its own. Routee's OTP list matches whole labels, and is searched for
    the run's label alone, so that its unknown messages cannot be reconciled."""
    raw: bool
    """Whether its rows are raw flows. They carry no label and no callback URL of the run, so that their unknown
    messages cannot be reconciled. The recipient of a row is the number that all values of `to` are; a row without one
    needs a key, and is invalid in a run with a suppression list."""

    def __init__(
        self, endpoint: Endpoint, flow: Mapping[str, Any], fields: tuple[TemplateField, ...], *, raw: bool = False
    ) -> None:
        self.endpoint = endpoint
        self.raw = raw
        self.columns = frozenset(column for field in fields for column in field.columns)
        required = RequiredColumns.from_fields(fields)
        self.secret_columns = required.secret_columns
        variable_paths = {field.path for field in fields}
        fixed = [
            (path, text)
            for path, text, role in (iter_raw_texts if raw else iter_texts)(endpoint, flow)
            if role is FieldRole.TEXT or role is FieldRole.OTP_TEXT
        ]
        self._linter = TemplateLinter(fields, [item for item in fixed if item[0] not in variable_paths], required)
        self.has_own_labels = not raw and endpoint is Endpoint.OTP and any(step.get("label") for step in flow["flow"])
        self._spec = (RawTemplateSpec if raw else TemplateSpec)(endpoint, flow, fields, required, self._linter)

    @property
    def recipient_columns(self) -> tuple[str, ...]:
        """The columns of phone numbers, that of the first step first."""
        fields = [self._spec.recipient, *(field for field in self._spec.fields if field.role is FieldRole.RECIPIENT)]
        return tuple(
            dict.fromkeys(name for field in fields if isinstance(field, TemplateField) for name in field.columns)
        )

    def __repr__(self) -> str:
        return f"FlowTemplate(endpoint={self.endpoint!s}, columns={sorted(self.columns)})"

    @classmethod
    @scrub_traceback
    def read(cls, path: str | Path) -> Self:
        """Read a template from a JSON file, or from a TOML file if its name ends in `.toml`.

        Raises `InvalidSource` for a file that is neither, and `InvalidFlow` with every problem of the flow in it.
        """
        name = printable_path(Path(path))
        read = read_toml if Path(path).suffix.lower() == ".toml" else read_json_object
        return cls._from_mapping(read(str(path), name), name)

    @classmethod
    @scrub_traceback
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Self:
        """Return the template of a mapping in the API's format, with its `endpoint` beside the flow.

        Raises `InvalidFlow` with every problem that does not depend on a row.
        """
        return cls._from_mapping(mapping, "the template")

    @classmethod
    def _from_mapping(cls, mapping: Mapping[str, Any], name: str) -> Self:
        if (reason := size_violation(mapping)) is not None:
            raise InvalidFlow(name, [Problem((), reason)])
        flow = dict(mapping)
        endpoint_name = flow.pop("endpoint", None)
        if endpoint_name not in [*Endpoint]:
            reason = f"must be {ENDPOINT_NAMES}" if endpoint_name is not None else f"required: {ENDPOINT_NAMES}"
            raise InvalidFlow(name, [Problem(("endpoint",), reason)])
        endpoint = Endpoint(cast("str", endpoint_name))
        raw = pop_raw(flow, name)
        texts_of = functools.partial(iter_raw_texts if raw else iter_texts, endpoint)
        try:
            flow, fields, problems = extract_fields(flow if raw else unwrap_recipients(endpoint, flow), texts_of)
            problems += raw_problems(endpoint, flow) if raw else _fixed_problems(endpoint, flow, fields)
        except RecursionError:
            raise InvalidFlow(name, [Problem((), "is nested too deeply")]) from None
        if problems:
            raise InvalidFlow(f"{name} ({endpoint})", problems)
        return cls(endpoint, flow, tuple(fields), raw=raw)

    def check_columns(self, columns: Iterable[str]) -> None:
        """Raise `InvalidSource` that names the columns which the template uses and the source lacks."""
        available = list(map(normalize_column_name, columns))
        missing = sorted(self.columns.difference(available))
        if not missing:
            return
        guesses = [(column, _closest_column(column, available)) for column in missing]
        names = ", ".join(
            f"{column} (did you mean {masked_column_name(guess)}?)" if guess else column for column, guess in guesses
        )
        shown = list(map(masked_column_name, available[:20]))
        listed = ", ".join(shown) + (", ..." if len(available) > 20 else "")
        if shown != available[:20]:
            listed += "; does its first line name the columns?"
        columns_word = "column" if len(missing) == 1 else "columns"
        raise InvalidSource(
            f"the template uses the {columns_word} {names}; the source has {listed or 'none'}; nothing was sent"
        )

    def unfilled_placeholders(self, columns: Iterable[str]) -> list[str]:
        """Return the placeholders in the template's own texts that no row of a source with these columns fills.

        They are those of other tools, such as `{name}` written as `{{name}}`, and column names in other marks.
        """
        return [warning.subject for warning in self._linter.unfilled_placeholders([*columns])]

    @overload
    def rows(
        self, recipients: AsyncIterable[Mapping[str, object]], *, key: str | None = ..., region: str | None = ...
    ) -> AsyncIterable[Row]: ...
    @overload
    def rows(
        self, recipients: Source | Iterable[Mapping[str, object]], *, key: str | None = ..., region: str | None = ...
    ) -> Iterable[Row]: ...
    def rows(self, recipients: Recipients, *, key: str | None = None, region: str | None = None) -> Rows:
        """Return the rows of a source, or of an iterable or async iterable of mappings, for this template.

        `key` is the column with the idempotency key of each row; by default it is the recipient of the first step, so
        that each recipient gets one message. `region` (such as `GR`) is the country of numbers that are written without
        one. The rows are re-iterable if the recipients are. Problems of one row are in that row's `problems`; raises
        `InvalidSource` for problems of all rows.
        """
        key = None if key is None else normalize_column_name(key)
        spec = self._spec.with_key(key, region)
        used = self.columns if key is None else self.columns | {key}
        if isinstance(recipients, AsyncIterable):
            async_rows = AsyncTemplateRows(AsyncMappingSource(recipients, used), spec)
            return aiter(async_rows) if isinstance(recipients, AsyncIterator) else async_rows
        source = recipients if isinstance(recipients, Source) else MappingSource(recipients)
        if source.columns is not None:
            self.check_columns(source.columns)
            if key is not None and key not in map(normalize_column_name, source.columns):
                guess = _closest_column(key, source.columns)
                hint = f"; did you mean {masked_column_name(guess)}?" if guess else ""
                raise InvalidSource(f"{source.name} has no key column {key}{hint}; nothing was sent")
            spec = spec.for_columns([*map(normalize_column_name, source.columns)])
        rows = TemplateRows(select_columns(source, used), spec)
        return iter(rows) if isinstance(recipients, Iterator) else rows


def _closest_column(column: str, available: Iterable[str]) -> str | None:
    """Return the column that was probably meant: case and blanks are the most frequent mistakes."""
    normalized = {name.lower().replace(" ", "_"): name for name in available}
    found = difflib.get_close_matches(column.lower().replace(" ", "_"), normalized, n=1)
    return normalized[found[0]] if found else None


def _fixed_problems(endpoint: Endpoint, flow: Mapping[str, Any], fields: list[TemplateField]) -> list[Problem]:
    """Return the problems of a flow that no row can resolve."""
    callback = flow.get("callback")
    if isinstance(callback, Mapping) and cast("Mapping[str, Any]", callback).get("url") is None:
        flow = {**flow, "callback": {**callback, "url": _PLACEHOLDER_URL}}  # filled by the run
    problems = [] if endpoint is Endpoint.OTP else _label_problems(endpoint, flow)
    try:
        load_flow(endpoint, flow)
    except InvalidFlow as error:
        # A row supplies texts only: it cannot replace a step, or all of them.
        variable_paths = [field.path for field in fields if len(field.path) > 2 or field.path[:1] != ("flow",)]
        problems += [
            Problem(problem.path, problem.reason.replace('extra="keep" sends such keys', '"raw": true sends all keys'))
            for problem in error.problems
            if not _is_within(problem.path, variable_paths)
        ]
    return problems


def _label_problems(endpoint: Endpoint, flow: Mapping[str, Any]) -> list[Problem]:
    reason = f"must have at most {_MAX_LABEL_LENGTH} characters, to leave space for the run's own label"
    texts = iter_texts(endpoint, flow)
    return [Problem(path, reason) for path, text, _ in texts if path[-1] == "label" and len(text) > _MAX_LABEL_LENGTH]


def _is_within(path: FieldPath, variable_paths: list[FieldPath]) -> bool:
    return any(path_starts_with(path, variable_path) for variable_path in variable_paths)
