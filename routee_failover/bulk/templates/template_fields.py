"""Fields of a template: the texts that differ between rows, with their paths, roles and rendering."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

import attrs

from ...errors import Problem
from ...flows import Endpoint, ViberOtpStep
from ..phone_numbers import to_e164
from .field_roles import FieldPath, FieldRole
from .placeholders import TextTemplate, parse_text

_is_integer = re.compile(r"[+-]?[0-9]{1,30}").fullmatch
_is_decimal = re.compile(r"[+-]?[0-9]{1,30}\.[0-9]{1,30}").fullmatch
_has_column = re.compile(r"\{[^{}]+\}").search


@attrs.frozen
class TemplateField:
    """Field of a template: one text that differs between rows."""

    path: FieldPath
    text: TextTemplate
    role: FieldRole

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns in it."""
        return self.text.columns

    @property
    def is_verbatim(self) -> bool:
        """Whether its text is inserted unchanged."""
        return self.role is not FieldRole.RECIPIENT and not (
            self.text.is_single_column and self.role in {FieldRole.NUMBER, FieldRole.BOOLEAN}
        )

    def render(self, values: Mapping[str, str], region: str | None) -> Any:
        """Return the value for a row; a text of the wrong type stays a text, which the flow's validation rejects.

        Raises `KeyError` for a missing column, and `InvalidPhoneNumber` for an invalid recipient.
        """
        text = self.text.render(values)
        if self.role is FieldRole.RECIPIENT:
            return to_e164(text, region)
        if not self.text.is_single_column:
            return text
        return (
            parse_json_number(text)
            if self.role is FieldRole.NUMBER
            else parse_json_bool(text)
            if self.role is FieldRole.BOOLEAN
            else text
        )


def parse_json_number(text: str) -> Any:
    """Return the number that a text contains, or the text."""
    stripped = text.strip()
    return int(stripped) if _is_integer(stripped) else float(stripped) if _is_decimal(stripped) else text


def parse_json_bool(text: str) -> Any:
    """Return the boolean that a text contains, in any letter case, or the text."""
    return {"true": True, "false": False}.get(text.strip().lower(), text)


def unwrap_recipients(endpoint: Endpoint, flow: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of a flow in which each Viber recipient that is a list of one number has one path."""
    copied = cast("dict[str, Any]", deep_copy(flow))
    for step in copied["flow"] if endpoint is Endpoint.OTP and isinstance(copied.get("flow"), list) else ():
        _unwrap_recipient(step)
    return copied


def extract_fields(
    mapping: Mapping[str, Any], texts_of: Callable[[Mapping[str, Any]], Iterable[tuple[FieldPath, str, FieldRole]]]
) -> tuple[dict[str, Any], list[TemplateField], list[Problem]]:
    """Return a copy of a flow with single braces, its variable fields, and the problems of its braces.

    `texts_of` returns every text of a flow with its path and role.
    """
    flow = cast("dict[str, Any]", deep_copy(mapping))
    fields: list[TemplateField] = []
    problems = [Problem(path, "is a key, which cannot contain a column") for path in _keys_with_columns(flow, ())]
    for path, text, role in [*texts_of(flow)]:
        try:
            template = parse_text(text)
        except ValueError as error:
            problems.append(Problem(path, str(error)))
            continue
        if isinstance(template, str):
            set_at(flow, path, template)
        elif role is FieldRole.FIXED:
            problems.append(Problem(path, "must be the same for every row"))
        else:
            fields.append(TemplateField(path, template, role))
    return flow, fields, problems


def _unwrap_recipient(step: Any) -> None:
    """Unwrap a Viber recipient that is a list of one number, as in Routee's guide, so that it has one path."""
    if isinstance(step, dict) and step.get("type") == ViberOtpStep.api_type:
        to = cast("dict[str, Any]", step).get("to")
        if isinstance(to, list) and len(to) == 1:
            step["to"] = to[0]


def deep_copy(value: Any) -> Any:
    """Return a copy of nested objects and lists."""
    if isinstance(value, Mapping):
        return {key: deep_copy(item) for key, item in cast("Mapping[str, Any]", value).items()}
    return [deep_copy(item) for item in cast("list[Any]", value)] if isinstance(value, list | tuple) else value


def set_at(flow: Any, path: FieldPath, value: Any) -> None:
    """Set the value at a path."""
    for part in path[:-1]:
        flow = flow[part]
    flow[path[-1]] = value


def path_starts_with(path: FieldPath, prefix: FieldPath) -> bool:
    """Return whether a path equals the path `prefix`, or leads to a part of it."""
    return path[: len(prefix)] == prefix


def _keys_with_columns(value: Any, path: FieldPath) -> list[FieldPath]:
    if isinstance(value, list):
        return [found for index, item in enumerate(value) for found in _keys_with_columns(item, (*path, index))]
    if not isinstance(value, dict):
        return []
    items = cast("dict[str, Any]", value).items()
    here = [(*path, key) for key, _ in items if isinstance(key, str) and _has_column(key)]
    return here + [found for key, item in items for found in _keys_with_columns(item, (*path, key))]
