"""How the classes of this room hold their rules: checked when built, every broken rule told at once, no value told.

The rule of a field stands in its annotation: `to: Annotated[str, recipient]`. A rule about several fields is a method
marked with `rule`. A constructor stops at the first rule that fails; only then are all of them asked for their reasons,
so that a sound object pays nothing for good errors.
"""

import re
import types
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Annotated, Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import attrs

from ..errors import InvalidFlow, Problem
from .constructor import write_constructor, written_on_first_use

Reason = str | list[Problem] | None
"""What a check says: nothing, why not in words, or (for what has parts) the problems of its parts."""

Check = Callable[[Any], Reason]

_T = TypeVar("_T", bound=type)
_Rule = TypeVar("_Rule", bound=Callable[[Any], Reason])


class Broken:
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


def kind(value: object) -> str:
    """What a value is, in words that give nothing of it away."""
    cls: type = type(value)
    return _KINDS.get(cls, f"a {cls.__name__}")


def a(cls: type) -> Check:
    """An object of this class."""
    name = f"one of {', '.join(cls)}" if issubclass(cls, StrEnum) else _KINDS.get(cls, f"a {cls.__name__}")
    return lambda value: None if isinstance(value, cls) else f"must be {name}, not {kind(value)}"


def _optional(check: Check) -> Check:
    return lambda value: None if value is None else check(value)


def check_of(annotation: Any) -> Check:
    """The check that an annotation stands for: the one it is annotated with, or that of its class."""
    if get_origin(annotation) is Annotated:
        return cast("Check", annotation.__metadata__[0])
    if get_origin(annotation) in {Union, types.UnionType}:
        (inner,) = (part for part in get_args(annotation) if part is not type(None))
        return _optional(check_of(inner))
    return a(annotation)


def rule(due: str | None = None) -> Callable[[_Rule], _Rule]:
    """Mark a method as a rule about several fields; it is not asked while one that it looks at is itself unsound.

    A rule that the default of one field cannot break is only `due` when that field is given.
    """

    def mark(method: _Rule) -> _Rule:
        method.rule_due = due  # type: ignore[attr-defined]
        return method

    return mark


def placed(place: str | int, reason: Reason) -> list[Problem]:
    """The problems of a part, with paths that begin at the whole."""
    if reason is None:
        return []
    if isinstance(reason, str):
        return [Problem((place,), reason)]
    return [Problem((place, *problem.path), problem.reason) for problem in reason]


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


def _problems_of(instance: Any, checks: dict[str, Check], rules: list[Check]) -> Iterator[Problem]:
    """Every rule that an object breaks, fields first. Runs only once something is known to be wrong."""
    unsound: set[str] = set()
    for name, check in checks.items():
        value = getattr(instance, name)
        found = placed(name, value.problems if isinstance(value, Broken) else check(value))
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


def checked(cls: _T) -> _T:
    """Give an attrs class a constructor that raises one `InvalidFlow` with every problem, and leaves no value behind.

    attrs writes the class; only its constructor is written here, because that of attrs cannot let go of its arguments:
    a traceback that shows locals would show the PIN in them.
    """

    def write() -> Callable[..., None]:
        fields = attrs.fields(cast("type[attrs.AttrsInstance]", cls))
        hints = get_type_hints(cls, include_extras=True)
        checks = {field.name: check_of(hints[field.name]) for field in fields}
        members = [member for base in cls.__mro__ for member in vars(base).values()]
        rules = [(cast("Check", member), member.rule_due) for member in members if hasattr(member, "rule_due")]

        def refusal(instance: object) -> InvalidFlow:
            return InvalidFlow(cls.__name__, _problems_of(instance, checks, [method for method, _ in rules]))

        return write_constructor(cls.__qualname__, fields, checks, rules, refusal)

    cls.__init__ = written_on_first_use(cls, write)  # type: ignore[misc]  # attrs' signature, our code
    return cls


def api_name(field: "attrs.Attribute[Any]") -> str:
    """Routee's name of a field: the Python name in camelCase, but where Routee spells it its own way."""
    own = field.metadata.get("api")
    return own or re.sub(r"_([a-z])", lambda match: match[1].upper(), field.name).rstrip("_")
