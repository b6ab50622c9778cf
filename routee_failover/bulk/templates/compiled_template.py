"""Compiled templates: a fast path from a row to its flow, which builds only the parts that differ between rows.

The slow path, through the JSON, makes the first flow, which is the model for all others, and explains what is wrong
with a row.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any, cast

import attrs

from ..._wire.fields import ApiField, api_fields, unwrap_annotated
from ..._wire.step_order import step_sequence
from ...flows import (
    Callback,
    OtpSmsStep,
    SmsMessage,
    SmsStep,
    ValidatedFlow,
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
"""Builds a part of a row's flow."""
_Fields = list[tuple[FieldPath, TemplateField]]
"""Fields that differ between rows, each with its path from the current part."""


class CannotCompile(Exception):  # the slow path is used instead
    """A template has a field, or a row has a value, that only the slow path handles."""


def compile_flow(
    flow: ValidatedFlow, fields: Iterable[TemplateField], mapping: Mapping[str, Any], region: str | None
) -> Builder:
    """Return a builder of flows like this one; raise `CannotCompile` if that is not possible.

    `flow` was built by the slow path, without correlation, from the template's `mapping`. The builder raises
    `CannotCompile`, `KeyError` or `InvalidFlow` for a row that the slow path has to handle.
    """
    return _Compiler(mapping, region).flow(flow, [(field.path, field) for field in fields])


class _Compiler:
    def __init__(self, mapping: Mapping[str, Any], region: str | None) -> None:
        self._mapping = mapping
        self._region = region

    def flow(self, flow: ValidatedFlow, fields: _Fields) -> Builder:
        if isinstance(flow, ViberOtpMessage):
            return self._part(flow, fields, {}, takes_label=False)
        parts = {
            "steps": self._steps(
                flow.steps,
                [(path[1:], field) for path, field in fields if path[0] == "flow"],
            )
        }
        if flow.callback is None:
            parts["callback"] = _callback_builder(self._mapping.get("callback"))
        return self._part(flow, [item for item in fields if item[0][0] != "flow"], parts, takes_label=False)

    def _steps(self, steps: tuple[Any, ...], fields: _Fields) -> Builder:
        builders: list[Builder] = []
        for index, step in zip(step_sequence(self._mapping["flow"]), steps, strict=True):
            own_fields = [(path[1:], field) for path, field in fields if path[0] == index]
            parts = {}
            if isinstance(step, SmsStep):
                message_fields = [(path[1:], field) for path, field in own_fields if path[0] == "message"]
                own_fields = [item for item in own_fields if item[0][0] != "message"]
                parts["message"] = self._part(step.message, message_fields, {}, takes_label=True)
            builders.append(
                self._part(step, own_fields, parts, takes_label=isinstance(step, ViberStep | ViberOtpStep | OtpSmsStep))
            )
        return lambda values, correlation: [build(values, correlation) for build in builders]

    def _part(
        self, model: ExtensibleModel, fields: _Fields, parts: dict[str, Builder], *, takes_label: bool
    ) -> Builder:
        """Return a builder of objects like this one; with `takes_label` the run's label is added to them."""
        by_api_name = {
            api_field.api_name: api_field for api_field in api_fields(type(model)) if not api_field.flattened
        }
        extra_fields: _Fields = []
        for key in dict.fromkeys(path[0] for path, _ in fields):
            group = [(path[1:], field) for path, field in fields if path[0] == key]
            api_field = by_api_name.get(str(key))
            if api_field is None:
                extra_fields += [((key, *path), field) for path, field in group]
            else:
                parts[api_field.name] = self._field(api_field, getattr(model, api_field.name), group)
        if extra_fields:  # ViberOtpStep is the only part that takes keys without a field of their own
            parts["template_fields"] = self._mapping_part(cast("ViberOtpStep", model).template_fields, extra_fields)
        if takes_label:
            own_label = cast("SmsMessage", model).label
            parts["label"] = _label_builder(parts.get("label", lambda _values, _correlation: own_label))
        return _object_builder(model, parts)

    def _field(self, api_field: ApiField, model: Any, fields: _Fields) -> Builder:
        path, field = fields[0]
        if not path:
            return self._value(field, api_field)
        if isinstance(model, SecretMapping):
            return self._mapping_part(model, fields)
        if isinstance(model, ExtensibleModel):
            return self._part(model, fields, {}, takes_label=False)
        if isinstance(model, tuple) and all(isinstance(item, ExtensibleModel) for item in model):
            groups = [[(path[1:], field) for path, field in fields if path[0] == index] for index in range(len(model))]
            builders = [
                self._part(item, group, {}, takes_label=False) for item, group in zip(model, groups, strict=True)
            ]
            return lambda values, correlation: [build(values, correlation) for build in builders]
        raise CannotCompile

    def _mapping_part(self, model: SecretMapping, fields: _Fields) -> Builder:
        if any(len(path) != 1 for path, _ in fields):
            raise CannotCompile
        constants = model.reveal()
        builders = [(cast("str", path[0]), self._value(field)) for path, field in fields]
        return lambda values, correlation: SecretMapping.wrap(
            constants | {key: build(values, correlation) for key, build in builders}
        )

    def _value(self, field: TemplateField, api_field: ApiField | None = None) -> Builder:
        region = self._region
        if api_field is not None and unwrap_annotated(api_field.annotation) is timedelta:
            duration_range: DurationRange = api_field.annotation.__metadata__[0]
            return lambda values, _correlation: _parse_duration(duration_range, field.render(values, region))
        render = field.text.render
        if field.role is FieldRole.RECIPIENT:
            return lambda values, _correlation: to_e164(render(values), region)
        if field.is_verbatim:
            return lambda values, _correlation: render(values)
        return lambda values, _correlation: field.render(values, region)


def _parse_duration(duration_range: DurationRange, number: object) -> timedelta:
    value = duration_range.unit.from_number(number)
    if isinstance(value, str):
        raise CannotCompile
    return value


def _object_builder(model: ExtensibleModel, parts: dict[str, Builder]) -> Builder:
    if not parts:
        return lambda _values, _correlation: model
    cls = type(model)
    constants: dict[str, Any] = {
        attribute.name: getattr(model, attribute.name)
        for attribute in attrs.fields(cast("type[attrs.AttrsInstance]", cls))
        if attribute.name not in parts and getattr(model, attribute.name) is not attribute.default
    }
    builders = [*parts.items()]

    def build(values: Mapping[str, str], correlation: Correlation) -> Any:
        arguments = constants.copy()
        for name, part in builders:
            arguments[name] = part(values, correlation)
        return cls(**arguments)

    return build


def _label_builder(own_label: Builder) -> Builder:
    def build(values: Mapping[str, str], correlation: Correlation) -> str | None:
        label: str | None = own_label(values, correlation)
        return label if correlation.label is None else join_labels(label, correlation.label)

    return build


def _callback_builder(mapping: object) -> Builder:
    """Return a builder of the run's callback, with the strategy that the template may have for it."""
    strategy = cast("Mapping[str, Any]", mapping).get("strategy") if isinstance(mapping, Mapping) else None

    def build(_values: Mapping[str, str], correlation: Correlation) -> Callback | None:
        return None if correlation.callback_url is None else Callback(url=correlation.callback_url, strategy=strategy)

    return build
