"""Rules script what the sandbox does with the flows that they match: the newest first, and the first that matches wins.

A rule speaks when a flow comes in. What it says is kept with the flow, so that later rules change nothing on its way.
"""

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, Literal

import attrs

from .feed import Feed, RulesChanged
from .plan import Endpoint, PlannedStep
from .scripts import OUTCOMES, CallbackScript, Channel, Script

MOST_RULES = 1_000
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


class Rule:
    """A rule, and how often it has applied. `said` is its JSON, which the contract has judged."""

    def __init__(self, rule_id: str, said: Mapping[str, Any], seed: int) -> None:
        self.id = rule_id
        self.applied: int = 0
        """How often it has applied."""
        self.said = said
        self.seed = seed
        self.plays: dict[Channel, Script] = {
            channel: _script(channel, said[word]) for word, channel in _CHANNELS.items() if word in said
        }
        self.callbacks: CallbackScript | None = CallbackScript(**said["callbacks"]) if "callbacks" in said else None
        self.answer: ScriptedAnswer | None = _answer(said["answer"]) if "answer" in said else None
        self.fault: Fault | None = Fault(said["fault"]) if "fault" in said else None
        self._to = bare(said.get("to", "*"))
        self._rate: float = said.get("rate", 1)
        self._draws: OrderedDict[str, int] = OrderedDict()

    def as_json(self) -> dict[str, Any]:
        """The rule as it was given, with its id, the seed of its draws, and how often it has applied."""
        seed = {"seed": self.seed} if "rate" in self.said else {}
        return {"id": self.id, "applied": self.applied, **self.said, **seed}

    def covers(self, endpoint: Endpoint, recipient: str) -> bool:
        """Whether it is about this recipient (a number without its plus) on this endpoint."""
        if self.said.get("endpoint", endpoint) != endpoint:
            return False
        return recipient.startswith(self._to[:-1]) if self._to.endswith("*") else recipient == self._to

    def applies(self, recipient: str) -> bool:
        """Whether it applies this time: it may have a rate, and a number of times. One that applies is counted."""
        if self.applied >= self.said.get("times", self.applied + 1) or not self._drawn(recipient):
            return False
        self.applied += 1
        return True

    def _drawn(self, recipient: str) -> bool:
        """The draw hangs on seed, recipient and how many there were for it: in which order senders come is nothing."""
        if self._rate >= 1:
            return True
        count = self._draws.pop(recipient, 0)
        self._draws[recipient] = count + 1
        if len(self._draws) > _MOST_REMEMBERED:
            self._draws.popitem(last=False)
        drawn = hashlib.blake2b(f"{self.seed}/{recipient}/{count}".encode(), digest_size=8).digest()
        return int.from_bytes(drawn) < self._rate * 2**64


class TooManyRules(Exception):  # a sentence, like the errors of the whole library
    """There is no room for another rule."""


class Rules:
    """The rules that stand, newest first."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._rules: list[Rule] = []
        self._made = 0

    def add(self, said: Mapping[str, Any]) -> Rule:
        """Put a rule, in JSON that the contract has judged, before all others. Raises `TooManyRules`."""
        if len(self._rules) >= MOST_RULES:
            raise TooManyRules
        self._made += 1
        rule = Rule(f"rule-{self._made}", said, said.get("seed", secrets.randbelow(2**31)))
        self._rules.insert(0, rule)
        self._feed.publish(RulesChanged())
        return rule

    def remove(self, rule_id: str) -> bool:
        """Forget a rule; False when there is none of this id. Flows on their way go on as it said."""
        left = [rule for rule in self._rules if rule.id != rule_id]
        found = len(left) < len(self._rules)
        self._rules = left
        if found:
            self._feed.publish(RulesChanged())
        return found

    def clear(self) -> None:
        """Forget every rule."""
        self._rules = []
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
        speaks: dict[str, Rule] = {}
        for rule in self._rules:
            about = [one for one in recipients if one not in speaks and rule.covers(endpoint, one)]
            if about and rule.applies(about[0]):
                speaks |= dict.fromkeys(about, rule)
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
            if rule.said.get("endpoint") == kind and rule.applies(""):
                return Ruling(answer=rule.answer, fault=rule.fault)
        return NO_RULING


def bare(number: str) -> str:
    """A number without its plus: Routee's pages write them with it and without."""
    return number.removeprefix("+")


_CHANNELS = {"viber": Channel.VIBER, "sms": Channel.SMS, "voice": Channel.VOICE}


def _script(channel: Channel, play: Any) -> Script:
    if isinstance(play, str):
        play = {"outcome": play}
    return Script(OUTCOMES[channel][play["outcome"]], play.get("after"), play.get("detail"))


def _answer(said: Mapping[str, Any]) -> ScriptedAnswer:
    return ScriptedAnswer(said.get("status"), said.get("retryAfter"))
