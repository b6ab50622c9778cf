"""The door that stays open: keys that Routee may accept and nobody documents go through as they are."""

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import attrs

from .._value_object import ValueObject
from ..errors import Problem
from .model import ValidationResult, api_name, validator
from .validators import EMPTY_MAPPING, JsonMapping, as_secret_mapping

FLATTENED: Mapping[str, bool] = MappingProxyType({"flattened": True})
"""Marks a field whose items become keys of the part itself, under no name of its own."""


def is_flattened(field: "attrs.Attribute[Any]") -> bool:
    """Whether a field's items are keys of the part itself."""
    return bool(field.metadata.get("flattened"))


ALREADY_A_FIELD = "is a field of its own here; only what is not modelled can be added"


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class ExtensibleModel(ValueObject):
    """A part of a flow that takes `extra`: a mapping merged into its JSON as it is.

    A key that would overwrite a modelled field is refused, and so is one that Routee documents as an error here.
    """

    extra: JsonMapping = attrs.field(default=EMPTY_MAPPING, converter=as_secret_mapping, repr=False, metadata=FLATTENED)

    forbidden_keys: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """API names that Routee documents as refused here, each with the reason to give."""
    implicit_keys: ClassVar[frozenset[str]] = frozenset()
    """API names that are written without being a field: `type` and `order` of a step."""

    @classmethod
    @functools.cache
    def field_keys(cls) -> frozenset[str]:
        """The API names that this class writes itself."""
        return cls.implicit_keys | {api_name(field) for field in attrs.fields(cls) if not is_flattened(field)}

    @validator(when_given="extra")
    def _extra_only_adds(self) -> ValidationResult:
        problems: list[Problem] = []
        for key in self.extra:
            if key in self.forbidden_keys:
                problems.append(Problem(("extra", key), self.forbidden_keys[key]))
            elif key in self.field_keys():
                problems.append(Problem(("extra", key), ALREADY_A_FIELD))
        return problems or None


class Step(ExtensibleModel):
    """One step of a flow: a channel, tried when the steps before it failed. Its `order` is its position in `steps`."""

    api_type: ClassVar[str]
    """Routee's `type` of the step."""
    implicit_keys: ClassVar[frozenset[str]] = frozenset({"type", "order"})
