"""The numbers of a report: what the one pass over a ledger gives, and all that charts and page know."""

from typing import NamedTuple

import attrs

from ...ledger import StateCounts


class Bar(NamedTuple):
    """What was answered in one stretch of time."""

    accepted: int = 0
    rejected: int = 0
    unknown: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.accepted + self.rejected + self.unknown


class Stretch(NamedTuple):
    """Bars side by side, from `begin` on, after so many seconds of idle time."""

    begin: float
    bars: tuple[Bar, ...]
    idle: float = 0.0


class Rate(NamedTuple):
    """Messages over time, in bars of `width` seconds, a second or more."""

    width: float
    stretches: tuple[Stretch, ...]

    @property
    def bars(self) -> list[Bar]:
        """Those of all stretches."""
        return [bar for stretch in self.stretches for bar in stretch.bars]

    @property
    def peak(self) -> float:
        """The most in a second, of all bars."""
        return max(bar.total for bar in self.bars) / self.width


class Durations(NamedTuple):
    """How long something took, in seconds. The first column begins at `begin`, each next one `ratio` times later."""

    rows: int
    p50: float
    p90: float
    p99: float
    least: float
    most: float
    begin: float
    ratio: float
    columns: tuple[int, ...]


class Journey(NamedTuple):
    """Accepted messages by the channel that was tried first and by their delivery. Channels are empty if not known."""

    first: str
    ended: str
    outcome: str
    """One of `deliveries.DELIVERED`, `FAILED` and `UNKNOWN`."""
    rows: int


class Cost(NamedTuple):
    """What messages to one country by one channel cost together."""

    country: str
    channel: str
    rows: int
    price: float


class Trouble(NamedTuple):
    """A reason for which messages were not accepted or not delivered, how often, and the first lines of them."""

    outcome: str
    reason: str
    rows: int
    lines: tuple[int, ...]


class Doubt(NamedTuple):
    """A message of which nobody knows whether Routee took it."""

    line: int
    recipient: str
    """Masked."""
    since: float
    label: str
    reason: str


@attrs.frozen(kw_only=True)
class Summary:
    """A whole run in numbers; no number of a recipient is in it."""

    run_id: str
    endpoint: str
    source: str
    flow: str
    counts: StateCounts
    begun: float | None
    ended: float | None
    idle: float
    """Seconds between the two in which no message was being sent."""
    rate: Rate | None
    answers: Durations | None
    """From a request to its answer."""
    deliveries: Durations | None
    """From an acceptance to the end of its flow, as far as both are known."""
    journeys: tuple[Journey, ...]
    costs: tuple[Cost, ...]
    currency: str
    """Its code, as far as the account's balance has named one; else empty."""
    troubles: tuple[Trouble, ...]
    other_troubles: int
    doubts: tuple[Doubt, ...]
    """The first of them."""
    proofs: dict[str, int]
    """How the acceptances were proven, and how many each way."""
    suppressed: int = 0
    """Rows that the last run left out by its suppression list; `counts` holds none of them."""

    def accepted(self, *outcomes: str) -> int:
        """How many accepted messages have one of these delivery outcomes."""
        return sum(journey.rows for journey in self.journeys if journey.outcome in outcomes)

    @property
    def active(self) -> float:
        """Seconds in which messages were being sent."""
        return 0.0 if self.begun is None or self.ended is None else self.ended - self.begun - self.idle

    @property
    def sent(self) -> int:
        """Messages that were sent, whatever came of it; those in the bars of `rate`."""
        return self.counts.accepted + self.counts.rejected + self.counts.unknown

    @property
    def total_cost(self) -> float:
        """Of all whose price is told."""
        return sum(cost.price for cost in self.costs)

    @property
    def priced(self) -> int:
        """How many have a price."""
        return sum(cost.rows for cost in self.costs)
