"""The constructor of a model class, written as text when the class is made, as attrs and dataclasses write theirs.

Each field is converted and checked in turn; a default is sound and costs nothing. On a broken rule the constructor lets
go of everything that it was given and only then raises, so that no traceback holds a PIN.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from ..secret import scrub_traceback


def generate_init(
    class_name: str,
    fields: Sequence["attrs.Attribute[Any]"],
    field_validators: Mapping[str, Callable[[Any], object]],
    model_validators: Sequence[tuple[Callable[[Any], object], str | None]],
    make_error: Callable[[object], Exception],
) -> Callable[..., None]:
    """An `__init__` that sets the fields and returns, or raises what `refusal` makes of the unsound object.

    A check or a rule gives `None` for what is sound. A rule that is due with one field is asked only if that is given.
    """
    names: dict[str, Any] = {"refusal": make_error, "set_field": object.__setattr__}
    parameters: list[str] = []
    lines: list[str] = []
    conditions: list[str] = []
    for field in fields:
        name = field.name
        optional = field.default is not attrs.NOTHING
        names[f"default_{name}"], names[f"check_{name}"], names[f"convert_{name}"] = (
            field.default,
            field_validators[name],
            field.converter,
        )
        parameters.append(f"{name}=default_{name}" if optional else name)
        if field.converter is not None:
            given = f"if {name} is not default_{name}: " if optional else ""
            lines.append(f"{given}{name} = convert_{name}({name})")
        conditions.append((f"{name} is default_{name} or " if optional else "") + f"check_{name}({name}) is None")
    for index, (method, due) in enumerate(model_validators):
        names[f"rule_{index}"] = method
        conditions.append((f"{due} is default_{due} or " if due else "") + f"rule_{index}(self) is None")
    names_of_fields = [field.name for field in fields]
    source = [
        f"def __init__(self, *, {', '.join(parameters)}):",
        *(f"    {line}" for line in lines),
        f"    set_field(self, '__dict__', {{{', '.join(f'{name!r}: {name}' for name in names_of_fields)}}})",
        f"    if ({') and ('.join(conditions)}):",
        "        return",
        "    refused = refusal(self)",
        f"    del self, {', '.join(names_of_fields)}",
        "    raise refused",
    ]
    exec(compile("\n".join(source), f"<constructor of {class_name}>", "exec"), names)  # noqa: S102  # made of field names alone
    constructor: Callable[..., None] = names["__init__"]
    return constructor


def generate_on_first_use(cls: type, generate: Callable[[], Callable[..., None]]) -> Callable[..., None]:
    """A constructor that has the real one written when the first object is made; importing the class stays cheap."""

    @scrub_traceback
    def __init__(self: object, /, *args: Any, **given: Any) -> None:  # noqa: N807
        constructor = generate()
        cls.__init__ = functools.wraps(attrs_constructor)(constructor)  # type: ignore[misc]
        constructor(self, *args, **given)

    attrs_constructor = cls.__init__  # type: ignore[misc]
    return functools.wraps(attrs_constructor)(__init__)
