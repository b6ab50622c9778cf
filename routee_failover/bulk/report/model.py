"""The numbers of a report: what the one pass over a ledger gives, and all that charts and page know."""

from typing import NamedTuple

import attrs

from ...ledger import StateCounts


class RateBar(NamedTuple):
    """What was answered in one stretch of time."""

    accepted: int = 0
    rejected: int = 0
    unknown: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.accepted + self.rejected + self.unknown


class ActivePeriod(NamedTuple):
    """Bars side by side, from `begin` on, after so many seconds of idle time."""

    started_at: float
    bars: tuple[RateBar, ...]
    idle_before: float = 0.0


class RateSeries(NamedTuple):
    """Messages over time, in bars of `width` seconds, a second or more."""

    bar_seconds: float
    periods: tuple[ActivePeriod, ...]

    @property
    def bars(self) -> list[RateBar]:
        """Those of all stretches."""
        return [bar for stretch in self.periods for bar in stretch.bars]

    @property
    def peak_rate(self) -> float:
        """The most in a second, of all bars."""
        return max(bar.total for bar in self.bars) / self.bar_seconds


class DurationStats(NamedTuple):
    """How long something took, in seconds. The first column begins at `begin`, each next one `ratio` times later."""

    total: int
    p50: float
    p90: float
    p99: float
    minimum: float
    maximum: float
    histogram_start: float
    bucket_ratio: float
    buckets: tuple[int, ...]


class FailoverPath(NamedTuple):
    """Accepted messages by the channel that was tried first and by their delivery. Channels are empty if not known."""

    first_channel: str
    final_channel: str
    outcome: str
    """One of `deliveries.DELIVERED`, `FAILED` and `UNKNOWN`."""
    messages: int


class CostGroup(NamedTuple):
    """What messages to one country by one channel cost together."""

    country: str
    channel: str
    messages: int
    price: float


class ReasonCount(NamedTuple):
    """A reason for which messages were not accepted or not delivered, how often, and the first lines of them."""

    outcome: str
    reason: str
    messages: int
    first_lines: tuple[int, ...]


class UnknownMessage(NamedTuple):
    """A message of which nobody knows whether Routee took it."""

    line: int
    recipient: str
    """Masked."""
    sent_at: float
    label: str
    reason: str


@attrs.frozen(kw_only=True)
class RunSummary:
    """A whole run in numbers; no number of a recipient is in it."""

    run_id: str
    endpoint: str
    source: str
    flow: str
    counts: StateCounts
    started_at: float | None
    ended_at: float | None
    idle_seconds: float
    """Seconds between the two in which no message was being sent."""
    rate: RateSeries | None
    response_times: DurationStats | None
    """From a request to its answer."""
    delivery_times: DurationStats | None
    """From an acceptance to the end of its flow, as far as both are known."""
    failover_paths: tuple[FailoverPath, ...]
    costs: tuple[CostGroup, ...]
    currency: str
    """Its code, as far as the account's balance has named one; else empty."""
    reasons: tuple[ReasonCount, ...]
    other_reasons: int
    unknown_messages: tuple[UnknownMessage, ...]
    """The first of them."""
    accepted_by_resolution: dict[str, int]
    """How the acceptances were proven, and how many each way."""
    suppressed: int = 0
    """Rows that the last run left out by its suppression list; `counts` holds none of them."""

    def count_accepted(self, *outcomes: str) -> int:
        """How many accepted messages have one of these delivery outcomes."""
        return sum(journey.messages for journey in self.failover_paths if journey.outcome in outcomes)

    @property
    def active_seconds(self) -> float:
        """Seconds in which messages were being sent."""
        return (
            0.0
            if self.started_at is None or self.ended_at is None
            else self.ended_at - self.started_at - self.idle_seconds
        )

    @property
    def sent_count(self) -> int:
        """Messages that were sent, whatever came of it; those in the bars of `rate`."""
        return self.counts.accepted + self.counts.rejected + self.counts.unknown

    @property
    def total_cost(self) -> float:
        """Of all whose price is told."""
        return sum(cost.price for cost in self.costs)

    @property
    def priced_count(self) -> int:
        """How many have a price."""
        return sum(cost.messages for cost in self.costs)
