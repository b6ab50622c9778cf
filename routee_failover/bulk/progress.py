"""How a run stands, as a view shows it: a snapshot that costs nothing to take."""

import time
from collections import deque
from enum import StrEnum

import attrs

from ..ledger.intent import Counts
from ..values import Value


class Phase(StrEnum):
    """What a run is doing."""

    STARTING = "starting"
    SENDING = "sending"
    PAUSED = "paused"
    SETTLING = "settling"
    """All is sent that can be; what is unknown is being found out."""
    STOPPING = "stopping"
    """Nothing more is begun; what is under way ends."""
    DONE = "done"


@attrs.frozen(slots=False, eq=False, repr=False)
class Trouble(Value):
    """A message that was not accepted, in words that may be shown: the recipient is masked."""

    line: int
    recipient: str
    outcome: str
    reason: str


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class Progress(Value):
    """A snapshot of a run."""

    phase: Phase
    counts: Counts
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
    deferred: int = 0
    """How many wait for the hours of their recipients."""
    rate: float = 0.0
    """Messages a second, over the last five."""
    allowed: float | None = None
    seconds_left: float | None = None
    pause: str | None = None
    """Why nothing is begun at the moment."""
    failover: float | None = None
    """The share of messages, among those whose end is known, that came to another channel than the first."""
    problems: tuple[Trouble, ...] = ()
    """The last ones."""
    elapsed: float = 0.0


_WINDOW = 5.0


class Tally:
    """What a run counts while it goes; `BulkSender.progress` makes a snapshot of it."""

    def __init__(self) -> None:
        self.read = 0
        self.skipped = 0
        self.duplicates = 0
        self.invalid = 0
        self.deferred = 0
        self.ended = 0
        self.ends = 0
        self.failovers = 0
        self.problems: deque[Trouble] = deque(maxlen=5)
        self.began: float = time.monotonic()
        self._samples: deque[tuple[float, int]] = deque([(self.began, 0)])

    def new_pass(self) -> None:
        """Begin to count rows anew: the source is read from its beginning."""
        self.read = self.skipped = self.deferred = 0

    def sample(self) -> None:
        """Take note of how many have ended by now, about twice a second."""
        now = time.monotonic()
        self._samples.append((now, self.ended))
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
        return time.monotonic() - self.began

    @property
    def failover(self) -> float | None:
        """The share of known ends that another channel than the first came to."""
        return self.failovers / self.ends if self.ends else None
