"""Search canary: a message known to be accepted, which a search must find before another's absence proves anything."""

import time
from collections.abc import Awaitable, Callable

import attrs

from ...ledger import EntryState, Ledger, LedgerEntry
from .lookup import Lookup
from .reconcile_after import ReconcileAfter

_CANARY_AGES = (0.0, 0.25, 1.0)
"""Ages of the canaries in multiples of `reconcile_after`: the youngest proves most, an older one is found more
surely."""
_MIN_IDLE_FACTOR = 20
"""The ledger is scanned for canaries at most a twentieth of the time."""

NO_CANARY = "no message of this run is known to be accepted, which could show that the search works"
CANARY_NOT_FOUND = "the search does not find what Routee is known to have accepted: it lags, or uses another account"


@attrs.frozen
class FoundCanary:
    """Search canary that was found."""

    claimed_at: float
    """When the canary was claimed."""


class SearchCanary:
    """Search canary of a run: selects messages whose acceptance a response or a callback has proven, and looks them up.

    The youngest one proves most: a search that shows it has progressed at least that far, and would also show a message
    that was sent before it. So one canary serves for all unknown messages that are older.
    """

    def __init__(
        self,
        ledger: Ledger,
        lookup: Lookup,
        reconcile_after: ReconcileAfter,
        wait_for_slot: Callable[[], Awaitable[None]],
    ) -> None:
        self._ledger = ledger
        self._lookup = lookup
        self._reconcile_after = reconcile_after
        self._wait_for_slot = wait_for_slot
        self._candidates: list[LedgerEntry] = []
        self._listed_until = 0.0

    async def probe(self) -> FoundCanary | str:
        """Return the youngest canary that the search finds now, or the reason why there is none.

        Raises as `Lookup.find` does.
        """
        if time.monotonic() >= self._listed_until or not self._candidates:
            await self._select_candidates()
        for candidate in self._candidates:
            await self._wait_for_slot()
            if await self._lookup.finds_canary(candidate):
                return FoundCanary(candidate.claimed_at)
        return CANARY_NOT_FOUND if self._candidates else NO_CANARY

    async def _select_candidates(self) -> None:
        started_at, now = time.monotonic(), self._ledger.now()
        best: dict[float, LedgerEntry] = {}
        async for entry in self._ledger.entries({EntryState.ACCEPTED}):
            if not entry.recipient or entry.tracking_id is None or entry.resolved_by not in {"response", "callback"}:
                continue  # a message that only a search has found proves nothing about the search
            age = now - (entry.ended_at or now)
            for min_age in _CANARY_AGES:
                current = best.get(min_age)
                if age >= min_age * self._reconcile_after.seconds and (
                    current is None or current.claimed_at < entry.claimed_at
                ):
                    best[min_age] = entry
        self._candidates = sorted(
            {entry.number: entry for entry in best.values()}.values(), key=lambda entry: entry.claimed_at, reverse=True
        )
        scan_time = time.monotonic() - started_at
        self._listed_until = time.monotonic() + scan_time * _MIN_IDLE_FACTOR
