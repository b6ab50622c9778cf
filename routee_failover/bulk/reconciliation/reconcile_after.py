"""How long a message stays unknown before a search that does not find it proves anything, where no setting says it.

It follows the time to live of the flows: an OTP that lives for a minute need not be in doubt for ten. But a search lags
however short a message lives, so that there is a least time. How far Routee's search lags is not documented: both
limits and the margin are inferred.
"""

from datetime import timedelta

from ...ledger import Ledger

MAX_RECONCILE_AFTER = timedelta(minutes=10)
"""Also where the time to live is not known, or is longer."""
MIN_RECONCILE_AFTER = timedelta(minutes=2)
_MARGIN = timedelta(minutes=1)
TTL_DOCUMENT_NAME = "time_to_live"
"""The name under which a ledger holds the longest time to live of its messages, in seconds."""


def reconcile_after_for(ttl: timedelta) -> timedelta:
    """Return the time for messages that live so long."""
    return max(MIN_RECONCILE_AFTER, min(MAX_RECONCILE_AFTER, min(ttl, MAX_RECONCILE_AFTER) + _MARGIN))


class ReconcileAfter:
    """The time that holds for a ledger: the given one, else what the ledger says of its messages."""

    def __init__(self, ledger: Ledger, configured: timedelta | None) -> None:
        self._ledger = ledger
        self._is_configured = configured is not None
        self.seconds: float = (configured or MAX_RECONCILE_AFTER).total_seconds()

    async def update(self) -> None:
        """Read the ledger: a run may have sent messages meanwhile that live longer."""
        if not self._is_configured:
            kept = await self._ledger.get_document(TTL_DOCUMENT_NAME)
            time_to_live = MAX_RECONCILE_AFTER if kept is None else timedelta(seconds=kept["seconds"])
            self.seconds = reconcile_after_for(time_to_live).total_seconds()
