"""Parser of texts with `{column}` placeholders: a name in braces is replaced by a row's value, and nothing else.

There are no attributes, indexes, formats or expressions: a template can only insert values.
"""

import re
from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import NamedTuple

from ..sources.column_names import normalize_column_name

Render = Callable[[Mapping[str, str]], str]
"""Renders the text of a row. Raises `KeyError` for a column that the row lacks."""

_TOKEN = re.compile(r"\[~\{[^{}]*\}\]|\{\{|\}\}|\{([^{}]*)\}|[{}]")


class TextTemplate(NamedTuple):
    """A text with placeholders."""

    columns: tuple[str, ...]
    """The columns in it, in order."""
    is_single_column: bool
    """Whether the whole text is a single column."""
    render: Render
    literals: tuple[str, ...]
    """The text before each column, and after the last."""


def parse_text(text: str) -> str | TextTemplate:
    """Return the template of a text; a text without columns is returned with `{{` and `}}` as single braces.

    Raises `ValueError` with the reason for a brace that names no column.
    """
    literals: list[str] = [""]
    columns: list[str] = []
    end = 0
    for token in _TOKEN.finditer(text):
        literals[-1] += text[end : token.start()]
        end = token.end()
        if token[0].startswith("["):  # [~{label}] is Routee's own, and filled by Routee
            literals[-1] += token[0]
        elif token[0] in {"{{", "}}"}:
            literals[-1] += token[0][0]
        elif token[1] is None or not (column := normalize_column_name(token[1])):
            raise ValueError(f"has a {token[0]} that names no column; a brace itself is written twice")
        else:
            columns.append(column)
            literals.append("")
    literals[-1] += text[end:]
    if not columns:
        return literals[0]
    pattern = "%s".join(map(_escape_percent, literals))
    return TextTemplate(tuple(columns), pattern == "%s", _renderer(pattern, columns), tuple(literals))


def _escape_percent(literal: str) -> str:
    return literal.replace("%", "%%")


def _renderer(pattern: str, columns: list[str]) -> Render:
    """Return the render function. `%s` with strings alone only inserts them, in one step of C."""
    get: Callable[[Mapping[str, str]], object] = itemgetter(*columns)
    if pattern == "%s":
        return itemgetter(columns[0])
    return lambda values: pattern % get(values)
