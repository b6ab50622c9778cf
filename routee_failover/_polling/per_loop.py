"""Pollers of a client: one per event loop in which flows are waited for."""

import asyncio
from collections.abc import Iterable

from .poller import PolledRecord, Poller
from .recent_callbacks import RecentCallbacks


class PerLoopPollers:
    """Registry of pollers by event loop. It can be created where no loop is running.

    `rate` is the limit of each poller in requests per second. The poller of a loop is created by its first wait.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._recent_callbacks = RecentCallbacks()
        self._pollers: dict[asyncio.AbstractEventLoop, Poller] = {}

    def for_running_loop(self) -> Poller:
        """Return the poller of the running event loop."""
        loop = asyncio.get_running_loop()
        poller = self._pollers.get(loop)
        if poller is None:
            for other in list(self._pollers):
                if other.is_closed():
                    self._pollers.pop(other, None)
            poller = self._pollers[loop] = Poller(self._rate, self._recent_callbacks)
        return poller

    def notify(self, tracking_ids: Iterable[str], record: PolledRecord) -> None:
        """Pass a record that arrived by callback to the waiters of its flow in every event loop. Thread-safe."""
        ids = tuple(tracking_ids)
        self._recent_callbacks.add(ids, record)
        for loop, poller in list(self._pollers.items()):
            if not loop.is_closed():
                loop.call_soon_threadsafe(poller.notify, ids, record)

    def close(self) -> "list[asyncio.Task[None]]":
        """Fail the waits of the running event loop with `ClientClosed`; return the tasks that are about to end."""
        poller = self._pollers.pop(asyncio.get_running_loop(), None)
        return [] if poller is None else poller.close()
