"""Data model of the report: the result of the pass over a ledger, and the only input of charts and page."""

from typing import NamedTuple

import attrs

from ...ledger import StateCounts


class RateBar(NamedTuple):
    """Message counts of one time interval, by outcome."""

    accepted: int = 0
    rejected: int = 0
    unknown: int = 0

    @property
    def total(self) -> int:
        """Sum of the counts."""
        return self.accepted + self.rejected + self.unknown


class ActivePeriod(NamedTuple):
    """Consecutive bars from `started_at` on. `idle_before` is the idle time before them, in seconds."""

    started_at: float
    bars: tuple[RateBar, ...]
    idle_before: float = 0.0


class RateSeries(NamedTuple):
    """Messages over time, in bars of `bar_seconds`, which is at least 1."""

    bar_seconds: float
    periods: tuple[ActivePeriod, ...]

    @property
    def bars(self) -> list[RateBar]:
        """The bars of all periods."""
        return [bar for period in self.periods for bar in period.bars]

    @property
    def peak_rate(self) -> float:
        """The maximum rate of any bar, in messages a second."""
        return max(bar.total for bar in self.bars) / self.bar_seconds


class DurationStats(NamedTuple):
    """Distribution of durations in seconds; buckets start at `histogram_start` and grow by `bucket_ratio`."""

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
    """Number of accepted messages by first channel, last channel and outcome. Unknown channels are empty."""

    first_channel: str
    final_channel: str
    outcome: str
    """One of `DELIVERED`, `FAILED` and `UNKNOWN` of `delivery_summary`."""
    messages: int


class CostGroup(NamedTuple):
    """Total price of the messages to one country by one channel."""

    country: str
    channel: str
    messages: int
    price: float


class ReasonCount(NamedTuple):
    """A reason why messages were not accepted or not delivered, with their number and their first source lines."""

    outcome: str
    reason: str
    messages: int
    first_lines: tuple[int, ...]


class UnknownMessage(NamedTuple):
    """A message that Routee may have accepted."""

    line: int
    recipient: str
    """Masked."""
    sent_at: float
    label: str
    reason: str


@attrs.frozen(kw_only=True)
class RunSummary:
    """Aggregates of a whole run. It contains no unmasked phone number."""

    run_id: str
    endpoint: str
    raw: bool
    """Whether its messages are raw flows."""
    source: str
    flow: str
    counts: StateCounts
    started_at: float | None
    ended_at: float | None
    idle_seconds: float
    """Seconds between `started_at` and `ended_at` in which no message was in flight."""
    rate: RateSeries | None
    response_times: DurationStats | None
    """From a request to its response."""
    delivery_times: DurationStats | None
    """From acceptance to the final status, if both times are known."""
    failover_paths: tuple[FailoverPath, ...]
    costs: tuple[CostGroup, ...]
    currency: str
    """Code of the account's currency; empty if it is not known."""
    reasons: tuple[ReasonCount, ...]
    other_reasons: int
    unknown_messages: tuple[UnknownMessage, ...]
    """The first of them, up to a limit."""
    accepted_by_resolution: dict[str, int]
    """Number of accepted messages by what proved the acceptance (`resolved_by`)."""
    suppressed: int = 0
    """Rows that the last run skipped because of its suppression list; they are not in `counts`."""

    def count_accepted(self, *outcomes: str) -> int:
        """Return how many accepted messages have one of these delivery outcomes."""
        return sum(path.messages for path in self.failover_paths if path.outcome in outcomes)

    @property
    def active_seconds(self) -> float:
        """Seconds in which messages were in flight."""
        return (
            0.0
            if self.started_at is None or self.ended_at is None
            else self.ended_at - self.started_at - self.idle_seconds
        )

    @property
    def sent_count(self) -> int:
        """Messages that were sent, with any outcome; the same as in the bars of `rate`."""
        return self.counts.accepted + self.counts.rejected + self.counts.unknown

    @property
    def total_cost(self) -> float:
        """Total price of the messages that have one."""
        return sum(cost.price for cost in self.costs)

    @property
    def priced_count(self) -> int:
        """Number of messages that have a price."""
        return sum(cost.messages for cost in self.costs)
