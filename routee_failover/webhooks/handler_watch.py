"""Callbacks that are being handled, and the watch for handlers that run long: enough of them would stop an inbox.

One timer watches all of them. A timer for each would be made and cancelled for every callback.
"""

import asyncio
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class RunningCallback(Generic[T]):
    """A callback that is being handled."""

    __slots__ = ("handler", "item", "key", "reported", "started_at")

    def __init__(self, key: Hashable, item: T) -> None:
        self.key: Hashable = key
        self.item: T = item
        self.handler: object = None
        """The handler that runs; `None` as long as none has begun."""
        self.started_at: float = 0.0
        """When it began, in the time of the event loop."""
        self.reported: bool = False
        """Whether it was reported as slow."""


class HandlerWatch(Generic[T]):
    """Callbacks that are being handled, by key.

    `on_slow` gets each whose handler has run for `threshold` seconds, once for each handler.
    """

    def __init__(self, threshold: float, on_slow: Callable[[RunningCallback[T], float], None]) -> None:
        self._threshold = threshold
        self._on_slow = on_slow
        self._running: dict[Hashable, RunningCallback[T]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._running)

    def __iter__(self) -> Iterator[RunningCallback[T]]:
        return iter(list(self._running.values()))

    def add(self, key: Hashable, item: T) -> RunningCallback[T]:
        """Add a callback that is about to be handled."""
        running = self._running[key] = RunningCallback(key, item)
        return running

    def begin(self, running: RunningCallback[T], handler: object) -> None:
        """Watch a handler that begins."""
        running.handler, running.reported = handler, False
        running.started_at = asyncio.get_running_loop().time()
        if self._timer is None:
            self._schedule(self._threshold)

    def remove(self, running: RunningCallback[T]) -> None:
        """Remove a callback that was handled."""
        del self._running[running.key]

    def stop(self) -> None:
        """Watch no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _schedule(self, delay: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(delay, self._check)

    def _check(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        waiting: list[float] = []
        for running in self:
            if running.handler is None or running.reported:
                continue
            # A timer may fire earlier than asked for, by less than the resolution of the clock.
            remaining = running.started_at + self._threshold - now
            if remaining > 0.001:
                waiting.append(remaining)
            else:
                running.reported = True
                self._on_slow(running, now - running.started_at)
        if waiting:
            self._schedule(min(waiting))
