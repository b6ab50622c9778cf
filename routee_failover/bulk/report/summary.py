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
from .countries import Countries
from .tally import Lengths, Names, Reasons
from .timeline import Timeline
from .values import Cost, Doubt, Journey, Summary, Trouble

MOST_DOUBTS = 20
MOST_TROUBLES = 25

_KINDS: Mapping[EntryState, int] = {EntryState.ACCEPTED: 0, EntryState.REJECTED: 1, EntryState.UNKNOWN: 2}
_UNKNOWN = _KINDS[EntryState.UNKNOWN]
_OUTCOMES: Mapping[EntryState, str] = {
    EntryState.REJECTED: "Rejected",
    EntryState.UNKNOWN: "Unknown",
    EntryState.EXPIRED: "Expired",
    EntryState.INVALID: "Invalid",
    EntryState.NEW: "Not sent",
}


async def summarise(ledger: Ledger) -> Summary:
    """Go through all intents once. Raises `LedgerError` where the ledger cannot be read."""
    run, last = await ledger.get_document("run"), await ledger.get_document("last")
    collected = _Collected(ledger.run_id, await load_currency(ledger))
    async for intent in ledger.entries():
        collected.add(intent)
    return collected.summary(run if isinstance(run, Mapping) else {}, last if isinstance(last, Mapping) else {})


class _Collected:
    """What is known after some of the intents."""

    def __init__(self, run_id: str, currency: str) -> None:
        self._run_id, self._currency = run_id, currency
        self._countries = Countries()
        self._states: dict[EntryState, int] = dict.fromkeys(EntryState, 0)
        self._timeline = Timeline()
        self._answers = Lengths()
        self._deliveries = Lengths()
        self._journeys: dict[tuple[str, str, str], int] = {}
        self._costs: dict[tuple[str, str], list[float]] = {}
        self._reasons = Reasons()
        self._doubts: list[Doubt] = []
        self._proofs: dict[str, int] = {}
        self._channel = Names(8)
        self._country = Names(260)
        self._proof = Names(8)

    def add(self, intent: LedgerEntry) -> None:
        """One more."""
        state = intent.state
        self._states[state] += 1
        if intent.attempt:
            self._sent(intent)
        if state is EntryState.ACCEPTED:
            self._accepted(intent)
        elif state is EntryState.UNKNOWN and len(self._doubts) < MOST_DOUBTS:
            self._doubts.append(
                Doubt(
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

    def _sent(self, intent: LedgerEntry) -> None:
        kind = _KINDS.get(intent.state)
        # What reconciliation or a callback has found out was sent long before.
        own = intent.resolved_by == "answer" and kind is not None
        until = intent.ended_at if own and intent.ended_at is not None else intent.claimed_at
        answered = own and kind != _UNKNOWN
        # It was claimed a while before its turn came. --rate is about turns, and so is the rate of the report.
        sent = max(until - intent.response_time, intent.claimed_at) if answered else intent.claimed_at
        self._timeline.add(sent, kind, since=intent.claimed_at, until=until)
        if answered:
            self._answers.add(intent.response_time)

    def _accepted(self, intent: LedgerEntry) -> None:
        proof = self._proof(sanitize(intent.resolved_by, 40))
        self._proofs[proof] = self._proofs.get(proof, 0) + 1
        first = self._channel(channel_name(intent.channel))
        fate = intent.delivery_report
        if fate is None:
            journey = (first, "", UNKNOWN)
        else:
            ended = self._channel(channel_name(fate.channel))
            outcome = delivery_outcome(fate.status)
            # Where it ended is not known before it has.
            journey = (first, "" if outcome == UNKNOWN else ended, outcome)
            self._reported(intent, fate, ended, outcome)
        self._journeys[journey] = self._journeys.get(journey, 0) + 1

    def _reported(self, intent: LedgerEntry, fate: DeliveryReport, channel: str, outcome: str) -> None:
        if outcome == DELIVERED and fate.delivery_time is not None:
            self._deliveries.add(fate.delivery_time)
        if outcome == FAILED:
            words = ": ".join(filter(None, (fate.status, fate.reason)))
            self._reasons.add("Not delivered", sanitize(words), intent.line)
        if fate.price is not None and math.isfinite(fate.price):
            country = sanitize(fate.country, 40) if fate.country else self._countries.of(intent.recipient)
            cost = self._costs.setdefault((self._country(country), channel), [0, 0.0])
            cost[0] += 1
            cost[1] += fate.price

    def summary(self, run: Mapping[str, Any], last: Mapping[str, Any]) -> Summary:
        """All of it. `run` is how the run was begun, and `last` what its source knows and the ledger does not."""
        worst = self._reasons.worst()
        # What is NEW and on the suppression list is not sent by the next run either.
        self._states[EntryState.NEW] -= min(_count(last, "suppressed_new"), self._states[EntryState.NEW])
        return Summary(
            run_id=self._run_id,
            endpoint=_told(run, "endpoint"),
            source=_told(run, "recipients"),
            flow=_told(run, "flow"),
            counts=StateCounts(**{state.lower(): number for state, number in self._states.items()}),
            begun=self._timeline.since,
            ended=self._timeline.until,
            idle=self._timeline.idle,  # before the windows are merged
            rate=self._timeline.rate(),
            answers=self._answers.durations(),
            deliveries=self._deliveries.durations(),
            journeys=tuple(sorted(Journey(*journey, count) for journey, count in self._journeys.items())),
            costs=tuple(
                sorted(Cost(*where, int(count), price) for where, (count, price) in self._costs.items()),
            ),
            currency=self._currency,
            troubles=tuple(Trouble(*reason, count, lines) for reason, count, lines in worst[:MOST_TROUBLES]),
            other_troubles=self._reasons.rest + sum(count for _, count, _ in worst[MOST_TROUBLES:]),
            doubts=tuple(self._doubts),
            proofs=self._proofs,
            suppressed=_count(last, "suppressed"),
        )


def _count(last: Mapping[str, Any], name: str) -> int:
    value = last.get(name)
    return value if isinstance(value, int) else 0


def _told(run: Mapping[str, Any], name: str) -> str:
    """A text of the run's settings; of a path its last part, for whoever is given the page needs no other."""
    text = run.get(name)
    return sanitize(re.split(r"[/\\]", text)[-1], 120) if isinstance(text, str) else ""
