"""What one look at Routee's lists shows of a message: that it is there, that it is not, or nothing at all."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import attrs

from ...ledger import LedgerEntry
from ...records import FlowRecord, OtpRecord


@attrs.frozen
class Found:
    """Routee has it."""

    tracking_id: str | None
    channel: str | None = None
    """The channel that was tried first."""
    record: FlowRecord | OtpRecord | None = attrs.field(default=None, repr=False)


@attrs.frozen
class Absent:
    """A list that was read to its end does not have it."""


@attrs.frozen
class Inconclusive:
    """It shows nothing, for a reason in words that quote nothing of the message."""

    reason: str
    retryable: bool = True
    """Whether another look may show more."""
    answered: bool = True
    """Whether Routee has answered at all."""


@attrs.frozen
class Unlabelled:
    """Flows to the same number are there that show nothing by which one could say whose they are."""

    records: tuple[FlowRecord, ...] = attrs.field(repr=False)


LookupResult = Found | Absent | Inconclusive
NO_RECIPIENT_NUMBER = "it goes to no number, by which Routee's lists could be asked"


class Lookup(Protocol):
    """Looks for messages in the lists of one endpoint. Raises `NotSent`, `Rejected` or `NoResponse`."""

    async def find(self, entry: LedgerEntry, since: float) -> LookupResult | Unlabelled:
        """Look for a message in doubt among what Routee took from a day before `since` on (seconds since 1970)."""
        ...

    async def resolve_unlabelled(
        self, candidates: Sequence[tuple[LedgerEntry, Unlabelled]]
    ) -> Mapping[int, LookupResult]:
        """What flows without a name prove, by the numbers of the intents; asked once after many looks."""
        ...

    async def finds_canary(self, canary: LedgerEntry) -> bool:
        """Whether the same kind of look finds a message that is known to be accepted."""
        ...
