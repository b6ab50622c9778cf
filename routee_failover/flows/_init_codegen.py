"""Code generation for the `__init__` of model classes, as attrs and dataclasses do it.

Each field is converted and validated in turn; a default is valid by definition and costs nothing. When a validator
fails, the constructor deletes all of its arguments before it raises, so that no traceback holds a PIN.
"""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs

from ..secret import scrub_traceback

MISSING = object()
"""Value of a required field that was not given."""


def generate_init(
    class_name: str,
    fields: Sequence["attrs.Attribute[Any]"],
    field_validators: Mapping[str, Callable[[Any], object]],
    model_validators: Sequence[tuple[Callable[[Any], object], str | None]],
    make_error: Callable[[object, Iterable[str]], Exception],
) -> Callable[..., None]:
    """Return an `__init__` that sets the fields, or raises what `make_error` makes of the invalid object.

    `make_error` also gets the unknown keywords; a required field that was not given is `MISSING`, which no
    validator accepts. The constructor takes such a call itself, because Python's own error could give no hint.

    A validator returns `None` for what is valid. A model validator that is paired with a field name runs only if that
    field is given.
    """
    # 1. The names that the generated source refers to, and its lines.
    namespace: dict[str, Any] = {"make_error": make_error, "missing": MISSING}
    parameters: list[str] = []
    conversions: list[str] = []
    conditions: list[str] = []
    # 2. One parameter, one conversion and one condition for each field.
    for field in fields:
        name = field.name
        optional = field.default is not attrs.NOTHING
        namespace[f"default_{name}"], namespace[f"validate_{name}"], namespace[f"convert_{name}"] = (
            field.default,
            field_validators[name],
            field.converter,
        )
        parameters.append(f"{name}=default_{name}" if optional else f"{name}=missing")
        if field.converter is not None:
            guard = f"if {name} is not {f'default_{name}' if optional else 'missing'}: "
            conversions.append(f"{guard}{name} = convert_{name}({name})")
        conditions.append((f"{name} is default_{name} or " if optional else "") + f"validate_{name}({name}) is None")
    # 3. One condition for each model validator.
    for index, (method, when_given) in enumerate(model_validators):
        namespace[f"validate_model_{index}"] = method
        conditions.append(
            (f"{when_given} is default_{when_given} or " if when_given else "")
            + f"validate_model_{index}(self) is None"
        )
    # 4. The source, which is compiled and executed.
    field_names = [field.name for field in fields]
    source = [
        f"def __init__(self, *, {', '.join(parameters)}, **unknown):",
        *(f"    {line}" for line in conversions),
        "    attributes = self.__dict__",  # one dict of a class shares its keys, unlike a new dict that replaces it
        *(f"    attributes[{name!r}] = {name}" for name in field_names),
        f"    if not unknown and ({') and ('.join(conditions)}):",
        "        return",
        "    error = make_error(self, list(unknown))",
        f"    del self, attributes, unknown, {', '.join(field_names)}",
        "    raise error",
    ]
    exec(compile("\n".join(source), f"<constructor of {class_name}>", "exec"), namespace)  # noqa: S102  # made of field names alone
    init: Callable[..., None] = namespace["__init__"]
    return init


def generate_on_first_use(cls: type, generate: Callable[[], Callable[..., None]]) -> Callable[..., None]:
    """Return an `__init__` that replaces itself with a generated one when the first object is built.

    Importing the class stays cheap.
    """

    @scrub_traceback
    def __init__(self: object, /, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        generated_init = generate()
        cls.__init__ = functools.wraps(attrs_init)(generated_init)  # type: ignore[misc]
        generated_init(self, *args, **kwargs)

    attrs_init = cls.__init__  # type: ignore[misc]
    return functools.wraps(attrs_init)(__init__)
