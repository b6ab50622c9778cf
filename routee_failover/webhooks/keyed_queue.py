"""Keyed FIFO queue of events: concurrent across keys (flows or senders), sequential within one."""

from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class KeyedQueue(Generic[T]):
    """FIFO queue that returns the next item of a key only once the previous one is done. It never blocks."""

    def __init__(self) -> None:
        self._ready: deque[Hashable] = deque()
        """Keys that have items waiting and none being handled."""
        self._queues: dict[Hashable, deque[T]] = {}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def put(self, key: Hashable, item: T) -> None:
        """Append an item to the queue of its key."""
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = deque()
            self._ready.append(key)
        queue.append(item)
        self._size += 1

    def try_get(self) -> tuple[Hashable, T] | None:
        """Return the key and the item that are next, or `None`. Call `task_done` with the key afterwards."""
        if not self._ready:
            return None
        key = self._ready.popleft()
        self._size -= 1
        return key, self._queues[key].popleft()

    def task_done(self, key: Hashable) -> None:
        """Make the next item of a key available, once the previous one is handled."""
        if self._queues[key]:
            self._ready.append(key)
        else:
            del self._queues[key]

    def clear(self) -> list[T]:
        """Remove all items that are waiting, and return them."""
        dropped = [item for queue in self._queues.values() for item in queue]
        for key in self._ready:
            del self._queues[key]
        for queue in self._queues.values():
            queue.clear()
        self._ready.clear()
        self._size = 0
        return dropped
