"""Progress of a bulk run: an immutable snapshot for displays, and the counters behind it."""

import time
from collections import deque
from enum import StrEnum

import attrs

from .._value_object import ValueObject
from ..ledger.entry import StateCounts


class Phase(StrEnum):
    """Phase of a run: what it is doing."""

    STARTING = "starting"
    SENDING = "sending"
    PAUSED = "paused"
    RECONCILING = "reconciling"
    """All messages that can be sent are; those of unknown outcome are being reconciled."""
    STOPPING = "stopping"
    """No new message is sent; those in flight finish."""
    DONE = "done"


@attrs.frozen(slots=False, eq=False, repr=False)
class RowProblem(ValueObject):
    """Problem of a row, fit for display: why its message was not accepted or not sent. The recipient is masked."""

    line: int
    recipient: str
    outcome: str
    reason: str


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class Progress(ValueObject):
    """Progress of a run: a snapshot."""

    phase: Phase
    counts: StateCounts
    """The whole ledger, earlier runs included."""
    total: int | None = None
    """Number of rows of the source, if it is known."""
    read: int = 0
    """Rows read in this pass over the source."""
    skipped: int = 0
    """Of the rows read, those that an earlier run or pass had handled."""
    duplicates: int = 0
    """Rows with the key and the recipient of another row, which alone is sent."""
    invalid: int = 0
    key_conflicts: int = 0
    """Invalid rows that have the key of a message to another recipient: their own recipient gets nothing."""
    deferred: int = 0
    """Rows that wait for the send window of their recipients."""
    suppressed: int = 0
    """Rows that are not sent because one of their numbers is on the suppression list."""
    suppressed_new: int = 0
    """Of the suppressed rows, those that an earlier run left in the ledger as NEW."""
    in_flight: int = 0
    """Messages that are being sent now; the ledger's `sending` also counts those that are claimed and wait in the
    queue."""
    limit_reached: bool = False
    """Whether rows are left because `max_messages` is reached."""
    rate: float = 0.0
    """Messages per second, over the last five seconds."""
    rate_limit: float | None = None
    seconds_left: float | None = None
    pause_reason: str | None = None
    """Why no new message is sent at present."""
    failover_share: float | None = None
    """Share of messages, among those with a delivery report, that failed over to another channel than the first."""
    problems: tuple[RowProblem, ...] = ()
    """The most recent ones."""
    elapsed: float = 0.0


_RATE_WINDOW = 5.0


class RunCounters:
    """Counters of a run in progress; `BulkSender.progress` makes a snapshot of them."""

    def __init__(self) -> None:
        self.read: int = 0
        self.skipped: int = 0
        self.duplicates: int = 0
        self.invalid: int = 0
        self.key_conflicts: int = 0
        self.deferred: int = 0
        self.in_flight: int = 0
        self._suppressed = (0, 0)
        self._max_suppressed = (0, 0)
        self.completed: int = 0
        self.delivery_reports: int = 0
        self.failed_over: int = 0
        self.problems: deque[RowProblem] = deque(maxlen=5)
        self.started_at: float = time.monotonic()
        self._samples: deque[tuple[float, int]] = deque([(self.started_at, 0)])

    def start_pass(self) -> None:
        """Reset the row counters: the source is read from its beginning."""
        self.read = 0
        self.skipped = 0
        self.deferred = 0
        self._max_suppressed, self._suppressed = self.suppressed, (0, 0)

    def record_suppressed(self, *, is_new: bool) -> None:
        """Count a row that is not sent because of the suppression list; `is_new` says that the ledger has it."""
        rows, new = self._suppressed
        self._suppressed = rows + 1, new + is_new

    @property
    def suppressed(self) -> tuple[int, int]:
        """Suppressed rows, and how many of them are NEW in the ledger; at least as many as in the previous pass."""
        return max(self._max_suppressed, self._suppressed)

    def record_sample(self, *, idle: bool = False) -> None:
        """Record the number of completed messages, about twice a second. While the run is idle the rate is 0."""
        now = time.monotonic()
        if idle:
            self._samples.clear()
        self._samples.append((now, self.completed))
        while len(self._samples) > 2 and self._samples[1][0] <= now - _RATE_WINDOW:
            self._samples.popleft()

    @property
    def rate(self) -> float:
        """Messages per second over the recent samples."""
        (since, completed_before), (until, completed_now) = self._samples[0], self._samples[-1]
        return (completed_now - completed_before) / (until - since) if until > since else 0.0

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self.started_at

    @property
    def failover_share(self) -> float | None:
        """Share of delivery reports that name another channel than the first."""
        return self.failed_over / self.delivery_reports if self.delivery_reports else None
