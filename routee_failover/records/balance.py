"""What the account still holds."""

from typing import Self

import attrs

from .record import Json, Record, number, part, text


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class Balance(Record):
    """The account's balance. `currency` is the code of its currency, `EUR` for example."""

    amount: float | None
    currency: str | None

    @classmethod
    def read(cls, answer: Json) -> Self:
        """The balance in an answer; whatever it lacks is `None`."""
        return cls(amount=number(answer, "balance"), currency=text(part(answer, "currency"), "code"), answer=answer)
