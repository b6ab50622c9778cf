"""Message limit: a cap on how many messages of a ledger may ever have left, whatever ends the runs in between.

A message counts as soon as it is claimed, which is before its first byte, and stops counting only when it is proven
that Routee has not taken it. So Routee never has more of them than the cap, also after a kill.
"""

import asyncio

from ..ledger import EntryState, Ledger, StateCounts


class MessageLimit:
    """How many messages may still be claimed. Whoever claims holds `lock` from asking until it has claimed."""

    def __init__(self, ledger: Ledger, max_messages: int) -> None:
        self.lock: asyncio.Lock = asyncio.Lock()
        self.reached: bool = False
        """Whether the latest pass met a message that the limit kept back."""
        self._ledger = ledger
        self._max_messages = max_messages
        self._maybe_accepted: int | None = None

    def remaining(self, counts: StateCounts) -> int:
        """How many more there may be, by the counts of the ledger."""
        return (
            self._max_messages
            - counts.accepted
            - counts.rejected
            - counts.unknown
            - counts.sending
            - (self._maybe_accepted or 0)
        )

    async def available(self) -> int:
        """How many may be claimed now; zero or less where none may."""
        counts = await self._ledger.counts()
        if self._maybe_accepted is None:
            self._maybe_accepted = await self._may_be_there() if counts.new else 0
        return self.remaining(counts)

    async def _may_be_there(self) -> int:
        """How many are NEW and may have been accepted: an earlier run was to send them a second time."""
        return len([intent async for intent in self._ledger.entries({EntryState.NEW}) if intent.fingerprint])
