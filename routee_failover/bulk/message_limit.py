"""Message limit: a cap on the messages of a ledger that may ever be sent, across all runs.

A message counts from its claim on, which is before its first byte, and stops counting only once it is proven that
Routee did not accept it. So Routee never has more messages than the cap, even after a kill.
"""

import asyncio

from ..ledger import EntryState, Ledger, StateCounts


class MessageLimit:
    """Message limit of a ledger. Hold `lock` from the call of `available` until the messages are claimed."""

    def __init__(self, ledger: Ledger, max_messages: int) -> None:
        self.lock: asyncio.Lock = asyncio.Lock()
        self.reached: bool = False
        """Whether the latest pass met a message that the limit held back."""
        self._ledger = ledger
        self._max_messages = max_messages
        self._maybe_accepted: int | None = None

    def remaining(self, counts: StateCounts) -> int:
        """Return how many more messages may be claimed, given the counts of the ledger."""
        return (
            self._max_messages
            - counts.accepted
            - counts.rejected
            - counts.unknown
            - counts.sending
            - (self._maybe_accepted or 0)
        )

    async def available(self) -> int:
        """Return how many messages may be claimed now; zero or less if none may."""
        counts = await self._ledger.counts()
        if self._maybe_accepted is None:
            self._maybe_accepted = await self._count_maybe_accepted() if counts.new else 0
        return self.remaining(counts)

    async def _count_maybe_accepted(self) -> int:
        """Count NEW messages that may have been accepted: an earlier run was to resend them."""
        return len([entry async for entry in self._ledger.entries({EntryState.NEW}) if entry.fingerprint])
