"""What the account still holds."""

from typing import Self

import attrs

from ._fields import get_float, get_object, get_str
from .record import JsonObject, Record


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class Balance(Record):
    """The account's balance. `currency` is the code of its currency, `EUR` for example."""

    amount: float | None
    currency: str | None

    @classmethod
    def from_dict(cls, data: JsonObject) -> Self:
        """The balance in an answer; whatever it lacks is `None`."""
        return cls(amount=get_float(data, "balance"), currency=get_str(get_object(data, "currency"), "code"), data=data)
