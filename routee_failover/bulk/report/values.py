"""The numbers of a report: what the one pass over a ledger gives, and all that charts and page know."""

from typing import NamedTuple

import attrs

from ...ledger import Counts


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
    """Bars side by side, from `begin` on, without a pause between them."""

    begin: float
    bars: tuple[Bar, ...]


class Rate(NamedTuple):
    """Answers over time, in bars of `width` seconds."""

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
    """Accepted messages by the channel that was tried first and by how they ended. Channels are empty if not told."""

    first: str
    ended: str
    fate: str
    rows: int


DELIVERED, FAILED, UNDER_WAY, NOT_TOLD = "delivered", "failed", "under way", "not told"
"""How a journey stands."""


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
    counts: Counts
    begun: float | None
    ended: float | None
    rate: Rate | None
    answers: Durations | None
    """From a request to its answer."""
    deliveries: Durations | None
    """From an acceptance to the end of its flow, as far as both are told."""
    journeys: tuple[Journey, ...]
    costs: tuple[Cost, ...]
    troubles: tuple[Trouble, ...]
    other_troubles: int
    doubts: tuple[Doubt, ...]
    """The first of them."""
    proofs: dict[str, int]
    """How the acceptances were proven, and how many each way."""
    repeated: int
    """Those that were tried more than once, each time after proof that nothing was taken."""

    def fated(self, *fates: str) -> int:
        """How many accepted ones stand so."""
        return sum(journey.rows for journey in self.journeys if journey.fate in fates)

    @property
    def total_cost(self) -> float:
        """Of all whose price is told."""
        return sum(cost.price for cost in self.costs)

    @property
    def priced(self) -> int:
        """How many have a price."""
        return sum(cost.rows for cost in self.costs)
