"""The texts of a template that differ from row to row: where each stands, and what a row puts there."""

import re
from collections.abc import Mapping
from typing import Any, cast

import attrs

from ...errors import Problem
from ...flows import Endpoint, ViberOtpStep
from ..phone_numbers import to_e164
from .field_roles import FieldPath, FieldRole, iter_texts
from .placeholders import TextTemplate, parse_text

_WHOLE = re.compile(r"[+-]?[0-9]{1,30}").fullmatch
_DECIMAL = re.compile(r"[+-]?[0-9]{1,30}\.[0-9]{1,30}").fullmatch
_COLUMN_IN_KEY = re.compile(r"\{[^{}]+\}").search


@attrs.frozen
class TemplateField:
    """One text that differs from row to row."""

    path: FieldPath
    text: TextTemplate
    role: FieldRole

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns in it."""
        return self.text.columns

    @property
    def is_verbatim(self) -> bool:
        """Whether its text is put there as it is."""
        return self.role is not FieldRole.RECIPIENT and not (
            self.text.is_single_column and self.role in {FieldRole.NUMBER, FieldRole.BOOLEAN}
        )

    def render(self, values: Mapping[str, str], region: str | None) -> Any:
        """What stands there for a row; a text that is not what its place takes stays a text, for the check to refuse.

        Raises `KeyError` for a column that is missing, and `InvalidPhoneNumber` for a recipient that is none.
        """
        text = self.text.render(values)
        if self.role is FieldRole.RECIPIENT:
            return to_e164(text, region)
        if not self.text.is_single_column:
            return text
        return (
            parse_number(text)
            if self.role is FieldRole.NUMBER
            else parse_bool(text)
            if self.role is FieldRole.BOOLEAN
            else text
        )


def parse_number(text: str) -> Any:
    """The number that a text says, or the text."""
    bare = text.strip()
    return int(bare) if _WHOLE(bare) else float(bare) if _DECIMAL(bare) else text


def parse_bool(text: str) -> Any:
    """True or false as a text says them in any letter case, or the text."""
    return {"true": True, "false": False}.get(text.strip().lower(), text)


def extract_fields(
    endpoint: Endpoint, mapping: Mapping[str, Any]
) -> tuple[dict[str, Any], list[TemplateField], list[Problem]]:
    """A flow of its own, its braces single, with the texts in it that differ, and what is wrong with its braces."""
    flow = cast("dict[str, Any]", deep_copy(mapping))
    for step in flow["flow"] if endpoint is Endpoint.OTP and isinstance(flow.get("flow"), list) else ():
        _unwrap_recipient(step)
    leaves: list[TemplateField] = []
    problems = [Problem(path, "is a key, where no column can stand") for path in _keys_with_columns(flow, ())]
    for path, text, use in [*iter_texts(endpoint, flow)]:
        try:
            words = parse_text(text)
        except ValueError as error:
            problems.append(Problem(path, str(error)))
            continue
        if isinstance(words, str):
            set_at(flow, path, words)
        elif use is FieldRole.FIXED:
            problems.append(Problem(path, "must be the same for every row"))
        else:
            leaves.append(TemplateField(path, words, use))
    return flow, leaves, problems


def _unwrap_recipient(step: Any) -> None:
    """Routee's guide writes a Viber recipient as a list with one number in it, too; a path then says one thing."""
    if isinstance(step, dict) and step.get("type") == ViberOtpStep.api_type:
        to = cast("dict[str, Any]", step).get("to")
        if isinstance(to, list) and len(to) == 1:
            step["to"] = to[0]


def deep_copy(value: Any) -> Any:
    """A copy as deep as its objects and lists."""
    if isinstance(value, Mapping):
        return {key: deep_copy(item) for key, item in cast("Mapping[str, Any]", value).items()}
    return [deep_copy(item) for item in cast("list[Any]", value)] if isinstance(value, list | tuple) else value


def set_at(flow: Any, path: FieldPath, value: Any) -> None:
    """Set what stands at a path."""
    for part in path[:-1]:
        flow = flow[part]
    flow[path[-1]] = value


def path_starts_with(path: FieldPath, prefix: FieldPath) -> bool:
    """Whether a path leads to a place, or into it."""
    return path[: len(prefix)] == prefix


def _keys_with_columns(value: Any, path: FieldPath) -> list[FieldPath]:
    if isinstance(value, list):
        return [found for index, item in enumerate(value) for found in _keys_with_columns(item, (*path, index))]
    if not isinstance(value, dict):
        return []
    items = cast("dict[str, Any]", value).items()
    here = [(*path, key) for key, _ in items if isinstance(key, str) and _COLUMN_IN_KEY(key)]
    return here + [found for key, item in items for found in _keys_with_columns(item, (*path, key))]
