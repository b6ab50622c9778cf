"""The way in: Routee's own JSON becomes a flow, or every problem of it at once, in Routee's names.

The classes check values; this module knows what JSON adds to that: objects, lists, `type`, `order`, unknown keys.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Literal, cast, get_args, overload

from cattrs import Converter

from ..errors import InvalidFlow, Problem
from ..flows import (
    AnyFlow,
    Endpoint,
    OtpFlow,
    StandardFlow,
    TransactionalFlow,
    ViberOtpMessage,
    ViberOtpStep,
    VoiceRecipient,
)
from ..flows.durations import DurationRange
from ..flows.extensible import ExtensibleModel
from ..flows.flow import FLOWS_BY_STEP, join_flow_names
from ..flows.model import Invalid, type_name
from ..secret import scrub_traceback
from .fields import ApiField, api_fields, lenient_converter, strict_converter, unwrap_annotated

FLOW_CLASSES: Mapping[Endpoint, type[AnyFlow]] = {
    cls.endpoint: cls for cls in (StandardFlow, TransactionalFlow, OtpFlow, ViberOtpMessage)
}

Loader = Callable[[Any], Any]
"""Reads one JSON value: gives what the constructor takes, or `Invalid`."""


def _broken(reason: str, *path: str | int) -> Invalid:
    return Invalid([Problem(path, reason)])


def _load_value(field: ApiField, owner: type[ExtensibleModel], converter: Converter) -> Loader:
    """How a field's JSON value is read; a plain value is left to the field's own check."""
    cls = unwrap_annotated(field.annotation)
    if cls is timedelta:
        span: DurationRange = field.annotation.__metadata__[0]
        return lambda number: _broken(value) if isinstance(value := span.unit.from_number(number), str) else value
    if isinstance(cls, type) and issubclass(cls, ExtensibleModel):
        return lambda value: _load_object(value, cls, converter)
    item = get_args(cls)[0] if get_args(cls) else None
    if owner is ViberOtpStep and field.api_name == "to":
        # Routee's guide to one-time passwords writes the recipient as a list with one number in it, too.
        return lambda value: value[0] if isinstance(value, list) and len(value) == 1 else value
    if item is None or item is str:
        return lambda value: value
    classes: dict[str, type[Any]] = {member.api_type: member for member in get_args(item)}
    if field.api_name == "flow":
        # Routee documents `order` as required on the other two endpoints only.
        return lambda value: _load_steps(value, classes, converter, order_required=owner is not StandardFlow)
    return lambda value: _load_tagged(value, classes, converter)


def _present(value: Any, load: Loader, cls: type[ExtensibleModel]) -> Any:
    """A value that is there. Only in a voice step's `to` may one be null: Routee's pages have it so."""
    if value is None:
        return None if cls is VoiceRecipient else _broken("must not be null; leave the key out")
    return load(value)


def _load_object(value: object, cls: type[ExtensibleModel], converter: Converter) -> object:
    """An object of one class. Only a voice step's `to` may also be text, as some of Routee's pages have it."""
    if isinstance(value, Mapping) or (isinstance(value, str) and cls is VoiceRecipient):
        try:
            return value if isinstance(value, str) else converter.structure(cast("Mapping[str, Any]", value), cls)
        except InvalidFlow as error:
            return Invalid(list(error.problems))
    return _broken(f"must be an object, not {type_name(value)}")


def _load_tagged(value: Any, classes: Mapping[str, type[Any]], converter: Converter) -> list[Any] | Invalid:
    """A list of objects that their `type` tells apart."""
    if not isinstance(value, list | tuple):
        return _broken(f"must be a list, not {type_name(value)}")
    return [_load_one_tagged(item, classes, converter) for item in value]


def _load_steps(
    value: Any, classes: Mapping[str, type[Any]], converter: Converter, *, order_required: bool
) -> list[Any] | Invalid:
    """The steps of a flow, sorted by their `order`; while one is broken they stay where the problem was found."""
    steps = _load_tagged(value, classes, converter)
    if isinstance(steps, Invalid):
        return steps
    given: list[Any] = [item.get("order") if isinstance(item, Mapping) else None for item in value]
    if not order_required and not any(isinstance(item, Mapping) and "order" in item for item in value):
        return steps
    for index, order in enumerate(given):
        reason = _order_problem(order, given[:index])
        if reason is not None and isinstance(value[index], Mapping):
            problems = steps[index].problems if isinstance(steps[index], Invalid) else []
            steps[index] = Invalid([*problems, Problem(("order",), reason)])
    if any(isinstance(step, Invalid) for step in steps):
        return steps
    return [steps[index] for index in sorted(range(len(steps)), key=given.__getitem__)]


def _order_problem(order: object, earlier: list[Any]) -> str | None:
    if order is None:
        return "required: the position of the step in the flow, 1 for the first"
    if not isinstance(order, int) or isinstance(order, bool) or order < 1:
        return "must be a whole number of at least 1"
    twin = next((index for index, other in enumerate(earlier) if other is not True and other == order), None)
    return None if twin is None else f"must be unique: flow[{twin}] has it too"


def _load_one_tagged(value: Any, classes: Mapping[str, type[Any]], converter: Converter) -> object:
    if not isinstance(value, Mapping):
        return _broken(f"must be an object, not {type_name(value)}")
    name = value.get("type")
    cls = classes.get(name) if isinstance(name, str) else None
    if cls is not None:
        return _load_object(value, cls, converter)
    allowed = " or ".join(classes)
    if not isinstance(name, str):
        return _broken(f"required: {allowed}" if name is None else f"must be {allowed}, not {type_name(name)}", "type")
    homes = sorted({home for step, flows in FLOWS_BY_STEP.items() if step.api_type == name for home in flows})
    return _broken(f"must be {allowed}" + (f"; {name} belongs to {join_flow_names(homes)}" if homes else ""), "type")


def _make_load(
    cls: type[ExtensibleModel], converter: Converter
) -> Callable[[Mapping[str, Any], object], ExtensibleModel]:
    """The reader of one model class. Raises `InvalidFlow` with every problem of the object and of what is inside it."""
    fields = [field for field in api_fields(cls) if not field.flattened]
    api_names = {field.name: field.api_name for field in fields}
    loads = {field.api_name: (field, _load_value(field, cls, converter)) for field in fields}
    written = cls.implicit_keys

    def load(value: Mapping[str, Any], _cls: object) -> ExtensibleModel:
        given: dict[str, Any] = {
            field.name: _present(value[key], load_value, cls) if key in value else _broken("required")
            for key, (field, load_value) in loads.items()
            if key in value or field.required
        }
        extra: dict[str, Any] = {}
        texts: dict[str, Any] = {}
        unknown: list[Problem] = []
        if not all(isinstance(key, str) for key in value):
            raise InvalidFlow(cls.__name__, [Problem((), "must have text for keys")])
        for key in sorted(value.keys() - loads.keys() - written):
            if key in cls.forbidden_keys:
                unknown.append(Problem((key,), cls.forbidden_keys[key]))
            else:
                (texts if cls is ViberOtpStep and isinstance(value[key], str) else extra)[key] = value[key]
        if converter.forbid_extra_keys:
            unknown += [Problem((_shown(key),), _unknown_key(key, loads)) for key in extra]
        elif extra:
            given["extra"] = extra
        if texts:
            given["template_fields"] = texts
        try:
            instance = cls(**given)
        except InvalidFlow as error:
            unknown += [Problem(_api_path(problem.path, api_names), problem.reason) for problem in error.problems]
        else:
            if not unknown:
                return instance
        raise InvalidFlow(cls.__name__, unknown)

    return load


def _api_path(path: tuple[str | int, ...], api_names: Mapping[str, str]) -> tuple[str | int, ...]:
    """A path that begins with a Python name, in Routee's names; merged fields have none."""
    if not path:
        return path
    first = api_names.get(str(path[0]))
    return path[1:] if first is None else (first, *path[1:])


def _unknown_key(key: str, known: Mapping[str, object]) -> str:
    import difflib  # noqa: PLC0415  # only those who misspell need it

    close = difflib.get_close_matches(key, known, n=1)
    return "unknown key" + (f"; did you mean {close[0]}?" if close else '; extra="keep" sends such keys as they are')


def _shown(key: str) -> str:
    """A key as an error may show it: printable, and not as long as a page."""
    return key[:60].encode("ascii", "backslashreplace").decode()


def _is_model(cls: object) -> bool:
    return isinstance(cls, type) and issubclass(cls, ExtensibleModel)


def _register(converter: Converter) -> None:
    def factory(cls: type[ExtensibleModel]) -> Callable[[Mapping[str, Any], object], ExtensibleModel]:
        return _make_load(cls, converter)

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
) -> AnyFlow: ...
@scrub_traceback
def load_flow(
    endpoint: Endpoint | str, mapping: Mapping[str, Any], *, extra: Literal["refuse", "keep"] = "refuse"
) -> AnyFlow:
    """Build a flow from the API's own JSON: a file, a queue, a web request.

    Raises one `InvalidFlow` with all problems, each with its path in Routee's names (`flow[1].message.body`), none with
    a value. Unknown keys are refused; with `extra="keep"` they are sent as they are. On a ViberOtp step an unknown key
    with a text becomes one of its `template_fields`, because Routee's names for some of them are not public. Steps are
    sorted by their `order`.
    """
    if endpoint not in [*Endpoint]:
        raise InvalidFlow("load_flow", [Problem(("endpoint",), f"must be one of {', '.join(Endpoint)}")])
    if extra not in ("refuse", "keep"):
        raise InvalidFlow("load_flow", [Problem(("extra",), "must be refuse or keep")])
    subject = f"{endpoint} {'message' if endpoint == Endpoint.VIBER_OTP else 'flow'}"
    loaded = _load_object(
        mapping, FLOW_CLASSES[Endpoint(endpoint)], lenient_converter if extra == "keep" else strict_converter
    )
    if isinstance(loaded, Invalid):
        raise InvalidFlow(subject, loaded.problems)
    return cast("AnyFlow", loaded)
