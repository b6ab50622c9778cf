"""The one pass over a ledger, in constant memory: every number of the report."""

import math
import re
from collections.abc import Mapping
from typing import Any

from ...ledger import Counts, Fate, Intent, Ledger, State
from ...ledger.intent import label_of
from ..plain import plain, shown_number
from .countries import Countries
from .tally import Lengths, Moments, Names, Reasons
from .values import DELIVERED, FAILED, NOT_TOLD, UNDER_WAY, Cost, Doubt, Journey, Summary, Trouble

MOST_DOUBTS = 20
MOST_TROUBLES = 25

# A flow's own words and those of a message: which of the two is told depends on the endpoint.
_FATES: Mapping[str, str] = {
    **dict.fromkeys(("succeeded", "delivered", "seen", "completed"), DELIVERED),
    **dict.fromkeys(
        ("failed", "undelivered", "expired", "unsent", "busy", "noanswer", "terminated"),
        FAILED,
    ),
}
_KINDS: Mapping[State, int] = {State.ACCEPTED: 0, State.REJECTED: 1, State.UNKNOWN: 2}
_OUTCOMES: Mapping[State, str] = {
    State.REJECTED: "Rejected",
    State.UNKNOWN: "Unknown",
    State.EXPIRED: "Expired",
    State.INVALID: "Invalid",
    State.NEW: "Not sent",
}


async def summarise(ledger: Ledger) -> Summary:
    """Go through all intents once. Raises `LedgerError` where the ledger cannot be read."""
    run = await ledger.get("run")
    collected = _Collected(ledger.run_id)
    async for intent in ledger.intents():
        collected.add(intent)
    return collected.summary(run if isinstance(run, Mapping) else {})


class _Collected:
    """What is known after some of the intents."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._countries = Countries()
        self._states: dict[State, int] = dict.fromkeys(State, 0)
        self._begun: float | None = None
        self._ended: float | None = None
        self._moments = Moments()
        self._answers = Lengths()
        self._deliveries = Lengths()
        self._journeys: dict[tuple[str, str, str], int] = {}
        self._costs: dict[tuple[str, str], list[float]] = {}
        self._reasons = Reasons()
        self._doubts: list[Doubt] = []
        self._proofs: dict[str, int] = {}
        self._repeated = 0
        self._channel = Names(8)
        self._country = Names(260)
        self._proof = Names(8)

    def add(self, intent: Intent) -> None:
        """One more."""
        state = intent.state
        self._states[state] += 1
        if intent.attempt:
            self._sent(intent)
        if state is State.ACCEPTED:
            self._accepted(intent)
        elif state is State.UNKNOWN and len(self._doubts) < MOST_DOUBTS:
            self._doubts.append(
                Doubt(
                    intent.line,
                    shown_number(intent.recipient),
                    intent.begun_at,
                    label_of(self._run_id, intent.tag),
                    plain(intent.reason),
                )
            )
        outcome = _OUTCOMES.get(state)
        if outcome and (intent.reason or state is not State.NEW):
            self._reasons.add(outcome, plain(intent.reason) or "no reason told", intent.line)

    def _sent(self, intent: Intent) -> None:
        kind = _KINDS.get(intent.state)
        # What a search or a callback has settled was sent long before.
        answered = intent.proof == "answer" and intent.ended_at is not None and kind != 2
        moment = intent.ended_at if answered and intent.ended_at is not None else intent.begun_at
        self._begun = intent.begun_at if self._begun is None else min(self._begun, intent.begun_at)
        self._ended = moment if self._ended is None else max(self._ended, moment)
        self._repeated += intent.attempt > 1
        if kind is None:
            return
        self._moments.add(moment, kind)
        if answered:
            self._answers.add(intent.seconds)

    def _accepted(self, intent: Intent) -> None:
        proof = self._proof(plain(intent.proof, 40))
        self._proofs[proof] = self._proofs.get(proof, 0) + 1
        first = self._channel(plain(intent.channel or "", 24))
        fate = intent.fate
        if fate is None:
            journey = (first, "", NOT_TOLD)
        else:
            ended = self._channel(plain(fate.channel or "", 24))
            journey = (first, ended, _FATES.get(fate.status.lower(), UNDER_WAY))
            self._ended_so(intent, fate, ended, journey[2])
        self._journeys[journey] = self._journeys.get(journey, 0) + 1

    def _ended_so(self, intent: Intent, fate: Fate, channel: str, how: str) -> None:
        if how == DELIVERED and fate.seconds is not None:
            self._deliveries.add(fate.seconds)
        if how == FAILED:
            words = ": ".join(filter(None, (fate.status, fate.reason)))
            self._reasons.add("Not delivered", plain(words), intent.line)
        if fate.price is not None and math.isfinite(fate.price):
            country = plain(fate.country, 40) if fate.country else self._countries.of(intent.recipient)
            cost = self._costs.setdefault((self._country(country), channel), [0, 0.0])
            cost[0] += 1
            cost[1] += fate.price

    def summary(self, run: Mapping[str, Any]) -> Summary:
        """All of it."""
        worst = self._reasons.worst()
        return Summary(
            run_id=self._run_id,
            endpoint=_told(run, "endpoint"),
            source=_told(run, "recipients"),
            flow=_told(run, "flow"),
            counts=Counts(**{state.lower(): number for state, number in self._states.items()}),
            begun=self._begun,
            ended=self._ended,
            rate=self._moments.rate(),
            answers=self._answers.durations(),
            deliveries=self._deliveries.durations(),
            journeys=tuple(sorted(Journey(*journey, count) for journey, count in self._journeys.items())),
            costs=tuple(
                sorted(Cost(*where, int(count), price) for where, (count, price) in self._costs.items()),
            ),
            troubles=tuple(Trouble(*reason, count, lines) for reason, count, lines in worst[:MOST_TROUBLES]),
            other_troubles=self._reasons.rest + sum(count for _, count, _ in worst[MOST_TROUBLES:]),
            doubts=tuple(self._doubts),
            proofs=self._proofs,
            repeated=self._repeated,
        )


def _told(run: Mapping[str, Any], name: str) -> str:
    """A text of the run's settings; of a path its last part, for whoever is given the page needs no other."""
    text = run.get(name)
    return plain(re.split(r"[/\\]", text)[-1], 120) if isinstance(text, str) else ""
