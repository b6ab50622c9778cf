"""Lookup of failover OTP flows: their list filters by recipient and label, but not by time."""

import contextlib
from collections.abc import Mapping, Sequence

from ...client import RouteeClient
from ...errors import NotFound
from ...ledger import Ledger, LedgerEntry
from ...ledger.entry import build_label
from ...records import OtpRecord
from .lookup import NO_RECIPIENT_NUMBER, Absent, Found, Inconclusive, LookupResult, Unlabelled

_UNUSED_KEY_HASH = (1 << 63) - 1
"""A key hash that no key has, except one in 2**63."""

_MAX_404_CHECKS = 3
"""Number of 404 responses for a list that must be empty before a 404 counts as an empty list."""


class OtpLookup:
    """Lookup of failover OTP flows by recipient and label.

    The records in the list do not show the label, so that Routee's label filter has to be trusted. It is checked once,
    with a label that no message has.
    """

    def __init__(self, routee: RouteeClient, ledger: Ledger) -> None:
        self._routee = routee
        self._ledger = ledger
        self._filters_by_label: bool | None = None
        self._saw_empty_list = False
        """Whether an empty list was returned."""

    async def find(self, entry: LedgerEntry, since: float) -> LookupResult:  # noqa: ARG002  # the list has no time filter
        """Look up a message of unknown outcome."""
        if not entry.recipient:
            return Inconclusive(NO_RECIPIENT_NUMBER, retryable=False)
        records = await self._records(entry.recipient, entry.key_hash)
        if not records:
            return Absent()
        if not await self._is_filtered_by_label(entry.recipient):
            return Inconclusive("Routee's list of OTP flows is not filtered by label", retryable=False)
        first = records[0].primary
        return Found(records[0].flow_id, None if first is None else first.channel, records[0])

    async def resolve_unlabelled(
        self, candidates: Sequence[tuple[LedgerEntry, Unlabelled]]
    ) -> Mapping[int, LookupResult]:
        """Return `Absent` for all: the list is filtered by label, so that no flow in it is unlabelled."""
        return {entry.number: Absent() for entry, _ in candidates}

    async def finds_canary(self, canary: LedgerEntry) -> bool:
        """Return whether the list has a message that is known to be accepted."""
        records = await self._records(canary.recipient, canary.key_hash)
        return any(record.flow_id == canary.tracking_id for record in records)

    async def _records(self, recipient: str, key_hash: int) -> list[OtpRecord]:
        try:
            return await self._search(recipient, key_hash)
        except NotFound:
            if await self._is_404_for_empty_list(recipient):
                return []
            raise

    async def _search(self, recipient: str, key_hash: int) -> list[OtpRecord]:
        label = build_label(self._ledger.run_id, key_hash)
        return [record async for record in self._routee.search_otp(phone_number=recipient, tag=label)]

    async def _is_404_for_empty_list(self, recipient: str) -> bool:
        """Return whether Routee responds with 404 to an empty list: it documents the 404 but not what it means.

        A list that must be empty, of a label that no message has, shows it. After any other response to such a list, a
        404 comes from something between this client and Routee, and proves nothing.
        """
        for _ in range(_MAX_404_CHECKS):
            if self._saw_empty_list:
                return False
            with contextlib.suppress(NotFound):
                self._saw_empty_list = not await self._search(recipient, _UNUSED_KEY_HASH)
                return False
        return True

    async def _is_filtered_by_label(self, recipient: str) -> bool:
        """Return whether the list leaves out flows with another label. The recipient has at least one flow."""
        if self._filters_by_label is None:
            self._filters_by_label = not await self._records(recipient, _UNUSED_KEY_HASH)
        return self._filters_by_label
