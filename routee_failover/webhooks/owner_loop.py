"""Event loop that an inbox belongs to, and the way into it from other threads and loops.

Everything that an inbox remembers is changed in its loop alone, so none of it needs a lock. A call from elsewhere is
handed over, and either runs there as a whole or is withdrawn before it has begun.
"""

import asyncio
import threading
from asyncio import _get_running_loop  # pyright: ignore[reportPrivateUsage]  # it does not raise without a loop
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")

HAND_OVER_SECONDS = 1.0
"""How long a call waits for the loop to run it. Routee waits 2 seconds for the response."""


class LoopUnavailable(Exception):
    """The loop did not run a call that was handed over, and never will."""


class OwnerLoop:
    """The loop that an inbox belongs to. `on_change` is called when it belongs to another one than before."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self.loop: asyncio.AbstractEventLoop | None = None
        self.lock: threading.RLock = threading.RLock()
        """Held while the loop changes, and by what runs in no loop because there is none yet."""

    def claim(self, *, take_over: bool = False) -> bool:
        """Return whether the running loop is the owner. It becomes the owner if there is none, or only a closed one.

        With `take_over`, it becomes the owner in any case.
        """
        loop = _get_running_loop()
        if loop is None:
            return False
        if loop is self.loop:
            return True
        with self.lock:
            if self.loop is not None and not self.loop.is_closed() and not take_over:
                return False
            if self.loop is not None:
                self._on_change()
            self.loop = loop
            return True

    @property
    def is_elsewhere(self) -> bool:
        """Whether another loop is the owner, and runs."""
        return self.loop is not None and self.loop.is_running() and self.loop is not _get_running_loop()

    def submit(self, function: Callable[[], T]) -> "Future[T]":
        """Hand a function over to the loop. Raises `LoopUnavailable` if the loop does not run."""
        loop = self.loop
        future: Future[T] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            if self.loop is not loop:
                future.set_exception(LoopUnavailable())
                return
            try:
                future.set_result(function())
            except BaseException as error:
                future.set_exception(error)
                if not isinstance(error, Exception):
                    raise

        if loop is None or not loop.is_running():
            raise LoopUnavailable
        try:
            loop.call_soon_threadsafe(run)
        except RuntimeError:
            raise LoopUnavailable from None
        return future

    def call(self, function: Callable[[], T]) -> T:
        """Run a function in the loop, and block this thread for its result.

        Raises `LoopUnavailable` if the loop does not run it within a second: then it does not run later either.
        """
        future = self.submit(function)
        try:
            return future.result(HAND_OVER_SECONDS)
        except TimeoutError:
            if future.cancel():
                raise LoopUnavailable from None
            return future.result()
        finally:
            future.cancel()  # without effect, unless the wait was interrupted

    async def call_async(self, function: Callable[[], T]) -> T:
        """Run a function in the loop as `call` does, without blocking the loop that waits for it."""
        future = self.submit(function)
        try:
            async with asyncio.timeout(HAND_OVER_SECONDS):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            if future.cancel():
                raise LoopUnavailable from None
            return await asyncio.wrap_future(future)
        finally:
            future.cancel()
