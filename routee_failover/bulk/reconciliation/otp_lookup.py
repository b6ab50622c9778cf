"""Looking for failover OTP flows: their list goes by recipient and label, and by no time."""

import contextlib
from collections.abc import Mapping, Sequence

from ...client import RouteeClient
from ...errors import NotFound
from ...ledger import Ledger, LedgerEntry
from ...ledger.entry import build_label
from ...records import OtpRecord
from .lookup import NO_RECIPIENT_NUMBER, Absent, Found, Inconclusive, LookupResult, Unlabelled

_UNUSED_KEY_HASH = (1 << 63) - 1
"""A tag that no key has, or one in 2**63."""

_MAX_404_CHECKS = 3
"""How often a list that must be empty has to be answered with 404 before that is taken to mean that it is."""


class OtpLookup:
    """Looks for failover OTP flows by recipient and label.

    The records in the list do not show the label, so that one has to trust Routee to go by it. That it does is tried
    once, with a label that nobody has.
    """

    def __init__(self, routee: RouteeClient, ledger: Ledger) -> None:
        self._routee = routee
        self._ledger = ledger
        self._filters_by_label: bool | None = None
        self._saw_empty_list = False
        """Whether an empty list was seen."""

    async def find(self, entry: LedgerEntry, since: float) -> LookupResult:  # noqa: ARG002  # it cannot be asked for times
        """Look for a message in doubt."""
        if not entry.recipient:
            return Inconclusive(NO_RECIPIENT_NUMBER, retryable=False)
        records = await self._records(entry.recipient, entry.key_hash)
        if not records:
            return Absent()
        if not await self._check_label_filter(entry.recipient):
            return Inconclusive("Routee's list of OTP flows does not go by their label", retryable=False)
        first = records[0].primary
        return Found(records[0].flow_id, None if first is None else first.channel, records[0])

    async def resolve_unlabelled(
        self, candidates: Sequence[tuple[LedgerEntry, Unlabelled]]
    ) -> Mapping[int, LookupResult]:
        """Its list is asked for the label: nothing in it is without a name."""
        return {intent.number: Absent() for intent, _ in candidates}

    async def finds_canary(self, canary: LedgerEntry) -> bool:
        """Whether the list has a message that is known to be accepted."""
        records = await self._records(canary.recipient, canary.key_hash)
        return any(record.flow_id == canary.tracking_id for record in records)

    async def _records(self, recipient: str, tag: int) -> list[OtpRecord]:
        try:
            return await self._asked(recipient, tag)
        except NotFound:
            if await self._is_404_for_none(recipient):
                return []
            raise

    async def _asked(self, recipient: str, tag: int) -> list[OtpRecord]:
        label = build_label(self._ledger.run_id, tag)
        return [record async for record in self._routee.search_otp(phone_number=recipient, tag=label)]

    async def _is_404_for_none(self, recipient: str) -> bool:
        """Whether the list is answered with 404 where it holds nothing: Routee documents the 404 and not what it means.

        A list that must be empty, of a label that nobody has, shows it. Once that was answered otherwise, a 404 comes
        of something that stands between us and Routee, and proves nothing.
        """
        for _ in range(_MAX_404_CHECKS):
            if self._saw_empty_list:
                return False
            with contextlib.suppress(NotFound):
                self._saw_empty_list = not await self._asked(recipient, _UNUSED_KEY_HASH)
                return False
        return True

    async def _check_label_filter(self, recipient: str) -> bool:
        """Whether the list leaves out what has another label. The recipient has at least one flow."""
        if self._filters_by_label is None:
            self._filters_by_label = not await self._records(recipient, _UNUSED_KEY_HASH)
        return self._filters_by_label
