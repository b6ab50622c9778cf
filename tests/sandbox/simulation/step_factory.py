"""Factories for simulated steps."""

from typing import Any

from routee_failover.sandbox.simulation.scripted_outcomes import ScriptedMessage, ScriptedOutcome, SimulatedChannel
from routee_failover.sandbox.simulation.timeline import FlowTimeline, SimulatedStep

VIBER_TRIGGERS = frozenset({"expired", "failed", "undelivered"})
SMS_TRIGGERS = frozenset({"undelivered", "failed"})
VOICE_TRIGGERS = frozenset({"busy", "noanswer"})
ANY_VOICE = frozenset({"completed", "busy", "noanswer", "failed", "unsent", "terminated"})


def viber(outcome: ScriptedOutcome, triggers: frozenset[str] = VIBER_TRIGGERS, **more: Any) -> SimulatedStep:
    """Return a Viber step with this outcome."""
    return step(SimulatedChannel.VIBER, outcome, triggers, **{"ttl": 600.0, **more})


def sms(outcome: ScriptedOutcome, triggers: frozenset[str] = SMS_TRIGGERS, **more: Any) -> SimulatedStep:
    """Return an SMS step with this outcome."""
    return step(SimulatedChannel.SMS, outcome, triggers, **{"ttl": 72_000.0, **more})


def voice(outcome: ScriptedOutcome, triggers: frozenset[str] = VOICE_TRIGGERS, **more: Any) -> SimulatedStep:
    """Return a call with this outcome."""
    return step(SimulatedChannel.VOICE, outcome, triggers, **more)


def step(
    channel: SimulatedChannel,
    outcome: ScriptedOutcome,
    triggers: frozenset[str],
    *,
    after: float | None = None,
    detail: str | None = None,
    **more: Any,
) -> SimulatedStep:
    """Return a step with this outcome, at this time, with this detailedStatus."""
    return SimulatedStep(channel=channel, script=ScriptedMessage(outcome, after, detail), triggers=triggers, **more)


def names(timeline: FlowTimeline, position: int = 0) -> list[tuple[float, str]]:
    """Return the statuses of a message with their times."""
    return [(change.at, change.name) for change in timeline.messages[position].status_changes]
