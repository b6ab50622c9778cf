"""Load a flow from Routee's own JSON, or report all of its problems at once, under Routee's names.

The model classes validate values; this module handles what JSON adds: objects, lists, `type`, `order`, unknown keys.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Literal, cast, get_args, overload

from cattrs import Converter

from ..errors import InvalidFlow, Problem
from ..flows import (
    Endpoint,
    OtpFlow,
    StandardFlow,
    TransactionalFlow,
    ValidatedFlow,
    ViberOtpMessage,
    ViberOtpStep,
    VoiceRecipient,
)
from ..flows.durations import DurationRange
from ..flows.endpoint import endpoint_problem
from ..flows.extensible import ExtensibleModel
from ..flows.flow import FLOWS_BY_STEP, join_flow_names
from ..flows.keyword_hints import key_hint
from ..flows.model_validation import Invalid, type_name
from ..flows.validators import OBJECT_TYPES, as_integer
from ..secret import scrub_traceback
from .fields import ApiField, api_fields, lenient_converter, strict_converter, unwrap_annotated
from .key_slips import intended_key
from .step_order import order_problem, step_sequence

FLOW_CLASSES: Mapping[Endpoint, type[ValidatedFlow]] = {
    cls.endpoint: cls for cls in (StandardFlow, TransactionalFlow, OtpFlow, ViberOtpMessage)
}

_ENDPOINTS = tuple(FLOW_CLASSES)

Loader = Callable[[Any], Any]
"""Function that reads one JSON value: returns what the constructor takes, or `Invalid`."""


def _invalid(reason: str, *path: str | int) -> Invalid:
    return Invalid([Problem(path, reason)])


def _value_loader(field: ApiField, owner: type[ExtensibleModel], converter: Converter) -> Loader | None:
    """Return the function that reads a field's JSON value, or `None` if the value is left to the field's validator."""
    cls = unwrap_annotated(field.annotation)
    if cls is timedelta:
        duration_range: DurationRange = field.annotation.__metadata__[0]
        return lambda number: (
            _invalid(value) if isinstance(value := duration_range.unit.from_number(number), str) else value
        )
    if isinstance(cls, type) and issubclass(cls, ExtensibleModel):
        return lambda value: _load_object(value, cls, converter)
    if cls is int:
        return as_integer
    item = get_args(cls)[0] if get_args(cls) else None
    if owner is ViberOtpStep and field.api_name == "to":
        return _single_recipient
    if item is None or item is str:
        return None
    classes: dict[str, type[Any]] = {member.api_type: member for member in get_args(item)}
    if field.api_name == "flow":
        return lambda value: _load_steps(value, classes, converter, distinct_orders=owner is OtpFlow)
    return lambda value: _load_tagged(value, classes, converter)


def _single_recipient(value: Any) -> Any:
    """Return the recipient, which Routee's guide to one-time passwords also writes as a list with one number."""
    if isinstance(value, list) and len(value) > 1:
        return _invalid("must be one recipient: send a flow to each; a raw flow takes several")
    return value[0] if isinstance(value, list) and value else value


def _load_fields(value: Mapping[str, Any], loaders: Mapping[str, tuple[ApiField, Loader | None]]) -> dict[str, Any]:
    """Load the keys of an object that are fields; a null counts as absent, as on Routee's pages."""
    arguments: dict[str, Any] = {}
    for key, (field, load) in loaders.items():
        item = value.get(key)
        if item is not None:
            arguments[field.name] = item if load is None else load(item)
        elif field.required:
            arguments[field.name] = _invalid("required")
    return arguments


def _load_object(value: object, cls: type[ExtensibleModel], converter: Converter) -> object:
    """Load an object of one class. Only a voice step's `to` may also be text, as on some of Routee's pages."""
    if isinstance(value, OBJECT_TYPES) or (isinstance(value, str) and cls is VoiceRecipient):
        try:
            return value if isinstance(value, str) else converter.structure(cast("Mapping[str, Any]", value), cls)
        except InvalidFlow as error:
            return Invalid(list(error.problems))
    return _invalid(f"must be an object, not {type_name(value)}")


def _load_tagged(value: Any, classes: Mapping[str, type[Any]], converter: Converter) -> list[Any] | Invalid:
    """Load a list of objects whose class depends on their `type`."""
    if not isinstance(value, list | tuple):
        return _invalid(f"must be a list, not {type_name(value)}")
    return [_load_one_tagged(item, classes, converter) for item in value]


def _load_steps(
    value: Any, classes: Mapping[str, type[Any]], converter: Converter, *, distinct_orders: bool
) -> list[Any] | Invalid:
    """Load the steps of a flow, sorted by `order`; while one is invalid they keep the positions of their problems."""
    steps = _load_tagged(value, classes, converter)
    if isinstance(steps, Invalid):
        return steps
    for index, item in enumerate(value):
        reason = order_problem(value, index, distinct=distinct_orders)
        if reason is not None and isinstance(item, Mapping):
            problems = steps[index].problems if isinstance(steps[index], Invalid) else []
            steps[index] = Invalid([*problems, Problem(("order",), reason)])
    if any(isinstance(step, Invalid) for step in steps):
        return steps
    return [steps[index] for index in step_sequence(value)]


def _load_one_tagged(value: Any, classes: Mapping[str, type[Any]], converter: Converter) -> object:
    if not isinstance(value, OBJECT_TYPES):
        return _invalid(f"must be an object, not {type_name(value)}")
    name = value.get("type")
    cls = classes.get(name) if isinstance(name, str) else None
    if cls is not None:
        return _load_object(value, cls, converter)
    allowed = " or ".join(classes)
    if not isinstance(name, str):
        return _invalid(f"required: {allowed}" if name is None else f"must be {allowed}, not {type_name(name)}", "type")
    owners = sorted({owner for step, flows in FLOWS_BY_STEP.items() if step.api_type == name for owner in flows})
    return _invalid(f"must be {allowed}" + (f"; {name} belongs to {join_flow_names(owners)}" if owners else ""), "type")


def _make_loader(
    cls: type[ExtensibleModel], converter: Converter
) -> Callable[[Mapping[str, Any], object], ExtensibleModel]:
    """Return the load function of a model class.

    It raises `InvalidFlow` with every problem of the object and of the objects inside it.
    """
    fields = [field for field in api_fields(cls) if not field.flattened]
    api_names = {field.name: field.api_name for field in fields}
    loaders = {field.api_name: (field, _value_loader(field, cls, converter)) for field in fields}
    known_keys = loaders.keys() | cls.implicit_keys

    def load(value: Mapping[str, Any], _cls: object) -> ExtensibleModel:
        # 1. Load the keys that are fields.
        arguments = _load_fields(value, loaders)
        # 2. Sort the other keys into forbidden ones, template fields and extra.
        extra: dict[str, Any] = {}
        template_fields: dict[str, Any] = {}
        problems: list[Problem] = []
        unknown_keys = value.keys() - known_keys
        if not all(isinstance(key, str) for key in unknown_keys):
            raise InvalidFlow(cls.__name__, [Problem((), "must have text for keys")])
        for key in sorted(unknown_keys):
            if key in cls.forbidden_keys:
                if value[key] is not None:
                    problems.append(Problem((key,), cls.forbidden_keys[key]))
            elif cls is ViberOtpStep and isinstance(value[key], str | bool):
                template_fields[key] = value[key]
            else:
                extra[key] = value[key]
        if converter.forbid_extra_keys:
            known = [*known_keys, *cls.forbidden_keys]
            slips = {key: near for key in template_fields if (near := intended_key(key, known)) is not None}
            problems += [Problem((_printable(key),), f"unknown key; did you mean {slips[key]}?") for key in slips]
            template_fields = {key: item for key, item in template_fields.items() if key not in slips}
            problems += [Problem((_printable(key),), _unknown_key(cls, key, loaders)) for key in extra]
        elif extra:
            arguments["extra"] = extra
        if template_fields:
            arguments["template_fields"] = template_fields
        # 3. Build the object, or collect the problems of its values as well.
        try:
            instance = cls(**arguments)
        except InvalidFlow as error:
            problems += [Problem(_api_path(problem.path, api_names), problem.reason) for problem in error.problems]
        else:
            if not problems:
                return instance
        raise InvalidFlow(cls.__name__, problems)

    return load


def _api_path(path: tuple[str | int, ...], api_names: Mapping[str, str]) -> tuple[str | int, ...]:
    """Translate a path that begins with a Python name to Routee's names; a flattened field has no name there."""
    if not path:
        return path
    first = api_names.get(str(path[0]))
    return path[1:] if first is None else (first, *path[1:])


def _unknown_key(cls: type[ExtensibleModel], key: str, known: Mapping[str, object]) -> str:
    hint = key_hint(cls.__name__, key, known.keys())
    if hint is None and cls.closed_reason is not None:
        return cls.closed_reason
    return "unknown key; " + (hint or 'extra="keep" sends such keys as they are')


def _printable(key: str) -> str:
    """Return a key as an error may show it: printable and at most 60 characters of it."""
    return key[:60].encode("ascii", "backslashreplace").decode()


def _is_model(cls: object) -> bool:
    return isinstance(cls, type) and issubclass(cls, ExtensibleModel)


def _register(converter: Converter) -> None:
    def factory(cls: type[ExtensibleModel]) -> Callable[[Mapping[str, Any], object], ExtensibleModel]:
        return _make_loader(cls, converter)

    converter.register_structure_hook_factory(_is_model, factory)


_register(strict_converter)
_register(lenient_converter)


@overload
def load_flow(
    endpoint: Literal[Endpoint.STANDARD, "standard"],
    mapping: Mapping[str, Any],
    *,
    extra: Literal["refuse", "keep"] = ...,
) -> StandardFlow: ...
@overload
def load_flow(
    endpoint: Literal[Endpoint.TRANSACTIONAL, "transactional"],
    mapping: Mapping[str, Any],
    *,
    extra: Literal["refuse", "keep"] = ...,
) -> TransactionalFlow: ...
@overload
def load_flow(
    endpoint: Literal[Endpoint.OTP, "otp"], mapping: Mapping[str, Any], *, extra: Literal["refuse", "keep"] = ...
) -> OtpFlow: ...
@overload
def load_flow(
    endpoint: Literal[Endpoint.VIBER_OTP, "viber-otp"],
    mapping: Mapping[str, Any],
    *,
    extra: Literal["refuse", "keep"] = ...,
) -> ViberOtpMessage: ...
@overload
def load_flow(
    endpoint: Endpoint | str, mapping: Mapping[str, Any], *, extra: Literal["refuse", "keep"] = ...
) -> ValidatedFlow: ...
@scrub_traceback
def load_flow(
    endpoint: Endpoint | str, mapping: Mapping[str, Any], *, extra: Literal["refuse", "keep"] = "refuse"
) -> ValidatedFlow:
    """Build a flow from the API's own JSON, such as a file, a queue message or a web request.

    Raises one `InvalidFlow` with all problems, each with its path in Routee's names (`flow[1].message.body`) and none
    with a value. A null counts as absent. An unknown key is a problem; with `extra="keep"` it is sent unchanged. On a
    ViberOtp step an unknown key with a text, true or false becomes one of its `template_fields`, because Routee's names
    for some of them are not public; one within two letters of a known key is a problem there, too. Steps are sorted by
    their `order`; on the standard and the transactional endpoint it may be missing or equal.
    """
    if endpoint not in _ENDPOINTS:
        raise InvalidFlow("load_flow", [Problem(("endpoint",), endpoint_problem(endpoint))])
    if extra not in ("refuse", "keep"):
        raise InvalidFlow("load_flow", [Problem(("extra",), "must be refuse or keep")])
    converter = lenient_converter if extra == "keep" else strict_converter
    loaded = _load_object(mapping, FLOW_CLASSES[cast("Endpoint", endpoint)], converter)
    if isinstance(loaded, Invalid):
        subject = f"{endpoint} {'message' if endpoint == Endpoint.VIBER_OTP else 'flow'}"
        raise InvalidFlow(subject, loaded.problems)
    return cast("ValidatedFlow", loaded)
