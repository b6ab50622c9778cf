"""Events that wait for whoever handles them: in the order in which they came, and one of each flow at a time."""

from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class KeyedQueue(Generic[T]):
    """A queue that gives out the next of a key only once the one before is done. It never waits."""

    def __init__(self) -> None:
        self._ready: deque[Hashable] = deque()
        """Keys of which something waits and nothing is being handled."""
        self._queues: dict[Hashable, deque[T]] = {}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def put(self, key: Hashable, item: T) -> None:
        """Add one behind all others of its key."""
        lane = self._queues.get(key)
        if lane is None:
            lane = self._queues[key] = deque()
            self._ready.append(key)
        lane.append(item)
        self._size += 1

    def try_get(self) -> tuple[Hashable, T] | None:
        """The next whose turn it is, and its key, which is to be given to `done`; `None` if there is none."""
        if not self._ready:
            return None
        key = self._ready.popleft()
        self._size -= 1
        return key, self._queues[key].popleft()

    def task_done(self, key: Hashable) -> None:
        """What was taken is handled: the next of its key may be."""
        if self._queues[key]:
            self._ready.append(key)
        else:
            del self._queues[key]

    def clear(self) -> list[T]:
        """Drop all that wait, and say what that was."""
        dropped = [item for lane in self._queues.values() for item in lane]
        for key in self._ready:
            del self._queues[key]
        for lane in self._queues.values():
            lane.clear()
        self._ready.clear()
        self._size = 0
        return dropped
