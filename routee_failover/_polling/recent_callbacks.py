"""Cache of recent callbacks: a callback may arrive before the program starts to wait for its flow."""

import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

RETENTION_SECONDS = 60.0
"""Seconds for which a record is kept."""
_MAX_RECORDS = 1000


class RecentCallbacks:
    """The last records that arrived by callback, by each tracking id of their flow. Thread-safe."""

    def __init__(self) -> None:
        self._records: OrderedDict[str, tuple[float, Any]] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, tracking_ids: Iterable[str], record: Any) -> None:
        """Keep a record for one minute, or until a thousand newer ones have been added."""
        with self._lock:
            for tracking_id in tracking_ids:
                self._records[tracking_id] = (time.monotonic(), record)
                self._records.move_to_end(tracking_id)
            while len(self._records) > _MAX_RECORDS:
                self._records.popitem(last=False)

    def get(self, tracking_id: str) -> Any | None:
        """Return the last record of a flow if it arrived within the last minute, else None."""
        with self._lock:
            added_at, record = self._records.get(tracking_id, (0.0, None))
        return record if record is not None and time.monotonic() - added_at <= RETENTION_SECONDS else None
