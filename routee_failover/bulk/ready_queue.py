"""Bounded queue of claimed messages between the claimer and the workers."""

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
    lease_expires_at: float
    """When its lease expires, by the monotonic clock."""
    lease_expires_at_wall_clock: float
    """The same by the machine's clock, which advances while the machine sleeps."""

    @property
    def has_lease(self) -> bool:
        """Whether the lease is still valid by both clocks. Either may have been stopped or set back, but not both."""
        return time.monotonic() < self.lease_expires_at and time.time() < self.lease_expires_at_wall_clock

    def __repr__(self) -> str:
        return f"ClaimedMessage({self.request!r})"


class ReadyQueue:
    """Bounded queue of claimed messages, filled in batches when there is capacity, so that neither side waits often."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._messages: deque[ClaimedMessage] = deque()
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._has_capacity = asyncio.Event()
        self._has_capacity.set()
        self._closed = False

    async def wait_for_capacity(self) -> None:
        """Wait until there is capacity for another batch."""
        await self._has_capacity.wait()

    def put(self, messages: Iterable[ClaimedMessage]) -> None:
        """Add a batch."""
        self._messages.extend(messages)
        if len(self._messages) >= self._size:
            self._has_capacity.clear()
        self._wake(len(self._messages))

    def close(self) -> None:
        """Close the queue: no more messages are added."""
        self._closed = True
        self._wake(len(self._waiters))

    async def get(self) -> ClaimedMessage | None:
        """Return the next message; `None` once the queue is closed and empty."""
        while not self._messages:
            if self._closed:
                return None
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter
        message = self._messages.popleft()
        if len(self._messages) < self._size:
            self._has_capacity.set()
        return message

    def drain(self) -> list[ClaimedMessage]:
        """Remove and return the messages that no worker has taken."""
        remaining = [*self._messages]
        self._messages.clear()
        return remaining

    def _wake(self, count: int) -> None:
        while count and self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                count -= 1
