"""Which rule speaks for a flow, how often, and at which rate: without a server."""

from collections.abc import Iterator
from typing import Any

import pytest

from routee_failover.sandbox.simulation import rules as rules_module
from routee_failover.sandbox.simulation.event_bus import EventBus, RulesChanged, SandboxEvent
from routee_failover.sandbox.simulation.outcomes import ScriptedCallbacks, ScriptedMessage, ScriptedOutcome
from routee_failover.sandbox.simulation.rules import (
    NO_DECISION,
    Fault,
    RuleDecision,
    Rules,
    ScriptedResponse,
    StoredRule,
    TooManyRules,
)
from routee_failover.sandbox.simulation.step_plan import PlannedStep, SendEndpoint, plan_steps
from routee_failover.sandbox.store.base import MemoryStore

ADA, BOB = "+306912345678", "+306987654321"


@pytest.fixture
def rules() -> Rules:
    """No rules yet."""
    return Rules(EventBus())


def steps(*to: str) -> tuple[PlannedStep, ...]:
    """An SMS to each of these."""
    return plan_steps(SendEndpoint.STANDARD, {"flow": [{"type": "Sms", "to": one, "from": "a"} for one in to]})


def viber_and_sms(to: str) -> tuple[PlannedStep, ...]:
    """Viber, then SMS."""
    body = {"flow": [{"type": "Viber", "to": to}, {"type": "Sms", "to": to}]}
    return plan_steps(SendEndpoint.STANDARD, body)


def ending(rules: Rules, to: str = ADA, endpoint: SendEndpoint = SendEndpoint.STANDARD) -> ScriptedOutcome | None:
    """What the rules say about one SMS."""
    scripts = rules.decide_flow(endpoint, steps(to)).scripts
    return scripts[0].outcome if scripts and scripts[0] is not None else None


@pytest.mark.parametrize(
    ("to", "matched"),
    [
        (ADA, True),
        ("306912345678", True),
        ("+3069123*", True),
        ("3069123*", True),
        ("*", True),
        ("+*", True),
        ("306912345678*", True),
        (BOB, False),
        ("+30691234567", False),
        ("+3069123456789", False),
        ("69123*", False),
    ],
)
def test_to(rules: Rules, to: str, matched: bool) -> None:
    """A rule is about a number, with its plus or without it, or about all that begin so; the sender's plus is free."""
    rules.add({"to": to, "sms": "failed"})
    for number in (ADA, ADA.removeprefix("+")):
        assert (ending(rules, number) is ScriptedOutcome.FAILED) is matched


def test_endpoint(rules: Rules) -> None:
    """A rule may be about one endpoint; without one it is about every send, and about nothing else."""
    rules.add({"sms": "failed"})
    rules.add({"endpoint": "otp", "sms": "expired"})
    assert [ending(rules, endpoint=endpoint) for endpoint in SendEndpoint] == [
        ScriptedOutcome.FAILED,
        ScriptedOutcome.FAILED,
        ScriptedOutcome.EXPIRED,
        ScriptedOutcome.FAILED,
    ]
    assert rules.decide_request("token") == rules.decide_request("reading") == NO_DECISION


def test_the_newest_wins(rules: Rules) -> None:
    """Of the rules that match, the newest decides alone: what it leaves open the digits decide, not an older rule."""
    rules.add({"viber": "failed", "sms": "failed"})
    newest = rules.add({"sms": {"outcome": "undelivered", "after": 9, "detail": "Roaming"}})
    expected = (None, ScriptedMessage(ScriptedOutcome.UNDELIVERED, 9, "Roaming"))
    assert rules.decide_flow(SendEndpoint.STANDARD, viber_and_sms(ADA)).scripts == expected
    assert rules.remove(newest.stored.id)
    both = (ScriptedMessage(ScriptedOutcome.FAILED), ScriptedMessage(ScriptedOutcome.FAILED))
    assert rules.decide_flow(SendEndpoint.STANDARD, viber_and_sms(ADA)).scripts == both
    assert not rules.remove(newest.stored.id)
    rules.clear()
    assert rules.decide_flow(SendEndpoint.STANDARD, viber_and_sms(ADA)) == NO_DECISION
    assert len(rules) == 0


def test_steps_to_several_people(rules: Rules) -> None:
    """Each recipient has a rule of its own; what is the whole flow's the newest of them says."""
    rules.add({"to": BOB, "sms": "failed", "fault": "hang", "callbacks": {"repeat": 3}})
    rules.add({"to": ADA, "sms": "expired", "callbacks": {"drop": True}})
    ruling = rules.decide_flow(SendEndpoint.STANDARD, steps(BOB, "+3069", ADA, BOB))
    failed, expired = ScriptedMessage(ScriptedOutcome.FAILED), ScriptedMessage(ScriptedOutcome.EXPIRED)
    assert ruling == RuleDecision((failed, None, expired, failed), ScriptedCallbacks(drop=True), None, Fault.HANG)
    assert [rule.stored.applied for rule in rules] == [1, 1]


def test_what_else_a_rule_says(rules: Rules) -> None:
    """Answers, faults and callbacks stand beside what is played."""
    rules.add({"to": "1", "response": {"status": 429, "retryAfter": 2}})
    rules.add({"to": "2", "response": {"insufficientBalance": True}})
    rules.add({"to": "3", "fault": "truncated"})
    order = {"repeat": 2, "order": "reversed", "delay": 1.5, "drop": False}
    rules.add({"to": "4", "callbacks": order})
    rulings = [rules.decide_flow(SendEndpoint.OTP, steps(to)) for to in "1234"]
    assert [ruling.response for ruling in rulings] == [ScriptedResponse(429, 2), ScriptedResponse(None), None, None]
    assert rulings[2].fault is Fault.TRUNCATED
    assert rulings[3].callbacks == ScriptedCallbacks(2, "reversed", 1.5)
    assert all(ruling.scripts == () for ruling in rulings)


def test_times(rules: Rules) -> None:
    """A rule that may apply twice does so, and then older ones are asked."""
    rules.add({"sms": "expired"})
    rules.add({"sms": "failed", "times": 2})
    assert [ending(rules) for _ in range(3)] == [
        ScriptedOutcome.FAILED,
        ScriptedOutcome.FAILED,
        ScriptedOutcome.EXPIRED,
    ]
    assert [rule.as_json() for rule in rules] == [
        {"id": rule.stored.id, "applied": applied, **rule.stored.definition}
        for rule, applied in zip(rules, (2, 1), strict=True)
    ]


def test_other_requests(rules: Rules) -> None:
    """Requests for a token, and those that read, have rules of their own."""
    rules.add({"endpoint": "token", "response": {"status": 500}, "times": 1})
    rules.add({"endpoint": "reading", "fault": "reset"})
    assert rules.decide_request("token") == RuleDecision(response=ScriptedResponse(500))
    assert rules.decide_request("token") == NO_DECISION
    assert rules.decide_request("reading") == RuleDecision(fault=Fault.RESET)
    assert rules.decide_flow(SendEndpoint.STANDARD, steps(ADA)) == NO_DECISION


def _numbers(count: int) -> Iterator[str]:
    return (f"+3069{number:08}" for number in range(count))


def _drawn(said: dict[str, Any], numbers: list[str]) -> set[str]:
    rules = Rules(EventBus())
    rules.add({"sms": "failed", **said})
    return {number for number in numbers if ending(rules, number)}


def test_a_rate_is_about_right_and_repeatable() -> None:
    """A tenth is about a tenth: the same one for the same seed, whatever the order, and another for another seed."""
    numbers = list(_numbers(2_000))
    drawn = _drawn({"rate": 0.1, "seed": 7}, numbers)
    assert 140 < len(drawn) < 260
    assert _drawn({"rate": 0.1, "seed": 7}, numbers[::-1]) == drawn
    assert _drawn({"rate": 0.1, "seed": 8}, numbers) != drawn
    assert _drawn({"rate": 0, "seed": 7}, numbers) == set()
    assert _drawn({"rate": 1, "seed": 7}, numbers) == set(numbers)


def test_each_time_is_a_draw_of_its_own(rules: Rules) -> None:
    """A recipient who was drawn once is not drawn for ever; a rule without a seed says which it took."""
    rule = rules.add({"sms": "failed", "rate": 0.5})
    drawn = [ending(rules) for _ in range(200)]
    assert 60 < drawn.count(ScriptedOutcome.FAILED) < 140
    again = Rules(EventBus())
    again.add({"sms": "failed", "rate": 0.5, "seed": rule.as_json()["seed"]})
    assert [ending(again) for _ in range(200)] == drawn


def test_draws_do_not_fill_the_memory(rules: Rules, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an endless list of recipients the newest are remembered; one who was forgotten is drawn as at first."""
    monkeypatch.setattr(rules_module, "_MAX_TRACKED_RECIPIENTS", 10)
    rule = rules.add({"sms": "failed", "rate": 0.5, "seed": 1})
    first = [ending(rules, number) for number in _numbers(50)]
    assert [ending(rules, number) for number in _numbers(50)] == first
    assert len(rule._draws) == 10


def test_there_is_an_end_to_rules(rules: Rules, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sender of endless rules is refused in time."""
    monkeypatch.setattr(rules_module, "MAX_RULES", 2)
    rules.add({"sms": "failed"})
    rules.add({"sms": "failed"})
    with pytest.raises(TooManyRules):
        rules.add({"sms": "failed"})
    assert len(rules) == 2


def test_changes_are_told() -> None:
    """Whoever watches hears when a rule is made or forgotten, and not when nothing changed."""
    feed, heard = EventBus(), list[SandboxEvent]()
    feed.add_listener(heard.append)
    rules = Rules(feed)
    rule = rules.add({"sms": "failed"})
    rules.remove("another")
    rules.remove(rule.stored.id)
    rules.clear()
    assert heard == [RulesChanged()] * 3


class RecordingStore(MemoryStore):
    """A store that one can look into."""

    def __init__(self) -> None:
        self.kept: dict[str, StoredRule] = {}

    def load(self, kind: str, type_: type[Any]) -> list[Any]:
        """What is there."""
        assert (kind, type_) == ("rule", StoredRule)
        return list(self.kept.values())

    def save(self, kind: str, key: str, value: Any) -> None:
        """Keep it."""
        self.kept[key] = value

    def delete(self, kind: str, key: str) -> None:
        """Let go of it."""
        del self.kept[key]

    def clear(self, kind: str) -> None:
        """Let go of all."""
        self.kept.clear()


def test_rules_are_kept() -> None:
    """Rules survive, with how often they applied; those made before a store was opened stand before those in it."""
    shelf, first = RecordingStore(), Rules(EventBus())
    first.attach_store(shelf)
    oldest, gone = first.add({"sms": "failed"}), first.add({"sms": "failed"})
    limited = first.add({"sms": "expired", "times": 1})
    assert ending(first) is ScriptedOutcome.EXPIRED
    first.remove(gone.stored.id)
    second = Rules(EventBus())
    newest = second.add({"to": BOB, "sms": "delivered"})
    second.attach_store(shelf)
    assert [rule.stored.id for rule in second] == [newest.stored.id, limited.stored.id, oldest.stored.id]
    assert ending(second) is ScriptedOutcome.FAILED
    assert list(shelf.kept) == [oldest.stored.id, limited.stored.id, newest.stored.id]
    second.clear()
    assert shelf.kept == {}
