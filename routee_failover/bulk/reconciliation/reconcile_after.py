"""Default of `reconcile_after`: how long a message must be unknown before a search that misses it proves anything.

It follows the time to live of the flows: an OTP that lives for a minute need not stay unknown for ten. But a search
lags however short-lived a message is, so that there is a minimum. Routee does not document how far its search lags:
both limits and the margin are inferred.
"""

from datetime import timedelta

from ...ledger import Ledger

MAX_RECONCILE_AFTER = timedelta(minutes=10)
"""Also if the time to live is unknown or longer."""
MIN_RECONCILE_AFTER = timedelta(minutes=2)
_MARGIN = timedelta(minutes=1)
TTL_DOCUMENT_NAME = "time_to_live"
"""Name of the ledger document with the longest time to live of its messages, in seconds."""


def reconcile_after_for(ttl: timedelta) -> timedelta:
    """Return the default for messages with this time to live."""
    return max(MIN_RECONCILE_AFTER, min(MAX_RECONCILE_AFTER, min(ttl, MAX_RECONCILE_AFTER) + _MARGIN))


class ReconcileAfter:
    """The `reconcile_after` of a ledger: the configured one, otherwise by the TTL that is stored in the ledger."""

    def __init__(self, ledger: Ledger, configured: timedelta | None) -> None:
        self._ledger = ledger
        self._is_configured = configured is not None
        self.seconds: float = (configured or MAX_RECONCILE_AFTER).total_seconds()

    async def update(self) -> None:
        """Read the ledger again: a run may have sent messages with a longer TTL meanwhile."""
        if not self._is_configured:
            document = await self._ledger.get_document(TTL_DOCUMENT_NAME)
            ttl = MAX_RECONCILE_AFTER if document is None else timedelta(seconds=document["seconds"])
            self.seconds = reconcile_after_for(ttl).total_seconds()
