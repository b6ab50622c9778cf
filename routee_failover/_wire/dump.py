"""Dump a flow to the JSON that Routee documents for its endpoint."""

import functools
from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum
from operator import attrgetter
from typing import Any, get_args

from cattrs.gen import make_dict_unstructure_fn, override

from ..flows import AnyFlow
from ..flows.durations import DurationRange
from ..flows.extensible import ExtensibleModel
from ..flows.validators import EMPTY_MAPPING
from ..secret import Secret, SecretBytes, SecretMapping
from .fields import ApiField, api_fields, strict_converter, unwrap_annotated
from .json_codec import encode

Dumper = Callable[[Any], Any]


def _value_dumper(field: ApiField) -> Dumper | None:
    """Return the function that dumps a field's value, or `None` if the value is dumped unchanged."""
    cls = unwrap_annotated(field.annotation)
    if cls is timedelta:
        duration_range: DurationRange = field.annotation.__metadata__[0]
        return duration_range.unit.to_number
    if cls is Secret:
        return Secret.reveal
    if cls is SecretMapping:
        return SecretMapping.reveal
    if isinstance(cls, type) and issubclass(cls, StrEnum):
        return attrgetter("value")
    if isinstance(cls, type) and issubclass(cls, ExtensibleModel):
        return strict_converter.get_unstructure_hook(cls)
    item_type = get_args(cls)[0] if get_args(cls) else None
    if item_type is str:
        return list
    return _dump_steps if field.api_name == "flow" else _dump_verbs if item_type is not None else None


def _dump_steps(steps: tuple[Any, ...]) -> list[dict[str, Any]]:
    """Dump steps, each with its type and with its position as `order`."""
    items: list[dict[str, Any]] = []
    for order, step in enumerate(steps, start=1):
        item = _dumper_for(type(step))(step)
        item["type"], item["order"] = step.api_type, order
        items.append(item)
    return items


def _dump_verbs(verbs: tuple[Any, ...]) -> list[dict[str, Any]]:
    return [{"type": verb.api_type, **_dumper_for(type(verb))(verb)} for verb in verbs]


# cattrs caches the hook of a class as well, but its lookup takes more steps.
_dumper_for: Callable[[type], Dumper] = functools.cache(strict_converter.get_unstructure_hook)


def _make_dumper(cls: type[ExtensibleModel]) -> Dumper:
    """Return the dump function of a model class: Routee's names, defaults omitted, flattened fields last."""
    fields = api_fields(cls)
    overrides: dict[str, Any] = {
        field.name: override(omit=True)
        if field.flattened
        else override(rename=field.api_name, omit_if_default=True, unstruct_hook=_value_dumper(field))
        for field in fields
    }
    unstructure = make_dict_unstructure_fn(cls, strict_converter, **overrides)
    flattened_names = [field.name for field in fields if field.flattened and field.name != "extra"]

    def dump(instance: Any) -> dict[str, Any]:
        item = unstructure(instance)
        if instance.extra is not EMPTY_MAPPING:
            item.update(instance.extra.reveal())
        for name in flattened_names:
            item.update(getattr(instance, name).reveal())
        return item

    return dump


strict_converter.register_unstructure_hook_factory(
    lambda cls: isinstance(cls, type) and issubclass(cls, ExtensibleModel), _make_dumper
)


def dump_flow(flow: AnyFlow) -> dict[str, Any]:
    """Return the mapping that would be sent for a flow, under Routee's names. It shows the PIN: keep it out of logs.

    `load_flow(flow.endpoint, dump_flow(flow), extra="keep")` returns an equal flow; only texts in the `extra` of a
    `ViberOtpStep` are loaded as its `template_fields`, which are the same in JSON.
    """
    mapping: dict[str, Any] = _dumper_for(type(flow))(flow)
    return mapping


def encode_flow(flow: AnyFlow) -> SecretBytes:
    """Return the body of the request that sends a flow."""
    return SecretBytes(encode(_dumper_for(type(flow))(flow)))
