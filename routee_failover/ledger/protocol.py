"""What a ledger promises, whatever keeps it: intents are safe before the first byte leaves, and endings soon after."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any, Protocol, Self

from .entry import ClaimRequest, ClaimResult, DeliveryCount, DeliveryReport, LedgerEntry, StateCounts, TransitionDetails
from .state_machine import EntryState, Transition


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

    async def claim(self, requests: Sequence[ClaimRequest], *, lease: float) -> list[ClaimResult]:
        """Take what is NEW or not there yet, for `lease` seconds, and say of each how it stands, in the same order.

        It comes back once the claims would survive a power cut. A message that is twice in `wanted` is claimed once.
        What is NEW by the caller's policy alone (`Move.AGAIN`) is claimed only for the same fingerprint as before.
        """
        ...

    async def find(self, key_hashes: Sequence[int]) -> dict[int, ClaimResult]:
        """How those of them stand that are there; nothing is claimed."""
        ...

    async def mark_invalid(self, request: ClaimRequest, reason: str) -> bool:
        """Keep a row of which no flow can be made as INVALID; `False` where its key has another state already.

        One that is INVALID already may be told again, and one that was NEW becomes INVALID.
        """
        ...

    async def delete_invalid(self) -> None:
        """Forget the INVALID rows: the source is about to be read anew, and may have been mended.

        One that was to be sent again although it may have been taken (it has a fingerprint) is not forgotten.
        """
        ...

    def record(self, transition: Transition, details: TransitionDetails) -> None:
        """Make a move of an intent, as `states.after` has it. It is written soon, without waiting."""
        ...

    async def apply(self, transition: Transition, details: TransitionDetails) -> bool:
        """Make a move, and come back once it would survive a power cut; whether it changed anything."""
        ...

    async def expire_leases(self) -> int:
        """Make UNKNOWN whatever is SENDING past its lease; how many."""
        ...

    def record_delivery_report(self, report: DeliveryReport) -> None:
        """Keep how an accepted flow ended. It is written soon, without waiting."""
        ...

    async def flush(self) -> None:
        """Come back once everything told so far would survive a power cut. Raises `LedgerError` where it cannot."""
        ...

    async def entry(self, key_hash: int) -> LedgerEntry | None:
        """The intent with that tag."""
        ...

    def entries(
        self, states: Collection[EntryState] | None = None, *, without_report: bool = False
    ) -> AsyncIterator[LedgerEntry]:
        """Intents in these states, or in all, in the order of their numbers and in constant memory.

        They may be changed meanwhile. `without_report` gives those only of which nobody has learned how they ended.
        """
        ...

    async def counts(self) -> StateCounts:
        """How many there are in each state."""
        ...

    async def delivery_counts(self) -> list[DeliveryCount]:
        """Return how many accepted messages there are by status and channel of their delivery report."""
        ...

    async def get_document(self, name: str) -> Any:
        """The JSON that was put under a name; `None` if nothing was."""
        ...

    async def put_document(self, name: str, value: Mapping[str, Any]) -> None:
        """Keep JSON under a name, in the place of what was there. Never a secret."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_exc: object) -> None: ...
