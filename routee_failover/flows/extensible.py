"""Base class of everything that accepts `extra`: undocumented keys that Routee may accept are sent unchanged."""

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import attrs

from .._value_object import ValueObject
from ..errors import Problem
from .model_validation import ValidationResult, api_name, validator
from .validators import EMPTY_MAPPING, JsonMapping, as_secret_mapping

FLATTENED: Mapping[str, bool] = MappingProxyType({"flattened": True})
"""Metadata of a field whose items are merged into the JSON object itself; the field has no key of its own."""


def is_flattened(field: "attrs.Attribute[Any]") -> bool:
    """Return whether a field's items are merged into the JSON object itself."""
    return bool(field.metadata.get("flattened"))


ALREADY_A_FIELD = "is a field of its own here; only keys that are not fields can be added"


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class ExtensibleModel(ValueObject):
    """A part of a flow with `extra`: a mapping that is merged into its JSON unchanged.

    A key that would overwrite a modelled field is invalid, and so is one that Routee documents as an error here. A
    `TransactionalFlow` takes no `extra` at all.
    """

    extra: JsonMapping = attrs.field(default=EMPTY_MAPPING, converter=as_secret_mapping, repr=False, metadata=FLATTENED)

    forbidden_keys: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """API names that Routee documents as an error here, each with the reason to report."""
    implicit_keys: ClassVar[frozenset[str]] = frozenset()
    """API names that are written without being a field: `type` and `order` of a step."""
    closed_reason: ClassVar[str | None] = None
    """Why no key besides the fields is valid here, if Routee documents that."""

    @classmethod
    @functools.cache
    def field_keys(cls) -> frozenset[str]:
        """Return the API names that this class writes itself."""
        return cls.implicit_keys | {api_name(field) for field in attrs.fields(cls) if not is_flattened(field)}

    @validator(when_given="extra")
    def _extra_overwrites_no_field(self) -> ValidationResult:
        problems: list[Problem] = []
        for key in self.extra:
            if key in self.forbidden_keys:
                problems.append(Problem(("extra", key), self.forbidden_keys[key]))
            elif key in self.field_keys():
                problems.append(Problem(("extra", key), ALREADY_A_FIELD))
            elif self.closed_reason is not None:
                problems.append(Problem(("extra", key), self.closed_reason))
        return problems or None


class Step(ExtensibleModel):
    """One step of a flow: a channel, tried when the steps before it failed. Its `order` is its position in `steps`."""

    api_type: ClassVar[str]
    """Routee's `type` of the step."""
    implicit_keys: ClassVar[frozenset[str]] = frozenset({"type", "order"})
