"""Ctrl-C in a run: the first lets end what is under way, the second leaves at once. SIGTERM does the same."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import attrs

from ..status import Status
from ..terminal import let_go


@attrs.define
class Asked:
    """How often somebody asked the run to end, and what wakes whoever waits for that."""

    times: int = 0
    _changed: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)

    def once_more(self) -> None:
        """Somebody asks."""
        self.times += 1
        self._changed.set()

    async def within(self, seconds: float) -> None:
        """Come back when somebody asks, or after so many seconds."""
        self._changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()

    async def or_done(self, running: "asyncio.Future[Any]", within: float) -> None:
        """Come back when somebody asks, when that is done, or after so many seconds."""
        self._changed.clear()
        asked = asyncio.ensure_future(self._changed.wait())
        try:
            await asyncio.wait([asked, running], timeout=within, return_when=asyncio.FIRST_COMPLETED)
        finally:
            asked.cancel()


@contextmanager
def asked_to_stop(then: Callable[[], None]) -> Iterator[Asked]:
    """Count Ctrl-C and SIGTERM instead of ending by them; `then` is called at each, and must not fail."""
    asked = Asked()
    loop = asyncio.get_running_loop()

    def again() -> None:
        then()
        asked.once_more()

    taken: dict[signal.Signals, Any] = {}
    for ending in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):  # not on Windows, nor in a thread
            before = signal.getsignal(ending)
            loop.add_signal_handler(ending, again)
            taken[ending] = before
    try:
        yield asked
    finally:
        for ending, before in taken.items():
            loop.remove_signal_handler(ending)
            signal.signal(ending, before)  # asyncio.run's own, which lets what is open be closed


def leave() -> None:
    """End the process now. To close what is open could take as long as the answers that nobody waits for any more.

    The ledger is made for that: what was under way is found as UNKNOWN.
    """
    let_go(sys.stdout)
    let_go(sys.stderr)
    os._exit(Status.INTERRUPTED)
