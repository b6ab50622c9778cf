"""Serialization of values as JSON text: attrs classes by their fields, datetimes in ISO 8601, request bodies as is."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

import cattrs

T = TypeVar("T")

_BODY = Mapping[str, Any]


def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(detailed_validation=False)
    converter.register_unstructure_hook(datetime, datetime.isoformat)
    converter.register_structure_hook(datetime, lambda text, _: datetime.fromisoformat(text))
    # JSON already, and possibly large: not converted element by element.
    converter.register_unstructure_hook_func(lambda kind: kind == _BODY, lambda body: body)
    converter.register_structure_hook_func(lambda kind: kind == _BODY, lambda body, _: body)
    return converter


_CONVERTER = _converter()


def serialize(value: Any) -> str:
    """Return a value as JSON text."""
    return json.dumps(_CONVERTER.unstructure(value))


def deserialize(text: str, type_: type[T]) -> T:
    """Return the value in a JSON text. Raises `ValueError` when the text holds no value of that type."""
    try:
        return _CONVERTER.structure(json.loads(text), type_)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise ValueError(f"not a {type_.__name__}") from error
