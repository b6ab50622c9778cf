"""Log of callbacks with all their attempts; the callbacks of a flow are deleted with it."""

from collections import deque
from collections.abc import Callable, Iterator

from ..simulation.flow_store import AcceptedFlow
from ..store.base import MemoryStore, Store
from .records import CallbackRecord

_CALLBACK = "callback"

MAX_CALLBACKS_PER_FLOW = 1_000
"""When a flow has more, the oldest are deleted whatever their state: replies to one flow could go on without end."""


class CallbackLog:
    """Callbacks by id and by flow. `on_evicted` gets the id of each one that is deleted, except by `clear`."""

    def __init__(self, on_evicted: Callable[[str], None]) -> None:
        self._on_evicted = on_evicted
        self._records: dict[str, CallbackRecord] = {}
        self._ids_by_flow: dict[str, deque[str]] = {}
        self._store: Store = MemoryStore()

    def attach_store(
        self, store: Store, find: Callable[[str], AcceptedFlow | None]
    ) -> list[tuple[CallbackRecord, AcceptedFlow]]:
        """Load the callbacks that a store has, and save every change there from now on.

        Returns them, oldest first, with their flows. Those whose flow does not exist are deleted.
        """
        self._store = MemoryStore()  # so that loaded records are not saved again
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
        """Add a record, or replace the one of the same id."""
        if record.id not in self._records:
            ids = self._ids_by_flow.setdefault(record.flow_id, deque())
            ids.append(record.id)
            while len(ids) > MAX_CALLBACKS_PER_FLOW:
                self._evict(ids.popleft())
        self._records[record.id] = record
        self._store.save(_CALLBACK, record.id, record)

    def mark_attempt_started(self, record: CallbackRecord) -> None:
        """Update the record of a callback whose attempt has started.

        It is not saved: after a restart, an attempt without a result is made again.
        """
        self._records[record.id] = record

    def find(self, callback_id: str) -> CallbackRecord | None:
        """Return the callback of this id, or None."""
        return self._records.get(callback_id)

    def for_flow(self, flow_id: str) -> list[CallbackRecord]:
        """Return the callbacks of a flow, oldest first."""
        return [self._records[callback_id] for callback_id in self._ids_by_flow.get(flow_id, ())]

    def newest_first(self) -> Iterator[CallbackRecord]:
        """Iterate over the callbacks of all flows, newest first."""
        return reversed(self._records.values())

    def remove_flow(self, flow_id: str) -> None:
        """Delete the callbacks of a flow."""
        for callback_id in self._ids_by_flow.pop(flow_id, ()):
            self._evict(callback_id)

    def clear(self) -> None:
        """Delete every callback."""
        self._store.clear(_CALLBACK)
        self._records.clear()
        self._ids_by_flow.clear()

    def _evict(self, callback_id: str) -> None:
        del self._records[callback_id]
        self._store.delete(_CALLBACK, callback_id)
        self._on_evicted(callback_id)

    def __iter__(self) -> Iterator[CallbackRecord]:
        return iter(self._records.values())
