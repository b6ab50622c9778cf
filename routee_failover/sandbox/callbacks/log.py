"""The callbacks of the flows in the book, with all their attempts; a callback is forgotten with its flow."""

from collections import deque
from collections.abc import Iterator

from .records import CallbackRecord

MOST_OF_A_FLOW = 1_000
"""When a flow has more, those that came to their end are forgotten, oldest first: people may talk all day."""


class CallbackLog:
    """Callbacks by id and by flow."""

    def __init__(self) -> None:
        self._records: dict[str, CallbackRecord] = {}
        self._of_flow: dict[str, deque[str]] = {}

    def put(self, record: CallbackRecord) -> None:
        """Keep a record, in the place of what it was where it is known."""
        if record.id not in self._records:
            ids = self._of_flow.setdefault(record.flow_id, deque())
            ids.append(record.id)
            if len(ids) > MOST_OF_A_FLOW and self._records[ids[0]].state != "waiting":
                del self._records[ids.popleft()]
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
            del self._records[callback_id]

    def clear(self) -> None:
        """Forget every callback."""
        self._records.clear()
        self._of_flow.clear()

    def __iter__(self) -> Iterator[CallbackRecord]:
        return iter(self._records.values())
