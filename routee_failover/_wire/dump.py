"""Dump a flow to the JSON that Routee documents for its endpoint."""

import json
from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum
from typing import Any, cast, get_args

from ..flows import AnyFlow, RawFlow
from ..flows.durations import DurationRange
from ..flows.extensible import ExtensibleModel
from ..secret import Secret, SecretBytes, SecretMapping
from .fields import ApiField, api_fields, unwrap_annotated
from .json_codec import encode

Dumper = Callable[..., Any]


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
        return str
    if isinstance(cls, type) and issubclass(cls, ExtensibleModel):
        return _dumpers[cls]
    item_type = get_args(cls)[0] if get_args(cls) else None
    if item_type is str:
        return list
    return _dump_steps if field.api_name == "flow" else _dump_verbs if item_type is not None else None


def _dump_steps(steps: tuple[Any, ...]) -> list[dict[str, Any]]:
    """Dump steps, each with its position as `order`."""
    return [_dumpers[type(step)](step, order) for order, step in enumerate(steps, start=1)]


def _dump_verbs(verbs: tuple[Any, ...]) -> list[dict[str, Any]]:
    return [_dumpers[type(verb)](verb) for verb in verbs]


def _generate_dumper(cls: type[ExtensibleModel]) -> Dumper:
    """Return the dump function of a model class: Routee's names, defaults omitted, flattened fields last.

    Its source is generated, as that of the constructors is. cattrs generates such a function too, but for fields alone:
    `type`, `order` and flattened fields would have to be added to its result, which costs as much again.
    """
    # 1. The keys that are no fields.
    items: list[str] = []
    if "type" in cls.implicit_keys:
        items.append(f"'type': {cast('Any', cls).api_type!r}")
    if "order" in cls.implicit_keys:
        items.append("'order': order")
    # 2. One item for each required field, one statement for each other one.
    namespace: dict[str, Any] = {}
    omittable: list[str] = []
    flattened: list[str] = []
    for field in api_fields(cls):
        dump_value, default = f"dump_{field.name}", f"default_{field.name}"
        namespace[dump_value], namespace[default] = _value_dumper(field), field.default
        attribute = f"attributes[{field.name!r}]"
        value = attribute if namespace[dump_value] is None else f"{dump_value}({attribute})"
        if field.flattened:
            flattened.append(f"if {attribute} is not {default}: item.update({value})")
        elif field.required:
            items.append(f"{field.api_name!r}: {value}")
        else:
            differs = "is not" if field.default is None else "!="
            omittable.append(f"if {attribute} {differs} {default}: item[{field.api_name!r}] = {value}")
    # 3. The source, which is compiled and executed.
    source = [
        "def dump(model, order=None):",
        "    attributes = model.__dict__",
        f"    item = {{{', '.join(items)}}}",
        *(f"    {statement}" for statement in (*omittable, *flattened)),
        "    return item",
    ]
    exec(compile("\n".join(source), f"<dump function of {cls.__qualname__}>", "exec"), namespace)  # noqa: S102  # made of field names alone
    dump: Dumper = namespace["dump"]
    return dump


class _DumpersByClass(dict[type, Dumper]):
    """The dump function of each class, generated on first use."""

    def __missing__(self, cls: type[ExtensibleModel]) -> Dumper:
        dumper = self[cls] = _generate_dumper(cls)
        return dumper


def _dump_raw(flow: RawFlow, _order: int | None = None) -> dict[str, Any]:
    mapping: dict[str, Any] = json.loads(flow.json.reveal())
    return mapping


_dumpers = _DumpersByClass({RawFlow: _dump_raw})


def dump_flow(flow: AnyFlow) -> dict[str, Any]:
    """Return the mapping that would be sent for a flow, under Routee's names. It shows the PIN: keep it out of logs.

    `load_flow(flow.endpoint, dump_flow(flow), extra="keep")` returns an equal flow; only texts, true and false
    in the `extra` of a `ViberOtpStep` are loaded as its `template_fields`, which are the same in JSON. A raw flow is
    equal to `RawFlow(flow.endpoint, dump_flow(flow))`.
    """
    mapping: dict[str, Any] = _dumpers[type(flow)](flow)
    return mapping


def encode_flow(flow: AnyFlow) -> SecretBytes:
    """Return the body of the request that sends a flow."""
    if isinstance(flow, RawFlow):
        return SecretBytes(flow.json.reveal().encode())  # not decoded and encoded again: it is sent as it is
    return SecretBytes(encode(_dumpers[type(flow)](flow)))
