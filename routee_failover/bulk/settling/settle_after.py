"""How long a message stays unknown before a search that does not find it proves anything, where no setting says it.

It follows the time to live of the flows: an OTP that lives for a minute need not be in doubt for ten. But a search lags
however short a message lives, so that there is a least time. How far Routee's search lags is not documented: both
limits and the margin are inferred.
"""

from datetime import timedelta

from ...ledger import Ledger

LONGEST = timedelta(minutes=10)
"""Also where the time to live is not known, or is longer."""
SHORTEST = timedelta(minutes=2)
_MARGIN = timedelta(minutes=1)
DOCUMENT = "time_to_live"
"""The name under which a ledger holds the longest time to live of its messages, in seconds."""


def settle_after_for(time_to_live: timedelta) -> timedelta:
    """Return the time for messages that live so long."""
    return max(SHORTEST, min(LONGEST, min(time_to_live, LONGEST) + _MARGIN))


class SettleAfter:
    """The time that holds for a ledger: the given one, else what the ledger says of its messages."""

    def __init__(self, ledger: Ledger, given: timedelta | None) -> None:
        self._ledger = ledger
        self._is_given = given is not None
        self.seconds: float = (given or LONGEST).total_seconds()

    async def update(self) -> None:
        """Read the ledger: a run may have sent messages meanwhile that live longer."""
        if not self._is_given:
            kept = await self._ledger.get_document(DOCUMENT)
            time_to_live = LONGEST if kept is None else timedelta(seconds=kept["seconds"])
            self.seconds = settle_after_for(time_to_live).total_seconds()
