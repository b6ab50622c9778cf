"""Sets of message keys in compact memory: about ten megabytes for a million keys, and as exact as the ledger."""

from array import array
from bisect import bisect_left
from typing import NamedTuple

from ..ledger.entry import hash_key

_SHARDS = 1024
_LOW_32_BITS = 1 << 32


class KeySet:
    """Set of keys, stored as their 63-bit hashes; the keys themselves are not kept."""

    def __init__(self) -> None:
        # Sorted arrays that stay short: a search and an insert cost about a microsecond.
        self._shards: list[array[int]] = [array("q") for _ in range(_SHARDS)]

    def add(self, key: str) -> bool:
        """Add a key, and return whether it is new."""
        key_hash = hash_key(key)
        shard = self._shards[key_hash % _SHARDS]
        index = bisect_left(shard, key_hash)
        if index < len(shard) and shard[index] == key_hash:
            return False
        shard.insert(index, key_hash)
        return True

    def __contains__(self, key: str) -> bool:
        key_hash = hash_key(key)
        shard = self._shards[key_hash % _SHARDS]
        index = bisect_left(shard, key_hash)
        return index < len(shard) and shard[index] == key_hash


class EarlierRow(NamedTuple):
    """The row that had a key first."""

    line: int
    is_same_recipient: bool
    """Compared by 32 bits of a hash: one in four thousand million other recipients counts as the same."""


class KeyIndex:
    """Index of keys, each with the recipient hash and line of its first row; a million take about twenty megabytes."""

    def __init__(self) -> None:
        self._key_hashes: list[array[int]] = [array("q") for _ in range(_SHARDS)]
        self._rows: list[array[int]] = [array("Q") for _ in range(_SHARDS)]

    def add(self, key: str, recipient: str, line: int) -> EarlierRow | None:
        """Add a key, and return the row that had it first; `None` if it is new."""
        key_hash = hash_key(key)
        shard = key_hash % _SHARDS
        key_hashes = self._key_hashes[shard]
        index = bisect_left(key_hashes, key_hash)
        recipient_hash = hash(recipient) % _LOW_32_BITS
        if index < len(key_hashes) and key_hashes[index] == key_hash:
            first_recipient_hash, first_line = divmod(self._rows[shard][index], _LOW_32_BITS)
            return EarlierRow(first_line, first_recipient_hash == recipient_hash)
        key_hashes.insert(index, key_hash)
        self._rows[shard].insert(index, recipient_hash * _LOW_32_BITS + line % _LOW_32_BITS)
        return None
