"""Rules: scripts for the flows and requests that they match; the newest matching rule wins.

A rule is applied when a flow comes in. Its decision is stored with the flow, so that later rules do not change flows
in progress.
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
from .flow_plan import PlannedStep, SendEndpoint
from .number_normalization import strip_number
from .scripted_outcomes import OUTCOMES_BY_CHANNEL, ScriptedCallbacks, ScriptedMessage, SimulatedChannel

MAX_RULES = 1_000
_RULE = "rule"
_MAX_TRACKED_RECIPIENTS = 100_000  # per rule: it counts its draws for each recipient, and must not fill the memory

RuleRequestKind = Literal["token", "reading"]
"""Requests that a rule may match besides sends: for a token, or reads (tracking, searches, lists, balance)."""


class Fault(StrEnum):
    """Connection fault that a rule injects."""

    RESET = "reset"
    """The flow is accepted, and the connection is reset instead of sending the response."""
    RESET_BEFORE = "reset-before"
    """The connection is reset, and the flow is not accepted."""
    HANG = "hang"
    """The flow is accepted, and no response is sent until the client disconnects."""
    TRUNCATED = "truncated"
    """The flow is accepted, and the connection is closed in the middle of the response."""


@attrs.frozen
class ScriptedResponse:
    """Response that is sent instead of accepting a flow."""

    status: int | None
    """HTTP status; None: the endpoint's own response for an insufficient balance."""
    retry_after: int | None = None
    """Seconds of the Retry-After header; None: no such header."""


@attrs.frozen
class RuleDecision:
    """Decision of the rules about one flow, or about another request."""

    scripts: tuple[ScriptedMessage | None, ...] = ()
    """One script per step, in step order, None where the recipient's digits decide; empty where they decide for all."""
    callbacks: ScriptedCallbacks = attrs.field(factory=ScriptedCallbacks)
    response: ScriptedResponse | None = None
    fault: Fault | None = None


NO_DECISION = RuleDecision()


@attrs.frozen
class StoredRule:
    """Persistent state of a rule."""

    id: str
    definition: Mapping[str, Any]
    """Its JSON, validated by the contract."""
    seed: int
    applied: int = 0
    """How many times it was applied."""


class Rule:
    """An active rule: its compiled scripts, what it matches, and the state of its draws."""

    def __init__(self, stored: StoredRule) -> None:
        definition = stored.definition
        self.stored: StoredRule = stored
        """Its definition, and how many times it was applied."""
        self.message_scripts: dict[SimulatedChannel, ScriptedMessage] = {
            channel: _message_script(channel, definition[name])
            for name, channel in _CHANNELS.items()
            if name in definition
        }
        self.callbacks: ScriptedCallbacks | None = (
            ScriptedCallbacks(**definition["callbacks"]) if "callbacks" in definition else None
        )
        self.response: ScriptedResponse | None = (
            _scripted_response(definition["response"]) if "response" in definition else None
        )
        self.fault: Fault | None = Fault(definition["fault"]) if "fault" in definition else None
        self._endpoint: str | None = definition.get("endpoint")
        self._to = strip_number(definition.get("to", "*"))
        self._prefix = self._to[:-1] if self._to.endswith("*") else None
        self._rate: float = definition.get("rate", 1)
        self._draws: OrderedDict[str, int] = OrderedDict()

    def as_json(self) -> dict[str, Any]:
        """Return the rule in JSON: its definition with its id, the seed of its draws, and how many times it applied."""
        stored = self.stored
        seed = {"seed": stored.seed} if "rate" in stored.definition else {}
        return {"id": stored.id, "applied": stored.applied, **stored.definition, **seed}

    def matches(self, endpoint: SendEndpoint, recipient: str) -> bool:
        """Return whether it matches this recipient (a number without plus) on this endpoint."""
        matches = recipient == self._to if self._prefix is None else recipient.startswith(self._prefix)
        return matches and (self._endpoint is None or self._endpoint == endpoint)

    def matches_request(self, kind: RuleRequestKind) -> bool:
        """Return whether it matches requests of this kind."""
        return self._endpoint == kind

    def try_apply(self, recipient: str) -> bool:
        """Return whether it applies this time, by its `times` and `rate`, and count it if it does."""
        applied = self.stored.applied
        if applied >= self.stored.definition.get("times", applied + 1) or not self._draw(recipient):
            return False
        self.stored = attrs.evolve(self.stored, applied=applied + 1)
        return True

    def _draw(self, recipient: str) -> bool:
        """Draw by seed, recipient and number of its earlier draws: the order of concurrent senders does not matter."""
        if self._rate >= 1:
            return True
        count = self._draws.pop(recipient, 0)
        self._draws[recipient] = count + 1
        if len(self._draws) > _MAX_TRACKED_RECIPIENTS:
            self._draws.popitem(last=False)
        digest = hashlib.blake2b(f"{self.stored.seed}/{recipient}/{count}".encode(), digest_size=8).digest()
        return int.from_bytes(digest) < self._rate * 2**64


class TooManyRules(Exception):  # no `Error` in the name, like the other errors of this library
    """There are `MAX_RULES` rules already."""


class Rules:
    """The active rules, newest first."""

    def __init__(self, event_bus: EventBus) -> None:
        self._event_bus = event_bus
        self._rules: list[Rule] = []
        self._store: Store = MemoryStore()

    def attach_store(self, store: Store) -> None:
        """Load the rules that a store has, below those added since, and save every change there from now on."""
        self._store = store
        known = {rule.stored.id for rule in self._rules}
        self._rules += [Rule(stored) for stored in reversed(store.load(_RULE, StoredRule)) if stored.id not in known]
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
        """Add a rule, in JSON that the contract has validated, before all others. Raises `TooManyRules`."""
        if len(self._rules) >= MAX_RULES:
            raise TooManyRules
        rule = Rule(StoredRule(str(uuid.uuid4()), definition, definition.get("seed", secrets.randbelow(2**31))))
        self._rules.insert(0, rule)
        self._save(rule)
        self._event_bus.publish(RulesChanged())
        return rule

    def remove(self, rule_id: str) -> bool:
        """Remove a rule; False when there is none of this id. Flows in progress keep its decision."""
        remaining = [rule for rule in self._rules if rule.stored.id != rule_id]
        found = len(remaining) < len(self._rules)
        self._rules = remaining
        if found:
            self._store.delete(_RULE, rule_id)
            self._event_bus.publish(RulesChanged())
        return found

    def clear(self) -> None:
        """Remove every rule."""
        self._rules = []
        self._store.clear(_RULE)
        self._event_bus.publish(RulesChanged())

    def __len__(self) -> int:
        return len(self._rules)

    def __iter__(self) -> Iterator[Rule]:
        return iter(self._rules)

    def decide_flow(self, endpoint: SendEndpoint, steps: Sequence[PlannedStep]) -> RuleDecision:
        """Return the decision of the rules about a new flow, and count every rule that applies.

        One rule decides for one recipient. Where steps go to several recipients, several rules may decide, and the
        newest takes precedence for response, fault and callbacks, which concern the flow as a whole.
        """
        # 1. Find the deciding rule of each recipient, from the newest rule to the oldest.
        recipients = [strip_number(step.recipient) for step in steps]
        undecided = list(dict.fromkeys(recipients))
        rule_by_recipient: dict[str, Rule] = {}
        for rule in self._rules:
            matched = [recipient for recipient in undecided if rule.matches(endpoint, recipient)]
            if matched and self._try_apply(rule, matched[0]):
                rule_by_recipient |= dict.fromkeys(matched, rule)
                undecided = [recipient for recipient in undecided if recipient not in rule_by_recipient]
        if not rule_by_recipient:
            return NO_DECISION
        # 2. Combine their scripts, and take the rest from the newest rule that has it.
        scripts = tuple(
            rule_by_recipient[recipient].message_scripts.get(step.step.channel)
            if recipient in rule_by_recipient
            else None
            for recipient, step in zip(recipients, steps, strict=True)
        )
        rules = list(rule_by_recipient.values())
        return RuleDecision(
            scripts=scripts if any(scripts) else (),
            callbacks=next((rule.callbacks for rule in rules if rule.callbacks is not None), ScriptedCallbacks()),
            response=next((rule.response for rule in rules if rule.response is not None), None),
            fault=next((rule.fault for rule in rules if rule.fault is not None), None),
        )

    def decide_request(self, kind: RuleRequestKind) -> RuleDecision:
        """Return the decision of the rules about a request that sends nothing, and count the rule that applies."""
        for rule in self._rules:
            if rule.matches_request(kind) and self._try_apply(rule, ""):
                return RuleDecision(response=rule.response, fault=rule.fault)
        return NO_DECISION


_CHANNELS = {"viber": SimulatedChannel.VIBER, "sms": SimulatedChannel.SMS, "voice": SimulatedChannel.VOICE}


def _message_script(channel: SimulatedChannel, script: Any) -> ScriptedMessage:
    if isinstance(script, str):
        script = {"outcome": script}
    return ScriptedMessage(OUTCOMES_BY_CHANNEL[channel][script["outcome"]], script.get("after"), script.get("detail"))


def _scripted_response(definition: Mapping[str, Any]) -> ScriptedResponse:
    return ScriptedResponse(definition.get("status"), definition.get("retryAfter"))
