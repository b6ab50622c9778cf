"""Values as JSON text and back: attrs classes by their fields, moments in ISO 8601, bodies as they came."""

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
    # JSON already, and as large as anything here: it is not walked through.
    converter.register_unstructure_hook_func(lambda kind: kind == _BODY, lambda body: body)
    converter.register_structure_hook_func(lambda kind: kind == _BODY, lambda body, _: body)
    return converter


_CONVERTER = _converter()


def serialize(value: Any) -> str:
    """The text of a value."""
    return json.dumps(_CONVERTER.unstructure(value))


def deserialize(text: str, type_: type[T]) -> T:
    """The value of a text. Raises `ValueError` when it holds none of that type."""
    try:
        return _CONVERTER.structure(json.loads(text), type_)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise ValueError(f"no {type_.__name__}") from error
