"""Deduplication of callbacks: recognizes duplicate and stale ones, in bounded memory.

A flow takes about a kilobyte. Once a flow is evicted, because enough other flows came after it, its callbacks count as
new.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from .._wire.json_codec import encode_canonical
from .event import ReceiveResult
from .flow_progress import FlowProgress, is_stale

K = TypeVar("K")
V = TypeVar("V")


def payload_digest(payload: Mapping[str, Any]) -> bytes:
    """Return a digest that is equal for two equal payloads, however their keys are ordered."""
    return hashlib.blake2b(encode_canonical(payload), digest_size=16).digest()


class BoundedDict(Generic[K, V]):
    """Mapping of at most `maxsize` keys: the ones that were set last."""

    def __init__(self, maxsize: int) -> None:
        self._maxsize = maxsize
        self._items: OrderedDict[K, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._items)

    def get(self, key: K) -> V | None:
        """Return the value of a key; `None` if it was not set or is evicted."""
        return self._items.get(key)

    def set(self, key: K, value: V) -> None:
        """Set a key, and evict the one that was set longest ago."""
        self._items[key] = value
        self._items.move_to_end(key)
        if len(self._items) > self._maxsize:
            self._items.popitem(last=False)


class Deduplicator:
    """Digests of the callbacks that were received, and the progress of each flow as of the last of them."""

    def __init__(self, max_flows: int) -> None:
        self._digests: BoundedDict[bytes, bool] = BoundedDict(max_flows * 4)  # a flow calls back a few times
        self._progress: BoundedDict[tuple[str, str], FlowProgress] = BoundedDict(max_flows)

    def classify(self, key: tuple[str, str], progress: FlowProgress | None, digest: bytes) -> ReceiveResult:
        """Return whether a callback is `NEW`, a `DUPLICATE` or `STALE`. Nothing is recorded."""
        if self._digests.get(digest):
            return ReceiveResult.DUPLICATE
        previous = self._progress.get(key)
        if previous is None or progress is None:
            return ReceiveResult.NEW
        if progress == previous and progress.updated_at is not None:
            return ReceiveResult.DUPLICATE  # the same state in another notation: tracking and callbacks differ in it
        return ReceiveResult.STALE if is_stale(progress, previous) else ReceiveResult.NEW

    def record(self, key: tuple[str, str], progress: FlowProgress | None, digest: bytes) -> None:
        """Record a callback that was accepted. `progress` is `None` for an inbound message."""
        self._digests.set(digest, True)
        if progress is not None:
            self._progress.set(key, progress)
