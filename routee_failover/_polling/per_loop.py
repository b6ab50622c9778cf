"""The pollers of a client, one for each event loop in which somebody waits."""

import asyncio
from collections.abc import Iterable

from .poller import PolledRecord, Poller
from .recent_callbacks import RecentCallbacks


class PerLoopPollers:
    """Made where no loop runs; each loop gets its poller when somebody waits in it first."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._recent_callbacks = RecentCallbacks()
        self._pollers: dict[asyncio.AbstractEventLoop, Poller] = {}

    def for_running_loop(self) -> Poller:
        """The poller of the running loop."""
        loop = asyncio.get_running_loop()
        poller = self._pollers.get(loop)
        if poller is None:
            for other in list(self._pollers):
                if other.is_closed():
                    self._pollers.pop(other, None)
            poller = self._pollers[loop] = Poller(self._rate, self._recent_callbacks)
        return poller

    def notify(self, tracking_ids: Iterable[str], record: PolledRecord) -> None:
        """Tell whoever waits, in whatever loop, of a record that came without a question. Any thread may call it."""
        known = tuple(tracking_ids)
        self._recent_callbacks.add(known, record)
        for loop, poller in list(self._pollers.items()):
            if not loop.is_closed():
                loop.call_soon_threadsafe(poller.notify, known, record)

    async def aclose(self) -> None:
        """End the waits of the running loop with `ClientClosed`."""
        poller = self._pollers.pop(asyncio.get_running_loop(), None)
        if poller is not None:
            await poller.aclose()
