"""The doubts of a run, settled beside its passes, and no more often than makes sense."""

import asyncio
import math
import time

from ..client import RouteeClient
from ..flows import Endpoint
from ..ledger import Ledger
from .reconciliation import BulkReconciler
from .settings import BulkSettings

_MIN_IDLE_FACTOR = 10
"""How many times as long as going through the doubts took they are left alone, as far as none of them is due."""


class ReconcileScheduler:
    """Has what is unknown settled as it comes; there may be some before the first message of this run."""

    def __init__(self, routee: RouteeClient, ledger: Ledger, settings: BulkSettings) -> None:
        self._routee = routee
        self._ledger = ledger
        self._settings = settings
        self._reconciler: BulkReconciler | None = None
        self._running = asyncio.Lock()
        self._last_unknown = -1
        self._due_at = self._not_before = 0.0

    async def reconciler(self) -> BulkReconciler | None:
        """Who settles them; `None` while it is not known where the messages go, which is until the first is claimed."""
        if self._reconciler is None:
            where = await self._ledger.get_document("endpoint")
            if where is not None:
                self._reconciler = BulkReconciler(
                    self._routee,
                    self._ledger,
                    endpoint=Endpoint(where["endpoint"]),
                    on_unknown=self._settings.on_unknown,
                    reconcile_after=self._settings.reconcile_after,
                    deadline=self._settings.deadline,
                )
        return self._reconciler

    async def reconcile_due(self) -> float | None:
        """Settle what is due. Seconds until something is again; `None` where no question will settle any more.

        New doubts are looked at soon, but not all doubts again and again for each new one.
        """
        async with self._running:
            settler = await self.reconciler()
            unknown = (await self._ledger.counts()).unknown
            if settler is None or not unknown:
                return None
            began = time.monotonic()
            changed = unknown != self._last_unknown
            if began >= self._due_at or (changed and began >= self._not_before):
                settled = await settler.reconcile()
                now = time.monotonic()
                self._last_unknown, changed = settled.unknown, False
                self._due_at = math.inf if settled.next_due_in is None else now + settled.next_due_in
                self._not_before = now + _MIN_IDLE_FACTOR * (now - began)
            at = self._not_before if changed else self._due_at
            return None if at == math.inf else max(0.0, at - time.monotonic())
