"""A ledger that ends with its process: for tests, and for runs that need no more than one message per key."""

import secrets
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any, Self

import attrs

from .clock import SteadyClock
from .intent import POLICY, Counts, DeliveryCount, Ending, Fate, Found, Intent, Wanted
from .states import ENDS_LEASE, FORGETS_CONTENT, KEEPS_POLICY, Move, State, after


def new_run_id() -> str:
    """Twelve letters that no other run has: 60 bits of chance."""
    return "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz234567") for _ in range(12))


class MemoryLedger:
    """Keeps intents in memory: every promise of `Ledger` but to survive its process."""

    def __init__(self) -> None:
        self._run_id = new_run_id()
        self._clock = SteadyClock()
        self._by_tag: dict[int, int] = {}
        self._intents: dict[int, Intent] = {}
        self._last = 0
        self._documents: dict[str, Any] = {}

    @property
    def run_id(self) -> str:
        """Letters that no other ledger has."""
        return self._run_id

    def now(self) -> float:
        """Seconds since 1970."""
        return self._clock()

    async def claim(self, wanted: Sequence[Wanted], *, lease: float) -> list[Found]:
        """Take what is NEW or not there yet."""
        return [self._claim(one, lease) for one in wanted]

    def _claim(self, wanted: Wanted, lease: float) -> Found:
        now = self.now()
        intent = self._known(wanted.tag)
        if intent is None:
            intent = self._add(wanted, State.NEW, now)
        mine = intent.state is State.NEW and intent.fingerprint in {b"", wanted.fingerprint}
        if mine:
            intent = self._change(
                intent,
                state=State.SENDING,
                attempt=intent.attempt + 1,
                line=wanted.line,
                recipient=wanted.recipient,
                fingerprint=wanted.fingerprint,
                begun_at=now,
                lease_until=now + lease,
                ended_at=None,
                reason="",
                proof=POLICY if intent.proof == POLICY else "",
            )
        return _found(intent, mine=mine)

    async def find(self, tags: Sequence[int]) -> dict[int, Found]:
        """How those of them stand that are there."""
        known = ((tag, self._known(tag)) for tag in tags)
        return {tag: _found(intent, mine=False) for tag, intent in known if intent is not None}

    async def refuse(self, wanted: Wanted, reason: str) -> bool:
        """Keep a row of which no flow can be made."""
        now = self.now()
        intent = self._known(wanted.tag) or self._add(wanted._replace(fingerprint=b""), State.NEW, now)
        if intent.state not in {State.NEW, State.INVALID}:
            return False
        self._change(intent, state=State.INVALID, reason=reason, line=wanted.line, ended_at=now)
        return True

    async def forget_invalid(self) -> None:
        """Forget the INVALID rows of which nothing may have been taken."""
        invalid = [one for one in self._intents.values() if one.state is State.INVALID and not one.fingerprint]
        for intent in invalid:
            del self._intents[intent.number], self._by_tag[intent.tag]
        self._last = max(self._intents, default=0)

    def end(self, move: Move, ending: Ending) -> None:
        """Make a move of an intent."""
        self._move(move, ending)

    async def settle(self, move: Move, ending: Ending) -> bool:
        """Make a move, and say whether it changed anything."""
        return self._move(move, ending)

    def _move(self, move: Move, ending: Ending) -> bool:
        intent = self._intents.get(ending.number)
        if intent is None:
            return False
        policy = intent.proof == POLICY
        state = after(intent.state, move, same_attempt=intent.attempt == ending.attempt, bound=policy)
        if state is intent.state:
            return False
        now = self.now()
        bound = policy and move in KEEPS_POLICY
        self._change(
            intent,
            state=state,
            ended_at=now,
            lease_until=min(intent.lease_until, now) if move in ENDS_LEASE else intent.lease_until,
            reason=ending.reason,
            proof=POLICY if bound else ending.proof,
            identity=ending.identity or intent.identity,
            channel=ending.channel or intent.channel,
            seconds=ending.seconds or intent.seconds,
            fingerprint=b"" if move in FORGETS_CONTENT and not bound else intent.fingerprint,
        )
        return True

    async def lapse(self) -> int:
        """Make UNKNOWN whatever is SENDING past its lease."""
        now = self.now()
        over = [
            intent for intent in self._intents.values() if intent.state is State.SENDING and intent.lease_until <= now
        ]
        for intent in over:
            self._change(intent, state=State.UNKNOWN, ended_at=now, reason=LEASE_OVER)
        return len(over)

    def learn(self, fate: Fate) -> None:
        """Keep how an accepted flow ended."""
        intent = self._intents.get(fate.number)
        if intent is not None:
            self._change(intent, fate=fate)

    async def flush(self) -> None:
        """There is nothing to wait for."""

    async def intent(self, tag: int) -> Intent | None:
        """The intent with that tag."""
        return self._known(tag)

    async def intents(
        self, states: Collection[State] | None = None, *, without_fate: bool = False
    ) -> AsyncIterator[Intent]:
        """Intents in these states."""
        for number in range(1, self._last + 1):
            intent = self._intents.get(number)
            if intent is None or (without_fate and intent.fate is not None):
                continue
            if states is None or intent.state in states:
                yield intent

    async def counts(self) -> Counts:
        """How many there are in each state."""
        return counts_of(Counter(intent.state for intent in self._intents.values()))

    async def delivery_counts(self) -> list[DeliveryCount]:
        """How many accepted messages there are by status and channel of their delivery report."""
        fates = (intent.fate for intent in self._intents.values() if intent.state is State.ACCEPTED)
        counts = Counter((None, None) if fate is None else (fate.status, fate.channel) for fate in fates)
        return [DeliveryCount(status, channel, messages) for (status, channel), messages in counts.items()]

    async def get(self, name: str) -> Any:
        """The JSON that was put under a name."""
        return self._documents.get(name)

    async def put(self, name: str, value: Mapping[str, Any]) -> None:
        """Keep JSON under a name."""
        self._documents[name] = dict(value)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        """Nothing is held."""

    def _known(self, tag: int) -> Intent | None:
        number = self._by_tag.get(tag)
        return None if number is None else self._intents[number]

    def _add(self, wanted: Wanted, state: State, now: float) -> Intent:
        self._last += 1
        intent = Intent(
            number=self._last,
            tag=wanted.tag,
            key=wanted.key,
            recipient=wanted.recipient,
            line=wanted.line,
            state=state,
            attempt=0,
            begun_at=now,
            lease_until=now,
        )
        self._intents[intent.number] = intent
        self._by_tag[wanted.tag] = intent.number
        return intent

    def _change(self, intent: Intent, **changes: Any) -> Intent:
        changed = self._intents[intent.number] = attrs.evolve(intent, **changes)
        return changed


LEASE_OVER = "its sender was gone or frozen past its lease"


def counts_of(by_state: Mapping[State, int]) -> Counts:
    """Counts by state as `Counts`."""
    return Counts(**{state.lower(): number for state, number in by_state.items()})


def _found(intent: Intent, *, mine: bool) -> Found:
    return Found(intent.number, intent.attempt, intent.state, intent.line, intent.fingerprint, mine, intent.recipient)
