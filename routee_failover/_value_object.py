"""What makes an object a value: equal by its fields, usable as a key, and shown as each field wants to be shown.

attrs would write these three for every class, which is most of the time that importing forty of them takes.
"""

from typing import Any, cast

import attrs


class ValueObject:
    """An attrs class without slots that is compared, hashed and shown by its fields."""

    def __eq__(self, other: object) -> bool:
        return self.__dict__ == other.__dict__ if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash((type(self), *(getattr(self, field.name) for field in self._fields() if field.hash is not False)))

    def __repr__(self) -> str:
        shown = (
            f"{field.name}={(field.repr if callable(field.repr) else repr)(getattr(self, field.name))}"
            for field in self._fields()
            if field.repr
        )
        return f"{type(self).__name__}({', '.join(shown)})"

    @classmethod
    def _fields(cls) -> "tuple[attrs.Attribute[Any], ...]":
        fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(cast("type[attrs.AttrsInstance]", cls))
        return fields
