"""Scheduler of reconciliation during a run: reconciles unknown messages beside the passes, as often as is useful."""

import asyncio
import math
import time

from ..client import RouteeClient
from ..flows import Endpoint
from ..ledger import Ledger
from .reconciliation import BulkReconciler
from .reconciliation.run_endpoint import ENDPOINT_DOCUMENT_NAME
from .settings import BulkSettings

_MIN_IDLE_FACTOR = 10
"""Minimum idle time, in multiples of the duration of the last reconciliation, while none of its lookups is due."""


class ReconcileScheduler:
    """Scheduler of reconciliation: reconciles unknown messages when they are due, those of earlier runs included."""

    def __init__(self, routee: RouteeClient, ledger: Ledger, settings: BulkSettings) -> None:
        self._routee = routee
        self._ledger = ledger
        self._settings = settings
        self._reconciler: BulkReconciler | None = None
        self._lock = asyncio.Lock()
        self._last_unknown = -1
        self._due_at = self._not_before = 0.0

    async def reconciler(self) -> BulkReconciler | None:
        """Return the reconciler; `None` until the ledger names the endpoint, that is, until the first claim."""
        if self._reconciler is None:
            document = await self._ledger.get_document(ENDPOINT_DOCUMENT_NAME)
            if document is not None:
                self._reconciler = BulkReconciler(
                    self._routee,
                    self._ledger,
                    endpoint=Endpoint(document["endpoint"]),
                    on_unknown=self._settings.on_unknown,
                    reconcile_after=self._settings.reconcile_after,
                    deadline=self._settings.deadline,
                )
        return self._reconciler

    async def reconcile_due(self) -> float | None:
        """Reconcile what is due, and return the seconds until the next lookup; `None` if no lookup can resolve more.

        New unknown messages are looked up soon, but not all of them again and again for each new one.
        """
        async with self._lock:
            reconciler = await self.reconciler()
            unknown = (await self._ledger.counts()).unknown
            if reconciler is None or not unknown:
                return None
            started_at = time.monotonic()
            changed = unknown != self._last_unknown
            if started_at >= self._due_at or (changed and started_at >= self._not_before):
                result = await reconciler.reconcile()
                now = time.monotonic()
                self._last_unknown, changed = result.unknown, False
                self._due_at = math.inf if result.next_due_in is None else now + result.next_due_in
                self._not_before = now + _MIN_IDLE_FACTOR * (now - started_at)
            next_at = self._not_before if changed else self._due_at
            return None if next_at == math.inf else max(0.0, next_at - time.monotonic())
