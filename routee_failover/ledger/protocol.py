"""Protocol of every ledger: entries are durable before the first byte is sent, and outcomes soon after."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any, Protocol, Self

from .entry import ClaimRequest, ClaimResult, DeliveryCount, DeliveryReport, LedgerEntry, StateCounts, TransitionDetails
from .state_machine import EntryState, Transition


class Ledger(Protocol):
    """Ledger of one run: its entries, each identified by its key.

    At most one message per key is ever accepted through it, except by the caller's policy (`Transition.RESEND`).

    A ledger is used as `async with`. Opening it makes UNKNOWN every entry that a former process was sending, because
    it cannot be known how far that came. A failure raises `LedgerError`, from then on at every call: nothing more may
    be sent.
    """

    @property
    def run_id(self) -> str:
        """Unique id of the ledger; the labels of its messages begin with it."""
        ...

    def now(self) -> float:
        """Return seconds since 1970, by a clock that never goes back, even if the machine's clock is set back."""
        ...

    async def claim(self, requests: Sequence[ClaimRequest], *, lease: float) -> list[ClaimResult]:
        """Claim for `lease` seconds what is NEW or not in the ledger yet, and return one result per request, in order.

        It returns once the claims would survive a power cut. A message that occurs twice in `requests` is claimed
        once. An entry that is NEW by the caller's policy alone (`Transition.RESEND`) is claimed only with the
        fingerprint that it had before.
        """
        ...

    async def find(self, key_hashes: Sequence[int]) -> dict[int, ClaimResult]:
        """Return the entries with these key hashes, by key hash; nothing is claimed."""
        ...

    async def mark_invalid(self, request: ClaimRequest, reason: str) -> bool:
        """Record as INVALID a row from which no flow can be built; `False` if its key has another state already.

        An entry that is INVALID already is updated, and one that was NEW becomes INVALID.
        """
        ...

    async def delete_invalid(self) -> None:
        """Delete the INVALID entries: the source is about to be read again, and may have been corrected.

        An entry that was to be resent although it may have been accepted (it has a fingerprint) is kept.
        """
        ...

    def record(self, transition: Transition, details: TransitionDetails) -> None:
        """Record a transition as `state_machine.next_state` defines it. It is written soon, without waiting."""
        ...

    async def apply(self, transition: Transition, details: TransitionDetails) -> bool:
        """Apply a transition, and return whether it changed anything, once it would survive a power cut."""
        ...

    async def expire_leases(self) -> int:
        """Make UNKNOWN the entries that are SENDING past their lease; return their number."""
        ...

    def record_delivery_report(self, report: DeliveryReport) -> None:
        """Record the delivery report of an accepted flow. It is written soon, without waiting."""
        ...

    async def flush(self) -> None:
        """Return once everything recorded so far would survive a power cut. Raises `LedgerError` if it cannot."""
        ...

    async def entry(self, key_hash: int) -> LedgerEntry | None:
        """Return the entry with this key hash."""
        ...

    def entries(
        self, states: Collection[EntryState] | None = None, *, without_report: bool = False
    ) -> AsyncIterator[LedgerEntry]:
        """Iterate over the entries in these states, or in all, in the order of their numbers and in constant memory.

        They may be changed meanwhile. `without_report` leaves out entries that have a delivery report.
        """
        ...

    async def counts(self) -> StateCounts:
        """Return the number of entries in each state."""
        ...

    async def delivery_counts(self) -> list[DeliveryCount]:
        """Return the number of accepted messages by status and channel of their delivery report."""
        ...

    async def get_document(self, name: str) -> Any:
        """Return the JSON document with this name; `None` if there is no such document."""
        ...

    async def put_document(self, name: str, value: Mapping[str, Any]) -> None:
        """Store a JSON document, in place of an earlier one with this name. Never a secret."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_exc: object) -> None: ...
