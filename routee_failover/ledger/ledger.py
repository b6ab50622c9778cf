"""What a ledger promises, whatever keeps it: intents are safe before the first byte leaves, and endings soon after."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any, Protocol, Self

from .intent import Counts, DeliveryCount, Ending, Fate, Found, Intent, Wanted
from .states import Move, State


class Ledger(Protocol):
    """Intents of one run, each known by its key. One message per key is ever accepted through it.

    A ledger is used as `async with`: opening makes every intent that a former process was sending UNKNOWN, because
    nobody knows how far it came. What fails raises `LedgerError`, from then on at every call: nothing more may be sent.
    """

    @property
    def run_id(self) -> str:
        """Letters that no other ledger has; the labels of its messages begin with them."""
        ...

    def now(self) -> float:
        """Seconds since 1970 by a clock that never goes back, whatever is done to the machine's."""
        ...

    async def claim(self, wanted: Sequence[Wanted], *, lease: float) -> list[Found]:
        """Take what is NEW or not there yet, for `lease` seconds, and say of each how it stands, in the same order.

        It comes back once the claims would survive a power cut. A message that is twice in `wanted` is claimed once.
        What is NEW by the caller's policy alone (`Move.AGAIN`) is claimed only for the same fingerprint as before.
        """
        ...

    async def find(self, tags: Sequence[int]) -> dict[int, Found]:
        """How those of them stand that are there; nothing is claimed."""
        ...

    async def refuse(self, wanted: Wanted, reason: str) -> bool:
        """Keep a row of which no flow can be made as INVALID; `False` where its key has another state already.

        One that is INVALID already may be told again, and one that was NEW becomes INVALID.
        """
        ...

    async def forget_invalid(self) -> None:
        """Forget the INVALID rows: the source is about to be read anew, and may have been mended.

        One that was to be sent again although it may have been taken (it has a fingerprint) is not forgotten.
        """
        ...

    def end(self, move: Move, ending: Ending) -> None:
        """Make a move of an intent, as `states.after` has it. It is written soon, without waiting."""
        ...

    async def settle(self, move: Move, ending: Ending) -> bool:
        """Make a move, and come back once it would survive a power cut; whether it changed anything."""
        ...

    async def lapse(self) -> int:
        """Make UNKNOWN whatever is SENDING past its lease; how many."""
        ...

    def learn(self, fate: Fate) -> None:
        """Keep how an accepted flow ended. It is written soon, without waiting."""
        ...

    async def flush(self) -> None:
        """Come back once everything told so far would survive a power cut. Raises `LedgerError` where it cannot."""
        ...

    async def intent(self, tag: int) -> Intent | None:
        """The intent with that tag."""
        ...

    def intents(self, states: Collection[State] | None = None, *, without_fate: bool = False) -> AsyncIterator[Intent]:
        """Intents in these states, or in all, in the order of their numbers and in constant memory.

        They may be changed meanwhile. `without_fate` gives those only of which nobody has learned how they ended.
        """
        ...

    async def counts(self) -> Counts:
        """How many there are in each state."""
        ...

    async def delivery_counts(self) -> list[DeliveryCount]:
        """Return how many accepted messages there are by status and channel of their delivery report."""
        ...

    async def get(self, name: str) -> Any:
        """The JSON that was put under a name; `None` if nothing was."""
        ...

    async def put(self, name: str, value: Mapping[str, Any]) -> None:
        """Keep JSON under a name, in the place of what was there. Never a secret."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_exc: object) -> None: ...
