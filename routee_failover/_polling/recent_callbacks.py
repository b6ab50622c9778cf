"""What came by callback a moment ago: a callback may be faster than the program that is about to wait for its flow."""

import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

RETENTION_SECONDS = 60.0
"""Seconds."""
_MAX_RECORDS = 1000


class RecentCallbacks:
    """The last records that came without a question, by each of their flow's ids. Any thread may use it."""

    def __init__(self) -> None:
        self._records: OrderedDict[str, tuple[float, Any]] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, tracking_ids: Iterable[str], record: Any) -> None:
        """Keep a record for a minute, or until a thousand others have come."""
        with self._lock:
            for identity in tracking_ids:
                self._records[identity] = (time.monotonic(), record)
                self._records.move_to_end(identity)
            while len(self._records) > _MAX_RECORDS:
                self._records.popitem(last=False)

    def get(self, tracking_id: str) -> Any | None:
        """The last record of a flow, if it came within the last minute."""
        with self._lock:
            at, record = self._records.get(tracking_id, (0.0, None))
        return record if record is not None and time.monotonic() - at <= RETENTION_SECONDS else None
