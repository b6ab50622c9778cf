"""The one pass over a ledger, in constant memory: every number of the report."""

import math
import re
from collections.abc import Mapping
from typing import Any

from ...ledger import DeliveryReport, EntryState, Ledger, LedgerEntry, StateCounts
from ...ledger.entry import build_label
from ..currency import load_currency
from ..delivery_summary import DELIVERED, FAILED, UNKNOWN, channel_name, delivery_outcome
from ..sanitize import masked_number, sanitize
from .aggregates import CappedLabels, DurationHistogram, ReasonCounter
from .countries import CountryLookup
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
    """Go through all intents once. Raises `LedgerError` where the ledger cannot be read."""
    run, last = await ledger.get_document("run"), await ledger.get_document("last")
    collected = _SummaryBuilder(ledger.run_id, await load_currency(ledger))
    async for intent in ledger.entries():
        collected.add(intent)
    return collected.build(run if isinstance(run, Mapping) else {}, last if isinstance(last, Mapping) else {})


class _SummaryBuilder:
    """What is known after some of the intents."""

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

    def add(self, intent: LedgerEntry) -> None:
        """One more."""
        state = intent.state
        self._states[state] += 1
        if intent.attempt:
            self._add_sent(intent)
        if state is EntryState.ACCEPTED:
            self._add_accepted(intent)
        elif state is EntryState.UNKNOWN and len(self._unknown_messages) < MAX_UNKNOWN_MESSAGES:
            self._unknown_messages.append(
                UnknownMessage(
                    intent.line,
                    masked_number(intent.recipient),
                    intent.claimed_at,
                    build_label(self._run_id, intent.key_hash),
                    sanitize(intent.reason),
                )
            )
        outcome = _OUTCOMES.get(state)
        if outcome and (intent.reason or state is not EntryState.NEW):
            self._reasons.add(outcome, sanitize(intent.reason) or "no reason given", intent.line)

    def _add_sent(self, intent: LedgerEntry) -> None:
        kind = _OUTCOME_INDEX.get(intent.state)
        # What reconciliation or a callback has found out was sent long before.
        own = intent.resolved_by == "answer" and kind is not None
        until = intent.ended_at if own and intent.ended_at is not None else intent.claimed_at
        answered = own and kind != _UNKNOWN
        # It was claimed a while before its turn came. --rate is about turns, and so is the rate of the report.
        sent = max(until - intent.response_time, intent.claimed_at) if answered else intent.claimed_at
        self._timeline.add(sent, kind, started_at=intent.claimed_at, ended_at=until)
        if answered:
            self._response_times.add(intent.response_time)

    def _add_accepted(self, intent: LedgerEntry) -> None:
        proof = self._resolution_labels(sanitize(intent.resolved_by, 40))
        self._accepted_by_resolution[proof] = self._accepted_by_resolution.get(proof, 0) + 1
        first = self._channel_labels(channel_name(intent.channel))
        fate = intent.delivery_report
        if fate is None:
            journey = (first, "", UNKNOWN)
        else:
            ended = self._channel_labels(channel_name(fate.channel))
            outcome = delivery_outcome(fate.status)
            # Where it ended is not known before it has.
            journey = (first, "" if outcome == UNKNOWN else ended, outcome)
            self._add_delivery_report(intent, fate, ended, outcome)
        self._failover_paths[journey] = self._failover_paths.get(journey, 0) + 1

    def _add_delivery_report(self, intent: LedgerEntry, fate: DeliveryReport, channel: str, outcome: str) -> None:
        if outcome == DELIVERED and fate.delivery_time is not None:
            self._delivery_times.add(fate.delivery_time)
        if outcome == FAILED:
            words = ": ".join(filter(None, (fate.status, fate.reason)))
            self._reasons.add("Not delivered", sanitize(words), intent.line)
        if fate.price is not None and math.isfinite(fate.price):
            country = sanitize(fate.country, 40) if fate.country else self._countries.lookup(intent.recipient)
            cost = self._costs.setdefault((self._country_labels(country), channel), [0, 0.0])
            cost[0] += 1
            cost[1] += fate.price

    def build(self, run: Mapping[str, Any], last: Mapping[str, Any]) -> RunSummary:
        """All of it. `run` is how the run was begun, and `last` what its source knows and the ledger does not."""
        worst = self._reasons.most_common()
        # What is NEW and on the suppression list is not sent by the next run either.
        self._states[EntryState.NEW] -= min(_count(last, "suppressed_new"), self._states[EntryState.NEW])
        return RunSummary(
            run_id=self._run_id,
            endpoint=_run_setting(run, "endpoint"),
            source=_run_setting(run, "recipients"),
            flow=_run_setting(run, "flow"),
            counts=StateCounts(**{state.lower(): number for state, number in self._states.items()}),
            started_at=self._timeline.started_at,
            ended_at=self._timeline.ended_at,
            idle_seconds=self._timeline.idle_seconds,  # before the windows are merged
            rate=self._timeline.rate(),
            response_times=self._response_times.stats(),
            delivery_times=self._delivery_times.stats(),
            failover_paths=tuple(
                sorted(FailoverPath(*journey, count) for journey, count in self._failover_paths.items())
            ),
            costs=tuple(
                sorted(CostGroup(*where, int(count), price) for where, (count, price) in self._costs.items()),
            ),
            currency=self._currency,
            reasons=tuple(ReasonCount(*reason, count, lines) for reason, count, lines in worst[:MAX_REASONS]),
            other_reasons=self._reasons.other_count + sum(count for _, count, _ in worst[MAX_REASONS:]),
            unknown_messages=tuple(self._unknown_messages),
            accepted_by_resolution=self._accepted_by_resolution,
            suppressed=_count(last, "suppressed"),
        )


def _count(last: Mapping[str, Any], name: str) -> int:
    value = last.get(name)
    return value if isinstance(value, int) else 0


def _run_setting(run: Mapping[str, Any], name: str) -> str:
    """A text of the run's settings; of a path its last part, for whoever is given the page needs no other."""
    text = run.get(name)
    return sanitize(re.split(r"[/\\]", text)[-1], 120) if isinstance(text, str) else ""
