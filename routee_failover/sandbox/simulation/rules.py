"""Rules script what the sandbox does with the flows that they match: the newest first, and the first that matches wins.

A rule speaks when a flow comes in. What it says is kept with the flow, so that later rules change nothing on its way.
"""

import hashlib
import secrets
import uuid
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, Literal

import attrs

from ..store.base import MemoryStore, Store
from .event_bus import EventBus, RulesChanged
from .outcomes import OUTCOMES_BY_CHANNEL, ScriptedCallbacks, ScriptedMessage, SimulatedChannel
from .recipients import strip_number
from .step_plan import PlannedStep, SendEndpoint

MAX_RULES = 1_000
_RULE = "rule"
_MAX_TRACKED_RECIPIENTS = 100_000  # recipients whose draws a rule counts; a rule must not fill the memory

RuleRequestKind = Literal["token", "reading"]
"""What a rule may be about beside the sends: requests for a token, and all that read: tracking, searches, balance."""


class Fault(StrEnum):
    """What goes wrong with a connection."""

    RESET = "reset"
    """The flow is taken, and the connection is reset in place of the answer."""
    RESET_BEFORE = "reset-before"
    """The connection is reset, and the flow was not taken."""
    HANG = "hang"
    """The flow is taken, and nothing is answered until the caller leaves."""
    TRUNCATED = "truncated"
    """The flow is taken, and the connection is closed in the middle of the answer."""


@attrs.frozen
class ScriptedResponse:
    """What is answered in place of taking a flow."""

    status: int | None
    """The HTTP status; None: the words in which the endpoint says that the balance does not suffice."""
    retry_after: int | None = None
    """The seconds of a Retry-After."""


@attrs.frozen
class RuleDecision:
    """What the rules say about one flow, or about another request."""

    scripts: tuple[ScriptedMessage | None, ...] = ()
    """One for each step in the order of trying, None where the recipient's digits decide; empty where they all do."""
    callbacks: ScriptedCallbacks = attrs.field(factory=ScriptedCallbacks)
    response: ScriptedResponse | None = None
    fault: Fault | None = None


NO_DECISION = RuleDecision()


@attrs.frozen
class StoredRule:
    """A rule as a store keeps it."""

    id: str
    definition: Mapping[str, Any]
    """Its JSON, which the contract has judged."""
    seed: int
    applied: int = 0
    """How often it has applied."""


class Rule:
    """A rule that stands."""

    def __init__(self, stored: StoredRule) -> None:
        said = stored.definition
        self.stored: StoredRule = stored
        """What it is, and how often it has applied."""
        self.message_scripts: dict[SimulatedChannel, ScriptedMessage] = {
            channel: _script(channel, said[word]) for word, channel in _CHANNELS.items() if word in said
        }
        self.callbacks: ScriptedCallbacks | None = (
            ScriptedCallbacks(**said["callbacks"]) if "callbacks" in said else None
        )
        self.response: ScriptedResponse | None = _answer(said["response"]) if "response" in said else None
        self.fault: Fault | None = Fault(said["fault"]) if "fault" in said else None
        self._endpoint: str | None = said.get("endpoint")
        self._to = strip_number(said.get("to", "*"))
        self._prefix = self._to[:-1] if self._to.endswith("*") else None
        self._rate: float = said.get("rate", 1)
        self._draws: OrderedDict[str, int] = OrderedDict()

    def as_json(self) -> dict[str, Any]:
        """The rule as it was given, with its id, the seed of its draws, and how often it has applied."""
        kept = self.stored
        seed = {"seed": kept.seed} if "rate" in kept.definition else {}
        return {"id": kept.id, "applied": kept.applied, **kept.definition, **seed}

    def matches(self, endpoint: SendEndpoint, recipient: str) -> bool:
        """Whether it is about this recipient (a number without its plus) on this endpoint."""
        matches = recipient == self._to if self._prefix is None else recipient.startswith(self._prefix)
        return matches and (self._endpoint is None or self._endpoint == endpoint)

    def matches_request(self, kind: RuleRequestKind) -> bool:
        """Whether it is about such requests."""
        return self._endpoint == kind

    def try_apply(self, recipient: str) -> bool:
        """Whether it applies this time: it may have a rate, and a number of times. One that applies is counted."""
        applied = self.stored.applied
        if applied >= self.stored.definition.get("times", applied + 1) or not self._drawn(recipient):
            return False
        self.stored = attrs.evolve(self.stored, applied=applied + 1)
        return True

    def _drawn(self, recipient: str) -> bool:
        """The draw hangs on seed, recipient and how many there were for it: in which order senders come is nothing."""
        if self._rate >= 1:
            return True
        count = self._draws.pop(recipient, 0)
        self._draws[recipient] = count + 1
        if len(self._draws) > _MAX_TRACKED_RECIPIENTS:
            self._draws.popitem(last=False)
        drawn = hashlib.blake2b(f"{self.stored.seed}/{recipient}/{count}".encode(), digest_size=8).digest()
        return int.from_bytes(drawn) < self._rate * 2**64


class TooManyRules(Exception):  # a sentence, like the errors of the whole library
    """There is no room for another rule."""


class Rules:
    """The rules that stand, newest first."""

    def __init__(self, event_bus: EventBus) -> None:
        self._event_bus = event_bus
        self._rules: list[Rule] = []
        self._store: Store = MemoryStore()

    def attach_store(self, store: Store) -> None:
        """Go on with the rules that a store has from before, below those made since, and keep all there from now on."""
        self._store = store
        known = {rule.stored.id for rule in self._rules}
        self._rules += [Rule(kept) for kept in reversed(store.load(_RULE, StoredRule)) if kept.id not in known]
        for rule in reversed(self._rules):
            self._save(rule)

    def _save(self, rule: Rule) -> None:
        self._store.save(_RULE, rule.stored.id, rule.stored)

    def _try_apply(self, rule: Rule, recipient: str) -> bool:
        applies = rule.try_apply(recipient)
        if applies:
            self._save(rule)
        return applies

    def add(self, definition: Mapping[str, Any]) -> Rule:
        """Put a rule, in JSON that the contract has judged, before all others. Raises `TooManyRules`."""
        if len(self._rules) >= MAX_RULES:
            raise TooManyRules
        rule = Rule(StoredRule(str(uuid.uuid4()), definition, definition.get("seed", secrets.randbelow(2**31))))
        self._rules.insert(0, rule)
        self._save(rule)
        self._event_bus.publish(RulesChanged())
        return rule

    def remove(self, rule_id: str) -> bool:
        """Forget a rule; False when there is none of this id. Flows on their way go on as it said."""
        left = [rule for rule in self._rules if rule.stored.id != rule_id]
        found = len(left) < len(self._rules)
        self._rules = left
        if found:
            self._store.delete(_RULE, rule_id)
            self._event_bus.publish(RulesChanged())
        return found

    def clear(self) -> None:
        """Forget every rule."""
        self._rules = []
        self._store.clear(_RULE)
        self._event_bus.publish(RulesChanged())

    def __len__(self) -> int:
        return len(self._rules)

    def __iter__(self) -> Iterator[Rule]:
        return iter(self._rules)

    def decide_flow(self, endpoint: SendEndpoint, steps: Sequence[PlannedStep]) -> RuleDecision:
        """What the rules say about a flow that comes in; each that applies is counted.

        One rule speaks for a recipient. Where steps go to several, several may speak, and the newest has the first word
        on what is the flow's as a whole.
        """
        recipients = [strip_number(one.recipient) for one in steps]
        silent = list(dict.fromkeys(recipients))
        speaks: dict[str, Rule] = {}
        for rule in self._rules:
            about = [one for one in silent if rule.matches(endpoint, one)]
            if about and self._try_apply(rule, about[0]):
                speaks |= dict.fromkeys(about, rule)
                silent = [one for one in silent if one not in speaks]
        if not speaks:
            return NO_DECISION
        scripts = tuple(
            speaks[recipient].message_scripts.get(one.step.channel) if recipient in speaks else None
            for recipient, one in zip(recipients, steps, strict=True)
        )
        rules = list(speaks.values())
        return RuleDecision(
            scripts=scripts if any(scripts) else (),
            callbacks=next((rule.callbacks for rule in rules if rule.callbacks is not None), ScriptedCallbacks()),
            response=next((rule.response for rule in rules if rule.response is not None), None),
            fault=next((rule.fault for rule in rules if rule.fault is not None), None),
        )

    def decide_request(self, kind: RuleRequestKind) -> RuleDecision:
        """What the rules say about a request that sends nothing; the one that applies is counted."""
        for rule in self._rules:
            if rule.matches_request(kind) and self._try_apply(rule, ""):
                return RuleDecision(response=rule.response, fault=rule.fault)
        return NO_DECISION


_CHANNELS = {"viber": SimulatedChannel.VIBER, "sms": SimulatedChannel.SMS, "voice": SimulatedChannel.VOICE}


def _script(channel: SimulatedChannel, play: Any) -> ScriptedMessage:
    if isinstance(play, str):
        play = {"outcome": play}
    return ScriptedMessage(OUTCOMES_BY_CHANNEL[channel][play["outcome"]], play.get("after"), play.get("detail"))


def _answer(said: Mapping[str, Any]) -> ScriptedResponse:
    return ScriptedResponse(said.get("status"), said.get("retryAfter"))
