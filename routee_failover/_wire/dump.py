"""The way out: a flow becomes the JSON that Routee documents for its endpoint."""

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
from .json import encode

Dumper = Callable[[Any], Any]


def _dump_value(field: ApiField) -> Dumper | None:
    """How a field's value is written, where it is not written as it is."""
    cls = unwrap_annotated(field.annotation)
    if cls is timedelta:
        span: DurationRange = field.annotation.__metadata__[0]
        return span.unit.to_number
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
    """The steps, each with its type and with its position as `order`."""
    items: list[dict[str, Any]] = []
    for order, step in enumerate(steps, start=1):
        item = _dump_of(type(step))(step)
        item["type"], item["order"] = step.api_type, order
        items.append(item)
    return items


def _dump_verbs(verbs: tuple[Any, ...]) -> list[dict[str, Any]]:
    return [{"type": verb.api_type, **_dump_of(type(verb))(verb)} for verb in verbs]


# cattrs caches the hook of a class too, but looks it up in more steps.
_dump_of: Callable[[type], Dumper] = functools.cache(strict_converter.get_unstructure_hook)


def _make_dump(cls: type[ExtensibleModel]) -> Dumper:
    """The writer of one model class: Routee's names, defaults left out, merged fields last."""
    fields = api_fields(cls)
    overrides: dict[str, Any] = {
        field.name: override(omit=True)
        if field.flattened
        else override(rename=field.api_name, omit_if_default=True, unstruct_hook=_dump_value(field))
        for field in fields
    }
    write = make_dict_unstructure_fn(cls, strict_converter, **overrides)
    others = [field.name for field in fields if field.flattened and field.name != "extra"]

    def dump(instance: Any) -> dict[str, Any]:
        item = write(instance)
        if instance.extra is not EMPTY_MAPPING:
            item.update(instance.extra.reveal())
        for name in others:
            item.update(getattr(instance, name).reveal())
        return item

    return dump


strict_converter.register_unstructure_hook_factory(
    lambda cls: isinstance(cls, type) and issubclass(cls, ExtensibleModel), _make_dump
)


def dump_flow(flow: AnyFlow) -> dict[str, Any]:
    """The mapping that would be sent for a flow, in Routee's names. It shows the PIN: keep it out of logs.

    `load_flow(flow.endpoint, dump_flow(flow), extra="keep")` gives an equal flow; only texts in the `extra` of a
    `ViberOtpStep` come back as its `template_fields`, which say the same on the wire.
    """
    mapping: dict[str, Any] = _dump_of(type(flow))(flow)
    return mapping


def encode_flow(flow: AnyFlow) -> SecretBytes:
    """The body of the request that sends a flow."""
    return SecretBytes(encode(_dump_of(type(flow))(flow)))
