"""Proof that a search sees this run: a message that Routee certainly took must be found before another one's absence
means anything."""  # noqa: D205, D209

import time
from collections.abc import Awaitable, Callable

import attrs

from ...ledger import EntryState, Ledger, LedgerEntry
from .reconcile_after import SettleAfter
from .sight import Lookup

_AGES = (0.0, 0.25, 1.0)
"""How many settling times ago the controls were accepted: the youngest says most, an older one is found more surely."""
_SHARE = 20
"""The ledger is gone through for controls at most a twentieth of the time."""

NONE = "no message of this run is known to be accepted, by which one could see that the search works"
BLIND = "the search does not find what Routee is known to have accepted: it lags, or sees another account"


@attrs.frozen
class Control:
    """What a search was shown to see."""

    begun_at: float
    """When the control was begun."""


class Controls:
    """Finds messages that were accepted by an answer or a callback, and looks whether the search shows them.

    The one that was begun last says most: a search that shows it has come at least so far, and a message that was begun
    before it would be shown as well. So one control stands for all doubts that are older than it.
    """

    def __init__(
        self, ledger: Ledger, lookup: Lookup, reconcile_after: SettleAfter, turn: Callable[[], Awaitable[None]]
    ) -> None:
        self._ledger = ledger
        self._lookup = lookup
        self._settle_after = reconcile_after
        self._turn = turn
        self._candidates: list[LedgerEntry] = []
        self._listed_until = 0.0

    async def look(self) -> Control | str:
        """The youngest control that the search shows now, or why there is none. Raises as `Lookup.look` does."""
        if time.monotonic() >= self._listed_until or not self._candidates:
            await self._list()
        for candidate in self._candidates:
            await self._turn()
            if await self._lookup.shows(candidate):
                return Control(candidate.claimed_at)
        return BLIND if self._candidates else NONE

    async def _list(self) -> None:
        began, now = time.monotonic(), self._ledger.now()
        best: dict[float, LedgerEntry] = {}
        async for intent in self._ledger.entries({EntryState.ACCEPTED}):
            if not intent.recipient or intent.tracking_id is None or intent.resolved_by not in {"answer", "callback"}:
                continue  # what a search has shown proves nothing about searching
            age = now - (intent.ended_at or now)
            for least in _AGES:
                kept = best.get(least)
                if age >= least * self._settle_after.seconds and (kept is None or kept.claimed_at < intent.claimed_at):
                    best[least] = intent
        self._candidates = sorted(
            {intent.number: intent for intent in best.values()}.values(), key=lambda one: one.claimed_at, reverse=True
        )
        took = time.monotonic() - began
        self._listed_until = time.monotonic() + took * _SHARE
