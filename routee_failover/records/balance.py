"""Balance of the account."""

from typing import Self

import attrs

from ._fields import get_float, get_object, get_str
from .record import JsonObject, Record


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class Balance(Record):
    """Balance of the account. `currency` is a code such as `EUR`."""

    amount: float | None
    currency: str | None

    @classmethod
    def from_dict(cls, data: JsonObject) -> Self:
        """Read the balance from a response; a missing value is `None`."""
        return cls(amount=get_float(data, "balance"), currency=get_str(get_object(data, "currency"), "code"), data=data)
