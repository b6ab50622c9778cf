"""Stop signals of a run: the first Ctrl-C, SIGTERM or SIGHUP waits for messages in flight, the second exits at once."""

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
    """Counter of stop requests, which also wakes the code that waits for one."""

    count: int = 0
    _urgent: int = attrs.field(default=0, init=False)
    _changed: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)

    def record(self, name: str = "SIGINT") -> None:
        """Count a signal.

        A closed terminal sends SIGHUP, often several times, and a service manager sends it with one SIGTERM: all of
        these count as one request, so that messages in flight are waited for.
        """
        self._urgent += name != "SIGHUP"
        self.count = max(self._urgent, 1)
        self._changed.set()

    async def wait(self, timeout: float) -> None:
        """Wait for a request, or for `timeout` seconds."""
        self._changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._changed.wait()

    async def wait_or_done(self, running: "asyncio.Future[Any]", timeout: float) -> None:
        """Wait for a request, for `running` to be done, or for `timeout` seconds."""
        self._changed.clear()
        requested = asyncio.ensure_future(self._changed.wait())
        try:
            await asyncio.wait([requested, running], timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            requested.cancel()


@contextmanager
def handle_stop_signals(on_request: Callable[[], None]) -> Iterator[StopRequests]:
    """Count Ctrl-C, SIGTERM and SIGHUP instead of exiting; `on_request` is called at each, and must not raise."""
    stop_requests = StopRequests()
    loop = asyncio.get_running_loop()

    def handle(name: str) -> None:
        on_request()
        stop_requests.record(name)

    previous_handlers: dict[signal.Signals, Any] = {}
    for stop_signal in shutdown_signals():
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):  # not on Windows, nor in a thread
            previous = signal.getsignal(stop_signal)
            loop.add_signal_handler(stop_signal, handle, stop_signal.name)
            previous_handlers[stop_signal] = previous
    try:
        yield stop_requests
    finally:
        for stop_signal, previous in previous_handlers.items():
            loop.remove_signal_handler(stop_signal)
            signal.signal(stop_signal, previous)  # asyncio.run's own handler, which closes what is open


def exit_now() -> None:
    """Exit the process now: closing what is open could take as long as the responses that are no longer waited for.

    The ledger is made for that: messages in flight are found as UNKNOWN.
    """
    flush_or_discard(sys.stdout)
    flush_or_discard(sys.stderr)
    os._exit(ExitCode.INTERRUPTED)
