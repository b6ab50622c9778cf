"""The callbacks of the flows in the book, with all their attempts; a callback is forgotten with its flow."""

from collections import deque
from collections.abc import Callable, Iterator

from ..simulation.flow_store import AcceptedFlow
from ..store.base import MemoryStore, Store
from .records import CallbackRecord

_CALLBACK = "callback"

MAX_CALLBACKS_PER_FLOW = 1_000
"""When a flow has more, the oldest are forgotten, whatever became of them: people may talk all day to nobody."""


class CallbackLog:
    """Callbacks by id and by flow. `on_evicted` is told the id of each that is forgotten while others stay."""

    def __init__(self, on_evicted: Callable[[str], None]) -> None:
        self._on_evicted = on_evicted
        self._records: dict[str, CallbackRecord] = {}
        self._of_flow: dict[str, deque[str]] = {}
        self._store: Store = MemoryStore()

    def attach_store(
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
                store.delete(_CALLBACK, record.id)
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
            while len(ids) > MAX_CALLBACKS_PER_FLOW:
                self._drop(ids.popleft())
        self._records[record.id] = record
        self._store.save(_CALLBACK, record.id, record)

    def mark_attempt_started(self, record: CallbackRecord) -> None:
        """Note that an attempt has begun. A store does not: where it is not ended, it is made again."""
        self._records[record.id] = record

    def find(self, callback_id: str) -> CallbackRecord | None:
        """The callback of this id."""
        return self._records.get(callback_id)

    def for_flow(self, flow_id: str) -> list[CallbackRecord]:
        """A flow's callbacks, oldest first."""
        return [self._records[callback_id] for callback_id in self._of_flow.get(flow_id, ())]

    def newest_first(self) -> Iterator[CallbackRecord]:
        """The callbacks of all flows, from the newest to the oldest."""
        return reversed(self._records.values())

    def remove_flow(self, flow_id: str) -> None:
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
        self._store.delete(_CALLBACK, callback_id)
        self._on_evicted(callback_id)

    def __iter__(self) -> Iterator[CallbackRecord]:
        return iter(self._records.values())
