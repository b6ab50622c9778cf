"""The few messages between the feed and the workers: claimed, and ready to leave."""

import asyncio
import time
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from ..flows import AnyFlow
from ..ledger import ClaimRequest, ClaimResult


class ClaimedMessage(NamedTuple):
    """A message that is claimed, and to be sent."""

    request: ClaimRequest
    claim: ClaimResult
    flow: AnyFlow
    lease_ends_at: float
    """When its lease is over, by the monotonic clock."""
    lease_ends_at_wall_clock: float
    """The same by the machine's clock, which goes on while the machine sleeps."""

    @property
    def has_lease(self) -> bool:
        """Whether it may leave. Either clock may have been stopped or set back, but not both."""
        return time.monotonic() < self.lease_ends_at and time.time() < self.lease_ends_at_wall_clock

    def __repr__(self) -> str:
        return f"Item({self.request!r})"


class ReadyQueue:
    """Messages that are ready. The feed puts in a group when there is room for one, so that both sides seldom wait."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._items: deque[ClaimedMessage] = deque()
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._has_capacity = asyncio.Event()
        self._has_capacity.set()
        self._closed = False

    async def wait_for_capacity(self) -> None:
        """Come back when there is room for another group."""
        await self._has_capacity.wait()

    def put(self, items: Iterable[ClaimedMessage]) -> None:
        """Put in a group."""
        self._items.extend(items)
        if len(self._items) >= self._size:
            self._has_capacity.clear()
        self._wake(len(self._items))

    def close(self) -> None:
        """Nothing more comes."""
        self._closed = True
        self._wake(len(self._waiters))

    async def get(self) -> ClaimedMessage | None:
        """The next message; `None` when none will come."""
        while not self._items:
            if self._closed:
                return None
            taker: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(taker)
            await taker
        item = self._items.popleft()
        if len(self._items) < self._size:
            self._has_capacity.set()
        return item

    def drain(self) -> list[ClaimedMessage]:
        """What nobody takes any more."""
        left = [*self._items]
        self._items.clear()
        return left

    def _wake(self, count: int) -> None:
        while count and self._waiters:
            taker = self._waiters.popleft()
            if not taker.done():
                taker.set_result(None)
                count -= 1
