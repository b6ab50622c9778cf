"""The short way from a row to its flow: what is the same in every row is built once, and only the rest anew.

The long way, by the JSON, makes the first flow, which is the pattern of this one, and says what is wrong with a row.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any, cast

import attrs

from ..._wire.fields import ApiField, api_fields, unwrap_annotated
from ...flows import (
    AnyFlow,
    Callback,
    OtpSmsStep,
    SmsMessage,
    SmsStep,
    ViberOtpMessage,
    ViberOtpStep,
    ViberStep,
)
from ...flows.durations import DurationRange
from ...flows.extensible import ExtensibleModel
from ...secret import SecretMapping
from ..phone_numbers import to_e164
from .correlation import join_labels
from .field_roles import FieldPath, FieldRole
from .row import Correlation
from .template_fields import TemplateField

Builder = Callable[[Mapping[str, str], Correlation], Any]
"""Gives a part of a row's flow."""
_Fields = list[tuple[FieldPath, TemplateField]]
"""Texts that differ, each with its path from the part that is looked at."""


class CannotCompile(Exception):  # the long way is taken instead
    """A template has a text in a place that only the long way knows, or a row a value that is refused there."""


def compile_flow(
    flow: AnyFlow, fields: Iterable[TemplateField], mapping: Mapping[str, Any], region: str | None
) -> Builder:
    """What makes flows like this one, of rows; raises `CannotCompile` where that cannot be.

    The flow is one that the long way made, without a stamp, of the template's `mapping`. What is made raises
    `CannotCompile`, `KeyError` or `InvalidFlow` for a row that the long way has to look at.
    """
    return _Compiler(mapping, region).flow(flow, [(leaf.path, leaf) for leaf in fields])


class _Compiler:
    def __init__(self, mapping: Mapping[str, Any], region: str | None) -> None:
        self._mapping = mapping
        self._region = region

    def flow(self, flow: AnyFlow, leaves: _Fields) -> Builder:
        if isinstance(flow, ViberOtpMessage):
            return self._part(flow, leaves, {}, room=False)
        parts = {"steps": self._steps(flow.steps, [(path[1:], leaf) for path, leaf in leaves if path[0] == "flow"])}
        if flow.callback is None:
            parts["callback"] = _callback(self._mapping.get("callback"))
        return self._part(flow, [item for item in leaves if item[0][0] != "flow"], parts, room=False)

    def _steps(self, steps: tuple[Any, ...], leaves: _Fields) -> Builder:
        given: list[Any] = [step.get("order", 0) for step in self._mapping["flow"]]
        made: list[Builder] = []
        for index, step in zip(sorted(range(len(given)), key=given.__getitem__), steps, strict=True):
            own = [(path[1:], leaf) for path, leaf in leaves if path[0] == index]
            parts = {}
            if isinstance(step, SmsStep):
                inside = [(path[1:], leaf) for path, leaf in own if path[0] == "message"]
                own = [item for item in own if item[0][0] != "message"]
                parts["message"] = self._part(step.message, inside, {}, room=True)
            made.append(self._part(step, own, parts, room=isinstance(step, ViberStep | ViberOtpStep | OtpSmsStep)))
        return lambda values, stamp: [make(values, stamp) for make in made]

    def _part(self, like: ExtensibleModel, leaves: _Fields, parts: dict[str, Builder], *, room: bool) -> Builder:
        """What makes an object like this one; with `room` it is one that takes a label."""
        fields = {field.api_name: field for field in api_fields(type(like)) if not field.flattened}
        texts: _Fields = []
        for key in dict.fromkeys(path[0] for path, _ in leaves):
            group = [(path[1:], leaf) for path, leaf in leaves if path[0] == key]
            field = fields.get(str(key))
            if field is None:
                texts += [((key, *path), leaf) for path, leaf in group]
            else:
                parts[field.name] = self._field(field, getattr(like, field.name), group)
        if texts:  # of all parts, this one alone takes keys that it has no field for
            parts["template_fields"] = self._mapping_part(cast("ViberOtpStep", like).template_fields, texts)
        if room:
            own = cast("SmsMessage", like).label
            parts["label"] = _label(parts.get("label", lambda _values, _stamp: own))
        return _constructed(like, parts)

    def _field(self, field: ApiField, like: Any, leaves: _Fields) -> Builder:
        path, leaf = leaves[0]
        if not path:
            return self._value(leaf, field)
        if isinstance(like, SecretMapping):
            return self._mapping_part(like, leaves)
        if isinstance(like, ExtensibleModel):
            return self._part(like, leaves, {}, room=False)
        if isinstance(like, tuple) and all(isinstance(item, ExtensibleModel) for item in like):
            groups = [[(path[1:], leaf) for path, leaf in leaves if path[0] == index] for index in range(len(like))]
            made = [self._part(item, group, {}, room=False) for item, group in zip(like, groups, strict=True)]
            return lambda values, stamp: [make(values, stamp) for make in made]
        raise CannotCompile

    def _mapping_part(self, like: SecretMapping, leaves: _Fields) -> Builder:
        if any(len(path) != 1 for path, _ in leaves):
            raise CannotCompile
        same = like.reveal()
        made = [(cast("str", path[0]), self._value(leaf)) for path, leaf in leaves]
        return lambda values, stamp: SecretMapping.wrap(same | {key: make(values, stamp) for key, make in made})

    def _value(self, leaf: TemplateField, field: ApiField | None = None) -> Builder:
        region = self._region
        if field is not None and unwrap_annotated(field.annotation) is timedelta:
            span: DurationRange = field.annotation.__metadata__[0]
            return lambda values, _stamp: _duration(span, leaf.render(values, region))
        fill = leaf.text.render
        if leaf.role is FieldRole.RECIPIENT:
            return lambda values, _stamp: to_e164(fill(values), region)
        if leaf.is_verbatim:
            return lambda values, _stamp: fill(values)
        return lambda values, _stamp: leaf.render(values, region)


def _duration(span: DurationRange, number: object) -> timedelta:
    value = span.unit.from_number(number)
    if isinstance(value, str):
        raise CannotCompile
    return value


def _constructed(like: ExtensibleModel, parts: dict[str, Builder]) -> Builder:
    if not parts:
        return lambda _values, _stamp: like
    cls = type(like)
    same: dict[str, Any] = {
        field.name: getattr(like, field.name)
        for field in attrs.fields(cast("type[attrs.AttrsInstance]", cls))
        if field.name not in parts and getattr(like, field.name) is not field.default
    }
    made = [*parts.items()]

    def make(values: Mapping[str, str], stamp: Correlation) -> Any:
        given = same.copy()
        for name, part in made:
            given[name] = part(values, stamp)
        return cls(**given)

    return make


def _label(own: Builder) -> Builder:
    def make(values: Mapping[str, str], stamp: Correlation) -> str | None:
        label: str | None = own(values, stamp)
        return label if stamp.label is None else join_labels(label, stamp.label)

    return make


def _callback(mapping: object) -> Builder:
    """The run's callback, with the strategy that the template may have for it."""
    strategy = cast("Mapping[str, Any]", mapping).get("strategy") if isinstance(mapping, Mapping) else None

    def make(_values: Mapping[str, str], stamp: Correlation) -> Callback | None:
        return None if stamp.callback_url is None else Callback(url=stamp.callback_url, strategy=strategy)

    return make
