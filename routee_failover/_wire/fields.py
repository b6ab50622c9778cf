"""The two cattrs converters, and the fields of a model class under Routee's names.

The strict converter reports an unknown key as a problem; the lenient one keeps it.
"""

import types
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin, get_type_hints

import attrs
from cattrs import Converter

from ..flows.extensible import ExtensibleModel, is_flattened
from ..flows.model_validation import api_name

strict_converter: Converter = Converter(forbid_extra_keys=True)
lenient_converter: Converter = Converter(forbid_extra_keys=False)


class ApiField(NamedTuple):
    """One field: its Python name, Routee's name, its annotation without `None`, and its default, if it has one."""

    name: str
    api_name: str
    annotation: Any
    required: bool
    default: Any
    flattened: bool


def unwrap_optional(annotation: Any) -> Any:
    """Return `X` of `X | None`."""
    if get_origin(annotation) in {Union, types.UnionType}:
        parts = [part for part in get_args(annotation) if part is not type(None)]
        return parts[0] if len(parts) == 1 else annotation
    return annotation


def unwrap_annotated(annotation: Any) -> Any:
    """Return the type inside an `Annotated`."""
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def api_fields(cls: type[ExtensibleModel]) -> list[ApiField]:
    """Return the fields of a model class, in the order of their definition."""
    hints = get_type_hints(cls, include_extras=True)
    return [
        ApiField(
            field.name,
            api_name(field),
            unwrap_optional(hints[field.name]),
            field.default is attrs.NOTHING,
            field.default,
            is_flattened(field),
        )
        for field in attrs.fields(cls)
    ]
