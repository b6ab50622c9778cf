"""Base class of value objects: `__eq__`, `__hash__` and `__repr__` by fields, shared by all classes.

attrs would generate the three methods for each class, which is most of the import time of forty classes.
"""

from typing import Any, cast

import attrs


class ValueObject:
    """Base of an attrs class without slots that is compared, hashed and shown by its fields."""

    def __eq__(self, other: object) -> bool:
        return self.__dict__ == other.__dict__ if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash((type(self), *(getattr(self, field.name) for field in self._fields() if field.hash is not False)))

    def __repr__(self) -> str:
        items = (
            f"{field.name}={(field.repr if callable(field.repr) else repr)(getattr(self, field.name))}"
            for field in self._fields()
            if field.repr
        )
        return f"{type(self).__name__}({', '.join(items)})"

    @classmethod
    def _fields(cls) -> "tuple[attrs.Attribute[Any], ...]":
        fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(cast("type[attrs.AttrsInstance]", cls))
        return fields
