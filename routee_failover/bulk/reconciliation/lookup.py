"""Result of one lookup of a message in Routee's lists: found, absent, inconclusive or unlabelled."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import attrs

from ...ledger import LedgerEntry
from ...records import FlowRecord, OtpRecord


@attrs.frozen
class Found:
    """Lookup result: Routee has the message."""

    tracking_id: str | None
    channel: str | None = None
    """The channel that was tried first."""
    record: FlowRecord | OtpRecord | None = attrs.field(default=None, repr=False)


@attrs.frozen
class Absent:
    """Lookup result: a list that was read to its end does not contain the message."""


@attrs.frozen
class Inconclusive:
    """Lookup result that proves nothing, for a reason that quotes nothing of the message."""

    reason: str
    retryable: bool = True
    """Whether another lookup may show more."""
    has_response: bool = True
    """Whether Routee responded at all."""


@attrs.frozen
class Unlabelled:
    """Lookup result to be resolved: the list has flows to the same number, without a label that identifies them."""

    records: tuple[FlowRecord, ...] = attrs.field(repr=False)


LookupResult = Found | Absent | Inconclusive
NO_RECIPIENT_NUMBER = "it goes to no number that Routee's lists could be searched for"


class Lookup(Protocol):
    """Lookup of messages in the lists of one endpoint. Raises `NotSent`, `Rejected` or `NoResponse`."""

    async def find(self, entry: LedgerEntry, since: float) -> LookupResult | Unlabelled:
        """Look up a message among what Routee accepted from a day before `since` on (seconds since 1970)."""
        ...

    async def resolve_unlabelled(
        self, candidates: Sequence[tuple[LedgerEntry, Unlabelled]]
    ) -> Mapping[int, LookupResult]:
        """Return what flows without a label prove, by entry number; called once after many lookups."""
        ...

    async def finds_canary(self, canary: LedgerEntry) -> bool:
        """Return whether the same kind of lookup finds a message that is known to be accepted."""
        ...
