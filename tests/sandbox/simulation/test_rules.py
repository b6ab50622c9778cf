"""Rules without a server: matching, precedence, number of applications, rates."""

from collections.abc import Iterator
from typing import Any

import pytest

from routee_failover.sandbox.simulation import rules as rules_module
from routee_failover.sandbox.simulation.event_bus import EventBus, RulesChanged, SandboxEvent
from routee_failover.sandbox.simulation.flow_plan import PlannedStep, SendEndpoint, plan_steps
from routee_failover.sandbox.simulation.rules import (
    NO_DECISION,
    Fault,
    RuleDecision,
    Rules,
    ScriptedResponse,
    StoredRule,
    TooManyRules,
)
from routee_failover.sandbox.simulation.scripted_outcomes import ScriptedCallbacks, ScriptedMessage, ScriptedOutcome
from routee_failover.sandbox.store.base import MemoryStore

ADA, BOB = "+306912345678", "+306987654321"


@pytest.fixture
def rules() -> Rules:
    """Return an empty set of rules."""
    return Rules(EventBus())


def steps(*to: str) -> tuple[PlannedStep, ...]:
    """Plan an SMS to each of these numbers."""
    return plan_steps(SendEndpoint.STANDARD, {"flow": [{"type": "Sms", "to": number, "from": "a"} for number in to]})


def viber_and_sms(to: str) -> tuple[PlannedStep, ...]:
    """Plan Viber, then SMS."""
    body = {"flow": [{"type": "Viber", "to": to}, {"type": "Sms", "to": to}]}
    return plan_steps(SendEndpoint.STANDARD, body)


def sms_outcome(rules: Rules, to: str = ADA, endpoint: SendEndpoint = SendEndpoint.STANDARD) -> ScriptedOutcome | None:
    """Return the outcome that the rules decide for one SMS."""
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
def test_rule_matches_a_number_or_a_prefix(rules: Rules, to: str, matched: bool) -> None:
    """A rule matches a number, with or without plus, or a prefix; the sender may write the plus or not."""
    rules.add({"to": to, "sms": "failed"})
    for number in (ADA, ADA.removeprefix("+")):
        assert (sms_outcome(rules, number) is ScriptedOutcome.FAILED) is matched


def test_rule_matches_one_endpoint_or_all_sends(rules: Rules) -> None:
    """A rule may match one endpoint; without one it matches every send, and no other requests."""
    rules.add({"sms": "failed"})
    rules.add({"endpoint": "otp", "sms": "expired"})
    assert [sms_outcome(rules, endpoint=endpoint) for endpoint in SendEndpoint] == [
        ScriptedOutcome.FAILED,
        ScriptedOutcome.FAILED,
        ScriptedOutcome.EXPIRED,
        ScriptedOutcome.FAILED,
    ]
    assert rules.decide_request("token") == rules.decide_request("reading") == NO_DECISION


def test_newest_matching_rule_decides_alone(rules: Rules) -> None:
    """Of the matching rules the newest decides alone: what it omits the digits decide, not an older rule."""
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


def test_each_recipient_of_a_flow_has_its_own_rule(rules: Rules) -> None:
    """Each recipient has its own rule; for the flow as a whole the newest of them decides."""
    rules.add({"to": BOB, "sms": "failed", "fault": "hang", "callbacks": {"repeat": 3}})
    rules.add({"to": ADA, "sms": "expired", "callbacks": {"drop": True}})
    decision = rules.decide_flow(SendEndpoint.STANDARD, steps(BOB, "+3069", ADA, BOB))
    failed, expired = ScriptedMessage(ScriptedOutcome.FAILED), ScriptedMessage(ScriptedOutcome.EXPIRED)
    assert decision == RuleDecision((failed, None, expired, failed), ScriptedCallbacks(drop=True), None, Fault.HANG)
    assert [rule.stored.applied for rule in rules] == [1, 1]


def test_rule_may_script_response_fault_and_callbacks(rules: Rules) -> None:
    """A rule may script response, fault and callbacks besides message outcomes."""
    rules.add({"to": "1", "response": {"status": 429, "retryAfter": 2}})
    rules.add({"to": "2", "response": {"insufficientBalance": True}})
    rules.add({"to": "3", "fault": "truncated"})
    order = {"repeat": 2, "order": "reversed", "delay": 1.5, "drop": False}
    rules.add({"to": "4", "callbacks": order})
    decisions = [rules.decide_flow(SendEndpoint.OTP, steps(to)) for to in "1234"]
    assert [decision.response for decision in decisions] == [
        ScriptedResponse(429, 2),
        ScriptedResponse(None),
        None,
        None,
    ]
    assert decisions[2].fault is Fault.TRUNCATED
    assert decisions[3].callbacks == ScriptedCallbacks(2, "reversed", 1.5)
    assert all(decision.scripts == () for decision in decisions)


def test_times_limits_how_often_a_rule_applies(rules: Rules) -> None:
    """A rule with `times=2` applies twice, and then older rules are checked."""
    rules.add({"sms": "expired"})
    rules.add({"sms": "failed", "times": 2})
    assert [sms_outcome(rules) for _ in range(3)] == [
        ScriptedOutcome.FAILED,
        ScriptedOutcome.FAILED,
        ScriptedOutcome.EXPIRED,
    ]
    assert [rule.as_json() for rule in rules] == [
        {"id": rule.stored.id, "applied": applied, **rule.stored.definition}
        for rule, applied in zip(rules, (2, 1), strict=True)
    ]


def test_token_and_read_requests_have_their_own_rules(rules: Rules) -> None:
    """Requests for a token, and reads, have rules of their own."""
    rules.add({"endpoint": "token", "response": {"status": 500}, "times": 1})
    rules.add({"endpoint": "reading", "fault": "reset"})
    assert rules.decide_request("token") == RuleDecision(response=ScriptedResponse(500))
    assert rules.decide_request("token") == NO_DECISION
    assert rules.decide_request("reading") == RuleDecision(fault=Fault.RESET)
    assert rules.decide_flow(SendEndpoint.STANDARD, steps(ADA)) == NO_DECISION


def _numbers(count: int) -> Iterator[str]:
    return (f"+3069{number:08}" for number in range(count))


def _recipients_drawn(definition: dict[str, Any], numbers: list[str]) -> set[str]:
    rules = Rules(EventBus())
    rules.add({"sms": "failed", **definition})
    return {number for number in numbers if sms_outcome(rules, number)}


def test_rate_is_approximate_and_reproducible_by_seed() -> None:
    """A rate of 0.1 selects about a tenth: the same one for the same seed in any order, another for another seed."""
    numbers = list(_numbers(2_000))
    drawn = _recipients_drawn({"rate": 0.1, "seed": 7}, numbers)
    assert 140 < len(drawn) < 260
    assert _recipients_drawn({"rate": 0.1, "seed": 7}, numbers[::-1]) == drawn
    assert _recipients_drawn({"rate": 0.1, "seed": 8}, numbers) != drawn
    assert _recipients_drawn({"rate": 0, "seed": 7}, numbers) == set()
    assert _recipients_drawn({"rate": 1, "seed": 7}, numbers) == set(numbers)


def test_each_request_of_a_recipient_is_drawn_separately(rules: Rules) -> None:
    """A recipient is drawn again for each request; a rule without a seed shows the seed that was chosen."""
    rule = rules.add({"sms": "failed", "rate": 0.5})
    drawn = [sms_outcome(rules) for _ in range(200)]
    assert 60 < drawn.count(ScriptedOutcome.FAILED) < 140
    same_seed = Rules(EventBus())
    same_seed.add({"sms": "failed", "rate": 0.5, "seed": rule.as_json()["seed"]})
    assert [sms_outcome(same_seed) for _ in range(200)] == drawn


def test_draw_counts_are_limited_to_the_newest_recipients(rules: Rules, monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw counts are kept for the newest recipients only; one that was evicted is drawn as at first."""
    monkeypatch.setattr(rules_module, "_MAX_TRACKED_RECIPIENTS", 10)
    rule = rules.add({"sms": "failed", "rate": 0.5, "seed": 1})
    first = [sms_outcome(rules, number) for number in _numbers(50)]
    assert [sms_outcome(rules, number) for number in _numbers(50)] == first
    assert len(rule._draws) == 10


def test_add_beyond_the_maximum_raises(rules: Rules, monkeypatch: pytest.MonkeyPatch) -> None:
    """Adding a rule beyond the maximum is an error."""
    monkeypatch.setattr(rules_module, "MAX_RULES", 2)
    rules.add({"sms": "failed"})
    rules.add({"sms": "failed"})
    with pytest.raises(TooManyRules):
        rules.add({"sms": "failed"})
    assert len(rules) == 2


def test_rule_changes_are_published() -> None:
    """An event is published when a rule is added or removed, and not when nothing changed."""
    event_bus, events = EventBus(), list[SandboxEvent]()
    event_bus.add_listener(events.append)
    rules = Rules(event_bus)
    rule = rules.add({"sms": "failed"})
    rules.remove("another")
    rules.remove(rule.stored.id)
    rules.clear()
    assert events == [RulesChanged()] * 3


class RecordingStore(MemoryStore):
    """Store that exposes its contents."""

    def __init__(self) -> None:
        self.saved: dict[str, StoredRule] = {}

    def load(self, kind: str, type_: type[Any]) -> list[Any]:
        """Return the saved rules."""
        assert (kind, type_) == ("rule", StoredRule)
        return list(self.saved.values())

    def save(self, kind: str, key: str, value: Any) -> None:
        """Save a rule."""
        self.saved[key] = value

    def delete(self, kind: str, key: str) -> None:
        """Delete a rule."""
        del self.saved[key]

    def clear(self, kind: str) -> None:
        """Delete all rules."""
        self.saved.clear()


def test_rules_survive_in_the_store_below_newer_ones() -> None:
    """Rules survive with their counts; those added before a store is attached come before those in it."""
    store, first = RecordingStore(), Rules(EventBus())
    first.attach_store(store)
    oldest, removed = first.add({"sms": "failed"}), first.add({"sms": "failed"})
    limited = first.add({"sms": "expired", "times": 1})
    assert sms_outcome(first) is ScriptedOutcome.EXPIRED
    first.remove(removed.stored.id)
    second = Rules(EventBus())
    newest = second.add({"to": BOB, "sms": "delivered"})
    second.attach_store(store)
    assert [rule.stored.id for rule in second] == [newest.stored.id, limited.stored.id, oldest.stored.id]
    assert sms_outcome(second) is ScriptedOutcome.FAILED
    assert list(store.saved) == [oldest.stored.id, limited.stored.id, newest.stored.id]
    second.clear()
    assert store.saved == {}
