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

from ..store.store import MemoryStore, Store
from .feed import Feed, RulesChanged
from .people import bare
from .plan import Endpoint, PlannedStep
from .scripts import OUTCOMES, CallbackScript, Channel, Script

MOST_RULES = 1_000
_RULE = "rule"
_MOST_REMEMBERED = 100_000  # recipients whose draws a rule counts; a rule must not fill the memory

Request = Literal["token", "reading"]
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
class ScriptedAnswer:
    """What is answered in place of taking a flow."""

    status: int | None
    """The HTTP status; None: the words in which the endpoint says that the balance does not suffice."""
    retry_after: int | None = None
    """The seconds of a Retry-After."""


@attrs.frozen
class Ruling:
    """What the rules say about one flow, or about another request."""

    scripts: tuple[Script | None, ...] = ()
    """One for each step in the order of trying, None where the recipient's digits decide; empty where they all do."""
    callbacks: CallbackScript = attrs.field(factory=CallbackScript)
    answer: ScriptedAnswer | None = None
    fault: Fault | None = None


NO_RULING = Ruling()


@attrs.frozen
class KeptRule:
    """A rule as a store keeps it."""

    id: str
    said: Mapping[str, Any]
    """Its JSON, which the contract has judged."""
    seed: int
    applied: int = 0
    """How often it has applied."""


class Rule:
    """A rule that stands."""

    def __init__(self, kept: KeptRule) -> None:
        said = kept.said
        self.kept: KeptRule = kept
        """What it is, and how often it has applied."""
        self.plays: dict[Channel, Script] = {
            channel: _script(channel, said[word]) for word, channel in _CHANNELS.items() if word in said
        }
        self.callbacks: CallbackScript | None = CallbackScript(**said["callbacks"]) if "callbacks" in said else None
        self.answer: ScriptedAnswer | None = _answer(said["answer"]) if "answer" in said else None
        self.fault: Fault | None = Fault(said["fault"]) if "fault" in said else None
        self._endpoint: str | None = said.get("endpoint")
        self._to = bare(said.get("to", "*"))
        self._begins = self._to[:-1] if self._to.endswith("*") else None
        self._rate: float = said.get("rate", 1)
        self._draws: OrderedDict[str, int] = OrderedDict()

    def as_json(self) -> dict[str, Any]:
        """The rule as it was given, with its id, the seed of its draws, and how often it has applied."""
        kept = self.kept
        seed = {"seed": kept.seed} if "rate" in kept.said else {}
        return {"id": kept.id, "applied": kept.applied, **kept.said, **seed}

    def covers(self, endpoint: Endpoint, recipient: str) -> bool:
        """Whether it is about this recipient (a number without its plus) on this endpoint."""
        matches = recipient == self._to if self._begins is None else recipient.startswith(self._begins)
        return matches and (self._endpoint is None or self._endpoint == endpoint)

    def is_about(self, kind: Request) -> bool:
        """Whether it is about such requests."""
        return self._endpoint == kind

    def applies(self, recipient: str) -> bool:
        """Whether it applies this time: it may have a rate, and a number of times. One that applies is counted."""
        applied = self.kept.applied
        if applied >= self.kept.said.get("times", applied + 1) or not self._drawn(recipient):
            return False
        self.kept = attrs.evolve(self.kept, applied=applied + 1)
        return True

    def _drawn(self, recipient: str) -> bool:
        """The draw hangs on seed, recipient and how many there were for it: in which order senders come is nothing."""
        if self._rate >= 1:
            return True
        count = self._draws.pop(recipient, 0)
        self._draws[recipient] = count + 1
        if len(self._draws) > _MOST_REMEMBERED:
            self._draws.popitem(last=False)
        drawn = hashlib.blake2b(f"{self.kept.seed}/{recipient}/{count}".encode(), digest_size=8).digest()
        return int.from_bytes(drawn) < self._rate * 2**64


class TooManyRules(Exception):  # a sentence, like the errors of the whole library
    """There is no room for another rule."""


class Rules:
    """The rules that stand, newest first."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._rules: list[Rule] = []
        self._store: Store = MemoryStore()

    def keep_in(self, store: Store) -> None:
        """Go on with the rules that a store has from before, below those made since, and keep all there from now on."""
        self._store = store
        known = {rule.kept.id for rule in self._rules}
        self._rules += [Rule(kept) for kept in reversed(store.load(_RULE, KeptRule)) if kept.id not in known]
        for rule in reversed(self._rules):
            self._keep(rule)

    def _keep(self, rule: Rule) -> None:
        self._store.save(_RULE, rule.kept.id, rule.kept)

    def _applies(self, rule: Rule, recipient: str) -> bool:
        applies = rule.applies(recipient)
        if applies:
            self._keep(rule)
        return applies

    def add(self, said: Mapping[str, Any]) -> Rule:
        """Put a rule, in JSON that the contract has judged, before all others. Raises `TooManyRules`."""
        if len(self._rules) >= MOST_RULES:
            raise TooManyRules
        rule = Rule(KeptRule(str(uuid.uuid4()), said, said.get("seed", secrets.randbelow(2**31))))
        self._rules.insert(0, rule)
        self._keep(rule)
        self._feed.publish(RulesChanged())
        return rule

    def remove(self, rule_id: str) -> bool:
        """Forget a rule; False when there is none of this id. Flows on their way go on as it said."""
        left = [rule for rule in self._rules if rule.kept.id != rule_id]
        found = len(left) < len(self._rules)
        self._rules = left
        if found:
            self._store.forget(_RULE, rule_id)
            self._feed.publish(RulesChanged())
        return found

    def clear(self) -> None:
        """Forget every rule."""
        self._rules = []
        self._store.clear(_RULE)
        self._feed.publish(RulesChanged())

    def __len__(self) -> int:
        return len(self._rules)

    def __iter__(self) -> Iterator[Rule]:
        return iter(self._rules)

    def on_flow(self, endpoint: Endpoint, steps: Sequence[PlannedStep]) -> Ruling:
        """What the rules say about a flow that comes in; each that applies is counted.

        One rule speaks for a recipient. Where steps go to several, several may speak, and the newest has the first word
        on what is the flow's as a whole.
        """
        recipients = [bare(one.recipient) for one in steps]
        silent = list(dict.fromkeys(recipients))
        speaks: dict[str, Rule] = {}
        for rule in self._rules:
            about = [one for one in silent if rule.covers(endpoint, one)]
            if about and self._applies(rule, about[0]):
                speaks |= dict.fromkeys(about, rule)
                silent = [one for one in silent if one not in speaks]
        if not speaks:
            return NO_RULING
        scripts = tuple(
            speaks[recipient].plays.get(one.step.channel) if recipient in speaks else None
            for recipient, one in zip(recipients, steps, strict=True)
        )
        rules = list(speaks.values())
        return Ruling(
            scripts=scripts if any(scripts) else (),
            callbacks=next((rule.callbacks for rule in rules if rule.callbacks is not None), CallbackScript()),
            answer=next((rule.answer for rule in rules if rule.answer is not None), None),
            fault=next((rule.fault for rule in rules if rule.fault is not None), None),
        )

    def on_request(self, kind: Request) -> Ruling:
        """What the rules say about a request that sends nothing; the one that applies is counted."""
        for rule in self._rules:
            if rule.is_about(kind) and self._applies(rule, ""):
                return Ruling(answer=rule.answer, fault=rule.fault)
        return NO_RULING


_CHANNELS = {"viber": Channel.VIBER, "sms": Channel.SMS, "voice": Channel.VOICE}


def _script(channel: Channel, play: Any) -> Script:
    if isinstance(play, str):
        play = {"outcome": play}
    return Script(OUTCOMES[channel][play["outcome"]], play.get("after"), play.get("detail"))


def _answer(said: Mapping[str, Any]) -> ScriptedAnswer:
    return ScriptedAnswer(said.get("status"), said.get("retryAfter"))
