"""What an inbox remembers of earlier callbacks: enough to know a repeat and a latecomer, and never more than so much.

A flow takes about a kilobyte. What was forgotten, because so many other flows came after it, is taken for new.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from .._wire.json import encode_canonical
from .event import ReceiveResult
from .progress import FlowProgress, is_stale

K = TypeVar("K")
V = TypeVar("V")


def payload_digest(payload: Mapping[str, Any]) -> bytes:
    """What two callbacks share that say the same, however their keys are ordered."""
    return hashlib.blake2b(encode_canonical(payload), digest_size=16).digest()


class BoundedDict(Generic[K, V]):
    """A mapping of at most so many keys: those set last."""

    def __init__(self, maxsize: int) -> None:
        self._maxsize = maxsize
        self._items: OrderedDict[K, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._items)

    def get(self, key: K) -> V | None:
        """What was set, unless it is forgotten."""
        return self._items.get(key)

    def set(self, key: K, value: V) -> None:
        """Remember, and forget what was set longest ago."""
        self._items[key] = value
        self._items.move_to_end(key)
        if len(self._items) > self._maxsize:
            self._items.popitem(last=False)


class Deduplicator:
    """Which callbacks were here, and how far each flow had come by the last of them."""

    def __init__(self, max_flows: int) -> None:
        self._digests: BoundedDict[bytes, bool] = BoundedDict(max_flows * 4)  # a flow calls back a few times
        self._progress: BoundedDict[tuple[str, str], FlowProgress] = BoundedDict(max_flows)

    def classify(self, key: tuple[str, str], progress: FlowProgress | None, digest: bytes) -> ReceiveResult:
        """What a callback is, by all that is remembered: `TAKEN` where it says something new."""
        if self._digests.get(digest):
            return ReceiveResult.DUPLICATE
        seen = self._progress.get(key)
        if seen is None or progress is None:
            return ReceiveResult.NEW
        if progress == seen and progress.updated_at is not None:
            return ReceiveResult.DUPLICATE  # the same state in other words, as tracking and callbacks write it
        return ReceiveResult.STALE if is_stale(progress, seen) else ReceiveResult.NEW

    def record(self, key: tuple[str, str], progress: FlowProgress | None, digest: bytes) -> None:
        """Remember one that was taken; a message that a person wrote has no standing."""
        self._digests.set(digest, True)
        if progress is not None:
            self._progress.set(key, progress)
