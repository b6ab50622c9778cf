"""Which keys have been before: a million of them in some ten megabytes, and as exact as the ledger is."""

from array import array
from bisect import bisect_left
from typing import NamedTuple

from ..ledger.entry import hash_key

_SHARDS = 1024
_HALF = 1 << 32


class KeySet:
    """Keys that were met; each is known by its tag alone, so that none is held here."""

    def __init__(self) -> None:
        # Sorted arrays that stay short: to look into one and to make room in it costs a microsecond.
        self._shards: list[array[int]] = [array("q") for _ in range(_SHARDS)]

    def add(self, key: str) -> bool:
        """Whether the key is new."""
        tag = hash_key(key)
        shard = self._shards[tag % _SHARDS]
        place = bisect_left(shard, tag)
        if place < len(shard) and shard[place] == tag:
            return False
        shard.insert(place, tag)
        return True

    def __contains__(self, key: str) -> bool:
        tag = hash_key(key)
        shard = self._shards[tag % _SHARDS]
        place = bisect_left(shard, tag)
        return place < len(shard) and shard[place] == tag


class EarlierRow(NamedTuple):
    """A row that has had a key before."""

    line: int
    is_same_recipient: bool
    """By 32 bits of a hash: of four thousand million other recipients one is taken for the same."""


class KeyIndex:
    """Keys that were met, each with its first row: whom that was for, and its line; a million take twenty megabytes."""

    def __init__(self) -> None:
        self._key_hashes: list[array[int]] = [array("q") for _ in range(_SHARDS)]
        self._rows: list[array[int]] = [array("Q") for _ in range(_SHARDS)]

    def add(self, key: str, recipient: str, line: int) -> EarlierRow | None:
        """Return the row that had the key first; `None` where the key is new."""
        tag = hash_key(key)
        shard = tag % _SHARDS
        tags = self._key_hashes[shard]
        place = bisect_left(tags, tag)
        whose = hash(recipient) % _HALF
        if place < len(tags) and tags[place] == tag:
            first, first_line = divmod(self._rows[shard][place], _HALF)
            return EarlierRow(first_line, first == whose)
        tags.insert(place, tag)
        self._rows[shard].insert(place, whose * _HALF + line % _HALF)
        return None
