"""Signals that end a run: the first Ctrl-C drains, the second leaves at once; so do SIGTERM and a closed terminal."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import attrs

from ..exit_codes import ExitCode
from ..server import shutdown_signals
from ..terminal import flush_or_discard


@attrs.define
class StopRequests:
    """How often the run was asked to end, and what wakes whoever waits for that."""

    count: int = 0
    _urgent: int = attrs.field(default=0, init=False)
    _changed: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)

    def record(self, name: str = "SIGINT") -> None:
        """Count a signal.

        A terminal that is closed sends SIGHUP, often several times, and a service manager sends it with one SIGTERM:
        all of that asks once, and leaves behind nothing that is under way.
        """
        self._urgent += name != "SIGHUP"
        self.count = max(self._urgent, 1)
        self._changed.set()

    async def wait(self, timeout: float) -> None:
        """Come back when somebody asks, or after so many seconds."""
        self._changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._changed.wait()

    async def wait_or_done(self, running: "asyncio.Future[Any]", timeout: float) -> None:
        """Come back when somebody asks, when that is done, or after so many seconds."""
        self._changed.clear()
        asked = asyncio.ensure_future(self._changed.wait())
        try:
            await asyncio.wait([asked, running], timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            asked.cancel()


@contextmanager
def handle_stop_signals(on_request: Callable[[], None]) -> Iterator[StopRequests]:
    """Count Ctrl-C, SIGTERM and SIGHUP instead of ending by them; `then` is called at each, and must not fail."""
    asked = StopRequests()
    loop = asyncio.get_running_loop()

    def again(name: str) -> None:
        on_request()
        asked.record(name)

    taken: dict[signal.Signals, Any] = {}
    for ending in shutdown_signals():
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):  # not on Windows, nor in a thread
            before = signal.getsignal(ending)
            loop.add_signal_handler(ending, again, ending.name)
            taken[ending] = before
    try:
        yield asked
    finally:
        for ending, before in taken.items():
            loop.remove_signal_handler(ending)
            signal.signal(ending, before)  # asyncio.run's own, which lets what is open be closed


def exit_now() -> None:
    """End the process now. To close what is open could take as long as the answers that nobody waits for any more.

    The ledger is made for that: what was under way is found as UNKNOWN.
    """
    flush_or_discard(sys.stdout)
    flush_or_discard(sys.stderr)
    os._exit(ExitCode.INTERRUPTED)
