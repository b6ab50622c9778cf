"""What the three multi-step flows share: steps of the right kind, at least one, and where to call back."""

from collections.abc import Iterable
from types import MappingProxyType
from typing import Any, ClassVar, cast

from .checks import each
from .endpoint import Endpoint
from .model import Check, Reason, kind
from .open import Open, Step

HOMES: dict[type[Step], list[str]] = {}
"""Each step class with the flow classes that take it; every flow module enters its own."""


FLOW = MappingProxyType({"api": "flow"})
"""Routee's name of a flow's steps."""


class Flow(Open):
    """Ordered steps for one recipient; each is tried when the one before it failed."""

    endpoint: ClassVar[Endpoint]


def steps_of(flow_name: str, *classes: type[Step]) -> Check:
    """The check of a flow's steps: at least one, each of a class that belongs to the flow."""
    for cls in classes:
        HOMES.setdefault(cls, []).append(flow_name)
    return each(_step_of(flow_name, classes), least=1, what="step")


def _step_of(flow_name: str, classes: tuple[type[Step], ...]) -> Check:
    names = " and ".join([", ".join(cls.__name__ for cls in classes[:-1]), classes[-1].__name__])

    def check(value: Any) -> Reason:
        if isinstance(value, classes):
            return None
        homes = HOMES.get(cast("type[Step]", type(value)))
        if homes is None:
            return f"must be one of {names}, not {kind(value)}"
        return f"{type(value).__name__} belongs to {either(homes)}; {flow_name} takes {names}"

    return check


def either(homes: Iterable[str]) -> str:
    """Names of flows in a sentence: "an OtpFlow or a StandardFlow"."""
    return " or ".join(f"a{'n' if home.startswith('O') else ''} {home}" for home in homes)
