"""Semaphore per key, first come, first served, so that one key does not hold up another."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs


@attrs.define
class _Entry:
    semaphore: asyncio.Semaphore
    users: int = 0


class KeyedSemaphore:
    """Semaphores that allow `limit` holders per key. The semaphore of an unused key is deleted."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: dict[str, _Entry] = {}

    @asynccontextmanager
    async def acquire(self, key: str) -> AsyncIterator[None]:
        """Acquire the semaphore of this key, and release it on exit."""
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = _Entry(asyncio.Semaphore(self._limit))
        entry.users += 1
        try:
            async with entry.semaphore:
                yield
        finally:
            entry.users -= 1
            if not entry.users:
                del self._entries[key]

    def __len__(self) -> int:
        return len(self._entries)
