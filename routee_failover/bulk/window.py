"""The few messages between the feed and the workers: claimed, and ready to leave."""

import asyncio
from collections import deque
from collections.abc import Iterable

from .feed import Item


class ReadyWindow:
    """Messages that are ready. The feed puts in a group when there is room for one, so that both sides seldom wait."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._items: deque[Item] = deque()
        self._takers: deque[asyncio.Future[None]] = deque()
        self._room = asyncio.Event()
        self._room.set()
        self._ended = False

    async def room(self) -> None:
        """Come back when there is room for another group."""
        await self._room.wait()

    def put(self, items: Iterable[Item]) -> None:
        """Put in a group."""
        self._items.extend(items)
        if len(self._items) >= self._size:
            self._room.clear()
        self._wake(len(self._items))

    def end(self) -> None:
        """Nothing more comes."""
        self._ended = True
        self._wake(len(self._takers))

    async def take(self) -> Item | None:
        """The next message; `None` when none will come."""
        while not self._items:
            if self._ended:
                return None
            taker: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._takers.append(taker)
            await taker
        item = self._items.popleft()
        if len(self._items) < self._size:
            self._room.set()
        return item

    def clear(self) -> list[Item]:
        """What nobody takes any more."""
        left = [*self._items]
        self._items.clear()
        return left

    def _wake(self, count: int) -> None:
        while count and self._takers:
            taker = self._takers.popleft()
            if not taker.done():
                taker.set_result(None)
                count -= 1
