"""What an inbox remembers of earlier callbacks: enough to know a repeat and a latecomer, and never more than so much.

A flow takes about a kilobyte. What was forgotten, because so many other flows came after it, is taken for new.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from .._wire.json import encode_canonical
from .event import Arrival
from .standing import Standing, is_older

K = TypeVar("K")
V = TypeVar("V")


def digest_of(answer: Mapping[str, Any]) -> bytes:
    """What two callbacks share that say the same, however their keys are ordered."""
    return hashlib.blake2b(encode_canonical(answer), digest_size=16).digest()


class Latest(Generic[K, V]):
    """A mapping of at most so many keys: those set last."""

    def __init__(self, most: int) -> None:
        self._most = most
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
        if len(self._items) > self._most:
            self._items.popitem(last=False)


class Memory:
    """Which callbacks were here, and how far each flow had come by the last of them."""

    def __init__(self, flows: int) -> None:
        self._digests: Latest[bytes, bool] = Latest(flows * 4)  # a flow calls back a few times
        self._standings: Latest[tuple[str, str], Standing] = Latest(flows)

    def judge(self, identity: tuple[str, str], standing: Standing | None, digest: bytes) -> Arrival:
        """What a callback is, by all that is remembered: `TAKEN` where it says something new."""
        if self._digests.get(digest):
            return Arrival.REPEATED
        seen = self._standings.get(identity)
        if seen is None or standing is None:
            return Arrival.TAKEN
        if standing == seen and standing.updated_at is not None:
            return Arrival.REPEATED  # the same state in other words, as tracking and callbacks write it
        return Arrival.STALE if is_older(standing, seen) else Arrival.TAKEN

    def note(self, identity: tuple[str, str], standing: Standing | None, digest: bytes) -> None:
        """Remember one that was taken; a message that a person wrote has no standing."""
        self._digests.set(digest, True)
        if standing is not None:
            self._standings.set(identity, standing)
