"""Which keys have been before: a million of them in some ten megabytes, and as exact as the ledger is."""

from array import array
from bisect import bisect_left

from ..ledger.intent import tag_of

_SHARDS = 1024


class Seen:
    """Keys that were met; each is known by its tag alone, so that none is held here."""

    def __init__(self) -> None:
        # Sorted arrays that stay short: to look into one and to make room in it costs a microsecond.
        self._shards: list[array[int]] = [array("q") for _ in range(_SHARDS)]

    def add(self, key: str) -> bool:
        """Whether the key is new."""
        tag = tag_of(key)
        shard = self._shards[tag % _SHARDS]
        place = bisect_left(shard, tag)
        if place < len(shard) and shard[place] == tag:
            return False
        shard.insert(place, tag)
        return True

    def __contains__(self, key: str) -> bool:
        tag = tag_of(key)
        shard = self._shards[tag % _SHARDS]
        place = bisect_left(shard, tag)
        return place < len(shard) and shard[place] == tag
