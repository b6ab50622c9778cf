"""Proof that a search sees this run: a message that Routee certainly took must be found before another one's absence
means anything."""  # noqa: D205, D209

import time
from collections.abc import Awaitable, Callable

import attrs

from ...ledger import EntryState, Ledger, LedgerEntry
from .lookup import Lookup
from .reconcile_after import ReconcileAfter

_AGES = (0.0, 0.25, 1.0)
"""How many settling times ago the controls were accepted: the youngest says most, an older one is found more surely."""
_MIN_IDLE_FACTOR = 20
"""The ledger is gone through for controls at most a twentieth of the time."""

NO_CANARY = "no message of this run is known to be accepted, by which one could see that the search works"
CANARY_NOT_FOUND = "the search does not find what Routee is known to have accepted: it lags, or sees another account"


@attrs.frozen
class FoundCanary:
    """What a search was shown to see."""

    claimed_at: float
    """When the control was begun."""


class SearchCanary:
    """Finds messages that were accepted by an answer or a callback, and looks whether the search shows them.

    The one that was begun last says most: a search that shows it has come at least so far, and a message that was begun
    before it would be shown as well. So one control stands for all doubts that are older than it.
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
        """The youngest control that the search shows now, or why there is none. Raises as `Lookup.look` does."""
        if time.monotonic() >= self._listed_until or not self._candidates:
            await self._select_candidates()
        for candidate in self._candidates:
            await self._wait_for_slot()
            if await self._lookup.finds_canary(candidate):
                return FoundCanary(candidate.claimed_at)
        return CANARY_NOT_FOUND if self._candidates else NO_CANARY

    async def _select_candidates(self) -> None:
        began, now = time.monotonic(), self._ledger.now()
        best: dict[float, LedgerEntry] = {}
        async for intent in self._ledger.entries({EntryState.ACCEPTED}):
            if not intent.recipient or intent.tracking_id is None or intent.resolved_by not in {"answer", "callback"}:
                continue  # what a search has shown proves nothing about searching
            age = now - (intent.ended_at or now)
            for least in _AGES:
                kept = best.get(least)
                if age >= least * self._reconcile_after.seconds and (
                    kept is None or kept.claimed_at < intent.claimed_at
                ):
                    best[least] = intent
        self._candidates = sorted(
            {intent.number: intent for intent in best.values()}.values(), key=lambda one: one.claimed_at, reverse=True
        )
        took = time.monotonic() - began
        self._listed_until = time.monotonic() + took * _MIN_IDLE_FACTOR
