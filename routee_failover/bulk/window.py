"""The few messages between the feed and the workers: claimed, and ready to leave."""

import asyncio
import time
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from ..flows import AnyFlow
from ..ledger import ClaimRequest, ClaimResult


class Item(NamedTuple):
    """A message that is claimed, and to be sent."""

    wanted: ClaimRequest
    found: ClaimResult
    flow: AnyFlow
    leave_by: float
    """When its lease is over, by the monotonic clock."""
    leave_by_clock: float
    """The same by the machine's clock, which goes on while the machine sleeps."""

    @property
    def leased(self) -> bool:
        """Whether it may leave. Either clock may have been stopped or set back, but not both."""
        return time.monotonic() < self.leave_by and time.time() < self.leave_by_clock

    def __repr__(self) -> str:
        return f"Item({self.wanted!r})"


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
