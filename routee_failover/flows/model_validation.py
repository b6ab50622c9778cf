"""Model classes: validation when an object is built, with one error that lists every problem and quotes no value.

The validator of a field is in its annotation: `to: Annotated[str, e164_number]`. A validator of several fields is a
method marked with `validator`. A constructor stops at the first validator that fails; only then all of them run for
their reasons, so a valid object pays nothing for good errors.
"""

import re
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import attrs

from ..errors import InvalidFlow, Problem
from ._init_codegen import MISSING, generate_init, generate_on_first_use
from .keyword_hints import keyword_hint

ValidationResult = str | list[Problem] | None
"""Result of a validator: `None` for a valid value, a reason, or (for a value with parts) the problems of its parts."""

Validator = Callable[[Any], ValidationResult]

_T = TypeVar("_T", bound=type)
_ValidatorMethod = TypeVar("_ValidatorMethod", bound=Callable[[Any], ValidationResult])


class Invalid:
    """Placeholder for a value that could not be read; carries the problems to the object that would hold it."""

    __slots__ = ("problems",)

    def __init__(self, problems: list[Problem]) -> None:
        self.problems: list[Problem] = problems

    def __repr__(self) -> str:
        return "<invalid>"


_TYPE_NAMES: dict[type, str] = {
    str: "text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "nothing",
    dict: "an object",
    list: "a list",
}


_AN = (*"AEIOaeio", "Sms")
"""Beginnings of the names that are pronounced with a vowel first."""


def with_article(name: str) -> str:
    """Return the name of a class as part of a sentence: "an OtpFlow", "an SmsStep", "a StandardFlow"."""
    return f"{'an' if name.startswith(_AN) else 'a'} {name}"


def type_name(value: object) -> str:
    """Return what kind of value this is, for an error; nothing of the value itself is shown."""
    return _class_name(type(value))


def _class_name(cls: type) -> str:
    return _TYPE_NAMES.get(cls) or with_article(cls.__name__)


def instance_of(cls: type) -> Validator:
    """Return the validator of an object of this class."""
    name = f"one of {', '.join(cls)}" if issubclass(cls, StrEnum) else _class_name(cls)
    return lambda value: None if isinstance(value, cls) else f"must be {name}, not {type_name(value)}"


def validator_for(annotation: Any) -> Validator:
    """Return the validator that an annotation means: the one in its `Annotated`, or that of its class.

    The `None` of an optional annotation is the default of its field, which is not validated.
    """
    if get_origin(annotation) is Annotated:
        return cast("Validator", annotation.__metadata__[0])
    if get_origin(annotation) in {Union, types.UnionType}:
        (inner,) = (part for part in get_args(annotation) if part is not type(None))
        return validator_for(inner)
    return instance_of(annotation)


def validator(when_given: str | None = None) -> Callable[[_ValidatorMethod], _ValidatorMethod]:
    """Mark a method as a validator of several fields; it is skipped if a field that it reads is itself invalid.

    `when_given` names a field without which the validator cannot fail: it runs only if that field is given.
    """

    def decorate(method: _ValidatorMethod) -> _ValidatorMethod:
        method.when_given = when_given  # type: ignore[attr-defined]
        return method

    return decorate


def prefix_problems(prefix: str | int, result: ValidationResult) -> list[Problem]:
    """Return the problems of a part, with the part's name or index at the beginning of each path."""
    if result is None:
        return []
    if isinstance(result, str):
        return [Problem((prefix,), result)]
    return [Problem((prefix, *problem.path), problem.reason) for problem in result]


class _InvalidFieldAccess(Exception):  # internal: it ends a validator and is always caught
    """A validator read a field that is itself invalid."""


class _ValidFields:
    """Proxy of an object that exposes its valid fields only; reading another one ends the validator that reads it."""

    def __init__(self, instance: object, invalid: set[str]) -> None:
        self._instance = instance
        self._invalid = invalid

    def __getattr__(self, name: str) -> Any:
        if name in self._invalid:
            raise _InvalidFieldAccess
        return getattr(self._instance, name)


def _find_problems(
    instance: Any,
    fields: "Iterable[attrs.Attribute[Any]]",
    field_validators: Mapping[str, Validator],
    model_validators: Iterable[Validator],
) -> Iterator[Problem]:
    """Yield every problem of an object, fields first. Runs only once something is known to be wrong."""
    invalid: set[str] = set()
    for field in fields:
        value = getattr(instance, field.name)
        if value is field.default and value is not attrs.NOTHING:
            continue
        result = value.problems if isinstance(value, Invalid) else field_validators[field.name](value)
        problems = prefix_problems(field.name, result)
        if problems:
            invalid.add(field.name)
            yield from problems
    valid_fields = _ValidFields(instance, invalid)
    for method in model_validators:
        try:
            reason = method(valid_fields)
        except _InvalidFieldAccess:
            continue
        if reason is not None:
            yield from [Problem((), reason)] if isinstance(reason, str) else reason


def _call_problem(
    cls: type, fields: "Iterable[attrs.Attribute[Any]]", unknown: Iterable[str], missing: Iterable[str]
) -> str | None:
    """Return why a call of a constructor is none, as Python says it, with a hint for each unknown keyword."""
    call = f"{cls.__qualname__}.__init__()"
    names = {api_name(field): field.name for field in fields}
    for keyword in unknown:
        head, *tail = keyword.split("_")
        key = head + "".join(map(str.capitalize, tail))
        refused = getattr(cls, "forbidden_keys", {}).get(key) or getattr(cls, "closed_reason", None)
        hint = (
            keyword_hint(cls.__name__, keyword, names) or refused or "extra={...} sends a key that is no field as it is"
        )
        return f"{call} got an unexpected keyword argument {keyword[:60]!a}: {hint}"
    quoted = ", ".join(f"'{name}'" for name in missing)
    return f"{call} missing required keyword arguments: {quoted}" if quoted else None


def validated(cls: _T) -> _T:
    """Give an attrs class a constructor that raises one `InvalidFlow` with every problem and retains no value.

    attrs writes the class; only its constructor is generated here, because that of attrs cannot delete its arguments:
    a traceback that shows locals would show the PIN in them.
    """

    def generate() -> Callable[..., None]:
        fields = attrs.fields(cast("type[attrs.AttrsInstance]", cls))
        hints = get_type_hints(cls, include_extras=True)
        field_validators = {field.name: validator_for(hints[field.name]) for field in fields}
        members = [member for base in cls.__mro__ for member in vars(base).values()]
        model_validators = [
            (cast("Validator", member), member.when_given) for member in members if hasattr(member, "when_given")
        ]

        def make_error(instance: object, unknown: Iterable[str]) -> Exception:
            missing = [field.name for field in fields if getattr(instance, field.name) is MISSING]
            problem = _call_problem(cls, fields, unknown, missing)
            if problem is not None:
                return TypeError(problem)
            methods = [method for method, _ in model_validators]
            return InvalidFlow(cls.__name__, _find_problems(instance, fields, field_validators, methods))

        return generate_init(cls.__qualname__, fields, field_validators, model_validators, make_error)

    cls.__init__ = generate_on_first_use(cls, generate)  # type: ignore[misc]  # attrs' signature, our code
    return cls


def api_name(field: "attrs.Attribute[Any]") -> str:
    """Return Routee's name of a field: the Python name in camelCase, unless its metadata has another spelling."""
    custom_name = field.metadata.get("api")
    return custom_name or re.sub(r"_([a-z])", lambda match: match[1].upper(), field.name).rstrip("_")
