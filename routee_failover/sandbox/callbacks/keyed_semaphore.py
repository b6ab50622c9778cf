"""Turns: at most so many at a time for each key, first come, first served, so that one key holds up no other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs


@attrs.define
class _Queue:
    semaphore: asyncio.Semaphore
    users: int = 0


class KeyedSemaphore:
    """At most `at_once` at a time for each key. A key that nobody uses is forgotten."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._queues: dict[str, _Queue] = {}

    @asynccontextmanager
    async def acquire(self, key: str) -> AsyncIterator[None]:
        """Wait for a turn, and have it."""
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = _Queue(asyncio.Semaphore(self._limit))
        queue.users += 1
        try:
            async with queue.semaphore:
                yield
        finally:
            queue.users -= 1
            if not queue.users:
                del self._queues[key]

    def __len__(self) -> int:
        return len(self._queues)
