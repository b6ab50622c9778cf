"""The callbacks of the flows in the book, with all their attempts; a callback is forgotten with its flow."""

from collections import deque
from collections.abc import Callable, Iterator

from ..life.book import AcceptedFlow
from ..store.store import MemoryStore, Store
from .records import CallbackRecord

_CALLBACK = "callback"

MOST_OF_A_FLOW = 1_000
"""When a flow has more, the oldest are forgotten, whatever became of them: people may talk all day to nobody."""


class CallbackLog:
    """Callbacks by id and by flow. `when_dropped` is told the id of each that is forgotten while others stay."""

    def __init__(self, when_dropped: Callable[[str], None]) -> None:
        self._when_dropped = when_dropped
        self._records: dict[str, CallbackRecord] = {}
        self._of_flow: dict[str, deque[str]] = {}
        self._store: Store = MemoryStore()

    def keep_in(
        self, store: Store, find: Callable[[str], AcceptedFlow | None]
    ) -> list[tuple[CallbackRecord, AcceptedFlow]]:
        """Go on with the callbacks that a store has from before, and keep all of them there from now on.

        Gives them, oldest first, with their flows. Those whose flow is not to be found are forgotten.
        """
        self._store = MemoryStore()  # what was loaded need not be written again
        self.clear()
        found: list[tuple[CallbackRecord, AcceptedFlow]] = []
        for record in store.load(_CALLBACK, CallbackRecord):
            flow = find(record.flow_id)
            if flow is None:
                store.forget(_CALLBACK, record.id)
            else:
                self.put(record)
                found.append((record, flow))
        self._store = store
        return found

    def put(self, record: CallbackRecord) -> None:
        """Keep a record, in the place of what it was where it is known."""
        if record.id not in self._records:
            ids = self._of_flow.setdefault(record.flow_id, deque())
            ids.append(record.id)
            while len(ids) > MOST_OF_A_FLOW:
                self._drop(ids.popleft())
        self._records[record.id] = record
        self._store.save(_CALLBACK, record.id, record)

    def begin(self, record: CallbackRecord) -> None:
        """Note that an attempt has begun. A store does not: where it is not ended, it is made again."""
        self._records[record.id] = record

    def find(self, callback_id: str) -> CallbackRecord | None:
        """The callback of this id."""
        return self._records.get(callback_id)

    def of(self, flow_id: str) -> list[CallbackRecord]:
        """A flow's callbacks, oldest first."""
        return [self._records[callback_id] for callback_id in self._of_flow.get(flow_id, ())]

    def newest_first(self) -> Iterator[CallbackRecord]:
        """The callbacks of all flows, from the newest to the oldest."""
        return reversed(self._records.values())

    def forget(self, flow_id: str) -> None:
        """Forget a flow's callbacks."""
        for callback_id in self._of_flow.pop(flow_id, ()):
            self._drop(callback_id)

    def clear(self) -> None:
        """Forget every callback."""
        self._store.clear(_CALLBACK)
        self._records.clear()
        self._of_flow.clear()

    def _drop(self, callback_id: str) -> None:
        del self._records[callback_id]
        self._store.forget(_CALLBACK, callback_id)
        self._when_dropped(callback_id)

    def __iter__(self) -> Iterator[CallbackRecord]:
        return iter(self._records.values())
