"""Summary of a ledger: one pass in constant memory that computes every number of the report."""

import math
import re
from collections.abc import Mapping
from typing import Any

from ...ledger import DeliveryReport, EntryState, Ledger, LedgerEntry, StateCounts
from ...ledger.entry import build_label
from ..account_currency import load_currency
from ..delivery_summary import DELIVERED, FAILED, UNKNOWN, channel_name, delivery_outcome
from ..display_text import masked_number, sanitize
from .bounded_aggregates import CappedLabels, DurationHistogram, ReasonCounter
from .country_lookup import CountryLookup
from .model import CostGroup, FailoverPath, ReasonCount, RunSummary, UnknownMessage
from .timeline import Timeline

MAX_UNKNOWN_MESSAGES = 20
MAX_REASONS = 25

_OUTCOME_INDEX: Mapping[EntryState, int] = {EntryState.ACCEPTED: 0, EntryState.REJECTED: 1, EntryState.UNKNOWN: 2}
_UNKNOWN = _OUTCOME_INDEX[EntryState.UNKNOWN]
_OUTCOMES: Mapping[EntryState, str] = {
    EntryState.REJECTED: "Rejected",
    EntryState.UNKNOWN: "Unknown",
    EntryState.EXPIRED: "Expired",
    EntryState.INVALID: "Invalid",
    EntryState.NEW: "Not sent",
}


async def summarize_ledger(ledger: Ledger) -> RunSummary:
    """Aggregate all entries of a ledger, in one pass. Raises `LedgerError` if the ledger cannot be read."""
    run, last = await ledger.get_document("run"), await ledger.get_document("last")
    builder = _SummaryBuilder(ledger.run_id, await load_currency(ledger))
    async for entry in ledger.entries():
        builder.add(entry)
    return builder.build(run if isinstance(run, Mapping) else {}, last if isinstance(last, Mapping) else {})


class _SummaryBuilder:
    """Aggregates of the entries that were added so far."""

    def __init__(self, run_id: str, currency: str) -> None:
        self._run_id, self._currency = run_id, currency
        self._countries = CountryLookup()
        self._states: dict[EntryState, int] = dict.fromkeys(EntryState, 0)
        self._timeline = Timeline()
        self._response_times = DurationHistogram()
        self._delivery_times = DurationHistogram()
        self._failover_paths: dict[tuple[str, str, str], int] = {}
        self._costs: dict[tuple[str, str], list[float]] = {}
        self._reasons = ReasonCounter()
        self._unknown_messages: list[UnknownMessage] = []
        self._accepted_by_resolution: dict[str, int] = {}
        self._channel_labels = CappedLabels(8)
        self._country_labels = CappedLabels(260)
        self._resolution_labels = CappedLabels(8)

    def add(self, entry: LedgerEntry) -> None:
        """Add an entry."""
        state = entry.state
        self._states[state] += 1
        if entry.attempt:
            self._add_sent(entry)
        if state is EntryState.ACCEPTED:
            self._add_accepted(entry)
        elif state is EntryState.UNKNOWN and len(self._unknown_messages) < MAX_UNKNOWN_MESSAGES:
            self._unknown_messages.append(
                UnknownMessage(
                    entry.line,
                    masked_number(entry.recipient),
                    entry.claimed_at,
                    build_label(self._run_id, entry.key_hash),
                    sanitize(entry.reason),
                )
            )
        outcome = _OUTCOMES.get(state)
        if outcome and (entry.reason or state is not EntryState.NEW):
            self._reasons.add(outcome, sanitize(entry.reason) or "no reason given", entry.line)

    def _add_sent(self, entry: LedgerEntry) -> None:
        outcome = _OUTCOME_INDEX.get(entry.state)
        # What reconciliation or a callback resolved was sent long before `ended_at`.
        by_response = entry.resolved_by == "response" and outcome is not None
        ended_at = entry.ended_at if by_response and entry.ended_at is not None else entry.claimed_at
        has_response = by_response and outcome != _UNKNOWN
        # An entry is claimed a while before it is sent. --rate limits sends, so the report's rate is of sends as well.
        sent_at = max(ended_at - entry.response_time, entry.claimed_at) if has_response else entry.claimed_at
        self._timeline.add(sent_at, outcome, started_at=entry.claimed_at, ended_at=ended_at)
        if has_response:
            self._response_times.add(entry.response_time)

    def _add_accepted(self, entry: LedgerEntry) -> None:
        resolution = self._resolution_labels(sanitize(entry.resolved_by, 40))
        self._accepted_by_resolution[resolution] = self._accepted_by_resolution.get(resolution, 0) + 1
        first_channel = self._channel_labels(channel_name(entry.channel))
        report = entry.delivery_report
        if report is None:
            path = (first_channel, "", UNKNOWN)
        else:
            final_channel = self._channel_labels(channel_name(report.channel))
            outcome = delivery_outcome(report.status)
            # The final channel is not known before the final status.
            path = (first_channel, "" if outcome == UNKNOWN else final_channel, outcome)
            self._add_delivery_report(entry, report, final_channel, outcome)
        self._failover_paths[path] = self._failover_paths.get(path, 0) + 1

    def _add_delivery_report(self, entry: LedgerEntry, report: DeliveryReport, channel: str, outcome: str) -> None:
        if outcome == DELIVERED and report.delivery_time is not None:
            self._delivery_times.add(report.delivery_time)
        if outcome == FAILED:
            reason = ": ".join(filter(None, (report.status, report.reason)))
            self._reasons.add("Not delivered", sanitize(reason), entry.line)
        if report.price is not None and math.isfinite(report.price):
            country = sanitize(report.country, 40) if report.country else self._countries.lookup(entry.recipient)
            cost = self._costs.setdefault((self._country_labels(country), channel), [0, 0.0])
            cost[0] += 1
            cost[1] += report.price

    def build(self, run: Mapping[str, Any], last: Mapping[str, Any]) -> RunSummary:
        """Return the summary. `run` has the settings of the run, and `last` the counts that are not in the ledger."""
        reasons = self._reasons.most_common()
        raw = run.get("raw") is True  # its messages carry no label
        # Entries that are NEW and on the suppression list are not sent by the next run either.
        self._states[EntryState.NEW] -= min(_count(last, "suppressed_new"), self._states[EntryState.NEW])
        return RunSummary(
            run_id=self._run_id,
            endpoint=_run_setting(run, "endpoint"),
            raw=raw,
            source=_run_setting(run, "recipients"),
            flow=_run_setting(run, "flow"),
            counts=StateCounts(**{state.lower(): number for state, number in self._states.items()}),
            started_at=self._timeline.started_at,
            ended_at=self._timeline.ended_at,
            idle_seconds=self._timeline.idle_seconds,  # before `rate` merges windows
            rate=self._timeline.rate(),
            response_times=self._response_times.stats(),
            delivery_times=self._delivery_times.stats(),
            failover_paths=tuple(sorted(FailoverPath(*path, count) for path, count in self._failover_paths.items())),
            costs=tuple(
                sorted(CostGroup(*group, int(count), price) for group, (count, price) in self._costs.items()),
            ),
            currency=self._currency,
            reasons=tuple(ReasonCount(*reason, count, lines) for reason, count, lines in reasons[:MAX_REASONS]),
            other_reasons=self._reasons.other_count + sum(count for _, count, _ in reasons[MAX_REASONS:]),
            unknown_messages=tuple(
                message._replace(label="") if raw else message for message in self._unknown_messages
            ),
            accepted_by_resolution=self._accepted_by_resolution,
            suppressed=_count(last, "suppressed"),
        )


def _count(last: Mapping[str, Any], name: str) -> int:
    value = last.get(name)
    return value if isinstance(value, int) else 0


def _run_setting(run: Mapping[str, Any], name: str) -> str:
    """Return a text of the run's settings; of a path only the file name, so that the page shows no folders."""
    text = run.get(name)
    return sanitize(re.split(r"[/\\]", text)[-1], 120) if isinstance(text, str) else ""
