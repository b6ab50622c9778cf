"""How a run stands, as a view shows it: a snapshot that costs nothing to take."""

import time
from collections import deque
from enum import StrEnum

import attrs

from .._value_object import ValueObject
from ..ledger.entry import StateCounts


class Phase(StrEnum):
    """What a run is doing."""

    STARTING = "starting"
    SENDING = "sending"
    PAUSED = "paused"
    RECONCILING = "reconciling"
    """All is sent that can be; what is unknown is being found out."""
    STOPPING = "stopping"
    """Nothing more is begun; what is under way ends."""
    DONE = "done"


@attrs.frozen(slots=False, eq=False, repr=False)
class RowProblem(ValueObject):
    """A message that was not accepted, in words that may be shown: the recipient is masked."""

    line: int
    recipient: str
    outcome: str
    reason: str


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class Progress(ValueObject):
    """A snapshot of a run."""

    phase: Phase
    counts: StateCounts
    """The whole ledger, earlier runs included."""
    total: int | None = None
    """How many rows the source has, where that is known."""
    read: int = 0
    """How many rows were read in this pass over the source."""
    skipped: int = 0
    """Of them, how many an earlier run or pass had dealt with."""
    duplicates: int = 0
    """How many rows had the key of another row, which alone is sent."""
    invalid: int = 0
    key_conflicts: int = 0
    """Of the invalid rows, how many have the key of a message to another recipient: theirs gets nothing."""
    deferred: int = 0
    """How many wait for the hours of their recipients."""
    suppressed: int = 0
    """How many rows are not sent because a number of theirs is on the suppression list."""
    suppressed_new: int = 0
    """Of them, those that an earlier run has left in the ledger as NEW."""
    in_flight: int = 0
    """How many messages are being sent at this moment; the ledger's `sending` counts those too that are claimed and
    wait for their turn."""
    limit_reached: bool = False
    """Whether rows are left because `max_messages` is reached."""
    rate: float = 0.0
    """Messages a second, over the last five."""
    rate_limit: float | None = None
    seconds_left: float | None = None
    pause_reason: str | None = None
    """Why nothing is begun at the moment."""
    failover_share: float | None = None
    """The share of messages, among those whose end is known, that came to another channel than the first."""
    problems: tuple[RowProblem, ...] = ()
    """The last ones."""
    elapsed: float = 0.0


_WINDOW = 5.0


class RunCounters:
    """What a run counts while it goes; `BulkSender.progress` makes a snapshot of it."""

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
        """Begin to count rows anew: the source is read from its beginning."""
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
        """Suppressed rows, and how many of them the ledger has as NEW: a pass that ends early has not met them all."""
        return max(self._max_suppressed, self._suppressed)

    def record_sample(self, *, idle: bool = False) -> None:
        """Record how many have ended, about twice a second. While the run is idle nothing is sent: the rate is 0."""
        now = time.monotonic()
        if idle:
            self._samples.clear()
        self._samples.append((now, self.completed))
        while len(self._samples) > 2 and self._samples[1][0] <= now - _WINDOW:
            self._samples.popleft()

    @property
    def rate(self) -> float:
        """Messages a second over the last samples."""
        (since, ended), (until, now_ended) = self._samples[0], self._samples[-1]
        return (now_ended - ended) / (until - since) if until > since else 0.0

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self.started_at

    @property
    def failover_share(self) -> float | None:
        """The share of known ends that another channel than the first came to."""
        return self.failed_over / self.delivery_reports if self.delivery_reports else None
