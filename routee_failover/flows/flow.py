"""Base of the three multi-step flows: ordered steps of the classes that their endpoint takes."""

from collections.abc import Iterable
from types import MappingProxyType
from typing import Any, ClassVar, cast

from .endpoint import Endpoint
from .extensible import ExtensibleModel, Step
from .model_validation import ValidationResult, Validator, type_name, with_article
from .validators import each_item

FLOWS_BY_STEP: dict[type[Step], list[str]] = {}
"""Each step class with the names of the flow classes that take it; `steps_validator` fills it."""


STEPS_METADATA = MappingProxyType({"api": "flow"})
"""Routee's name of a flow's steps."""


class Flow(ExtensibleModel):
    """Ordered steps for one recipient; each is tried when the one before it failed."""

    endpoint: ClassVar[Endpoint]


def steps_validator(flow_name: str, *classes: type[Step]) -> Validator:
    """Return the validator of a flow's steps: at least one, each of a class that belongs to the flow."""
    for cls in classes:
        FLOWS_BY_STEP.setdefault(cls, []).append(flow_name)
    return each_item(_step_validator(flow_name, classes), min_length=1, item_name="step")


def _step_validator(flow_name: str, classes: tuple[type[Step], ...]) -> Validator:
    class_names = " and ".join([", ".join(cls.__name__ for cls in classes[:-1]), classes[-1].__name__])

    def validate(value: Any) -> ValidationResult:
        if isinstance(value, classes):
            return None
        owners = FLOWS_BY_STEP.get(cast("type[Step]", type(value)))
        if owners is None:
            return f"must be one of {class_names}, not {type_name(value)}"
        return f"{type(value).__name__} belongs to {join_flow_names(owners)}; {flow_name} takes {class_names}"

    return validate


def join_flow_names(flow_names: Iterable[str]) -> str:
    """Return the names of flows as part of a sentence: "an OtpFlow or a StandardFlow"."""
    return " or ".join(map(with_article, flow_names))
