"""How the classes of this room hold their rules: checked when built, every broken rule told at once, no value told.

The rule of a field stands in its annotation: `to: Annotated[str, recipient]`. A rule about several fields is a method
marked with `validator`. A constructor stops at the first rule that fails; only then are all of them asked for their reasons,
so that a sound object pays nothing for good errors.
"""

import re
import types
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Annotated, Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import attrs

from ..errors import InvalidFlow, Problem
from ._init_codegen import generate_init, generate_on_first_use

ValidationResult = str | list[Problem] | None
"""What a check says: nothing, why not in words, or (for what has parts) the problems of its parts."""

Validator = Callable[[Any], ValidationResult]

_T = TypeVar("_T", bound=type)
_Rule = TypeVar("_Rule", bound=Callable[[Any], ValidationResult])


class Invalid:
    """Stands where a value should, when the value could not be read; carries why, for the object that would hold it."""

    __slots__ = ("problems",)

    def __init__(self, problems: list[Problem]) -> None:
        self.problems: list[Problem] = problems

    def __repr__(self) -> str:
        return "<unreadable>"


_KINDS: dict[type, str] = {
    str: "text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "nothing",
    dict: "an object",
    list: "a list",
}


def type_name(value: object) -> str:
    """What a value is, in words that give nothing of it away."""
    cls: type = type(value)
    return _KINDS.get(cls, f"a {cls.__name__}")


def instance_of(cls: type) -> Validator:
    """An object of this class."""
    name = f"one of {', '.join(cls)}" if issubclass(cls, StrEnum) else _KINDS.get(cls, f"a {cls.__name__}")
    return lambda value: None if isinstance(value, cls) else f"must be {name}, not {type_name(value)}"


def _optional(check: Validator) -> Validator:
    return lambda value: None if value is None else check(value)


def validator_for(annotation: Any) -> Validator:
    """The check that an annotation stands for: the one it is annotated with, or that of its class."""
    if get_origin(annotation) is Annotated:
        return cast("Validator", annotation.__metadata__[0])
    if get_origin(annotation) in {Union, types.UnionType}:
        (inner,) = (part for part in get_args(annotation) if part is not type(None))
        return _optional(validator_for(inner))
    return instance_of(annotation)


def validator(when_given: str | None = None) -> Callable[[_Rule], _Rule]:
    """Mark a method as a rule about several fields; it is not asked while one that it looks at is itself unsound.

    A rule that the default of one field cannot break is only `when_given` when that field is given.
    """

    def mark(method: _Rule) -> _Rule:
        method.when_given = when_given  # type: ignore[attr-defined]
        return method

    return mark


def prefix_problems(prefix: str | int, result: ValidationResult) -> list[Problem]:
    """The problems of a part, with paths that begin at the whole."""
    if result is None:
        return []
    if isinstance(result, str):
        return [Problem((prefix,), result)]
    return [Problem((prefix, *problem.path), problem.reason) for problem in result]


class _LooksAtUnsound(Exception):  # nobody sees it: it ends a rule
    """A rule looks at a field that is itself unsound."""


class _SoundFields:
    """An object seen through its sound fields only: a rule that looks at another one stops, and is left out."""

    def __init__(self, instance: object, unsound: set[str]) -> None:
        self._instance = instance
        self._unsound = unsound

    def __getattr__(self, name: str) -> Any:
        if name in self._unsound:
            raise _LooksAtUnsound
        return getattr(self._instance, name)


def _problems_of(instance: Any, checks: dict[str, Validator], rules: list[Validator]) -> Iterator[Problem]:
    """Every rule that an object breaks, fields first. Runs only once something is known to be wrong."""
    unsound: set[str] = set()
    for name, check in checks.items():
        value = getattr(instance, name)
        found = prefix_problems(name, value.problems if isinstance(value, Invalid) else check(value))
        if found:
            unsound.add(name)
            yield from found
    seen = _SoundFields(instance, unsound)
    for method in rules:
        try:
            reason = method(seen)
        except _LooksAtUnsound:
            continue
        if reason is not None:
            yield from [Problem((), reason)] if isinstance(reason, str) else reason


def validated(cls: _T) -> _T:
    """Give an attrs class a constructor that raises one `InvalidFlow` with every problem, and leaves no value behind.

    attrs writes the class; only its constructor is written here, because that of attrs cannot let go of its arguments:
    a traceback that shows locals would show the PIN in them.
    """

    def write() -> Callable[..., None]:
        fields = attrs.fields(cast("type[attrs.AttrsInstance]", cls))
        hints = get_type_hints(cls, include_extras=True)
        checks = {field.name: validator_for(hints[field.name]) for field in fields}
        members = [member for base in cls.__mro__ for member in vars(base).values()]
        rules = [(cast("Validator", member), member.when_given) for member in members if hasattr(member, "when_given")]

        def refusal(instance: object) -> InvalidFlow:
            return InvalidFlow(cls.__name__, _problems_of(instance, checks, [method for method, _ in rules]))

        return generate_init(cls.__qualname__, fields, checks, rules, refusal)

    cls.__init__ = generate_on_first_use(cls, write)  # type: ignore[misc]  # attrs' signature, our code
    return cls


def api_name(field: "attrs.Attribute[Any]") -> str:
    """Routee's name of a field: the Python name in camelCase, but where Routee spells it its own way."""
    own = field.metadata.get("api")
    return own or re.sub(r"_([a-z])", lambda match: match[1].upper(), field.name).rstrip("_")
