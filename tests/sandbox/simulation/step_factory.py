"""Steps to play, in few words."""

from typing import Any

from routee_failover.sandbox.simulation.outcomes import ScriptedMessage, ScriptedOutcome, SimulatedChannel
from routee_failover.sandbox.simulation.timeline import FlowTimeline, SimulatedStep

VIBER_TRIGGERS = frozenset({"expired", "failed", "undelivered"})
SMS_TRIGGERS = frozenset({"undelivered", "failed"})
VOICE_TRIGGERS = frozenset({"busy", "noanswer"})
ANY_VOICE = frozenset({"completed", "busy", "noanswer", "failed", "unsent", "terminated"})


def viber(ending: ScriptedOutcome, triggers: frozenset[str] = VIBER_TRIGGERS, **more: Any) -> SimulatedStep:
    """A Viber step that ends so."""
    return step(SimulatedChannel.VIBER, ending, triggers, **{"ttl": 600.0, **more})


def sms(ending: ScriptedOutcome, triggers: frozenset[str] = SMS_TRIGGERS, **more: Any) -> SimulatedStep:
    """An SMS step that ends so."""
    return step(SimulatedChannel.SMS, ending, triggers, **{"ttl": 72_000.0, **more})


def voice(ending: ScriptedOutcome, triggers: frozenset[str] = VOICE_TRIGGERS, **more: Any) -> SimulatedStep:
    """A call that ends so."""
    return step(SimulatedChannel.VOICE, ending, triggers, **more)


def step(
    channel: SimulatedChannel,
    ending: ScriptedOutcome,
    triggers: frozenset[str],
    *,
    after: float | None = None,
    detail: str | None = None,
    **more: Any,
) -> SimulatedStep:
    """A step that ends so, then, with that detail."""
    return SimulatedStep(channel=channel, script=ScriptedMessage(ending, after, detail), triggers=triggers, **more)


def names(line: FlowTimeline, position: int = 0) -> list[tuple[float, str]]:
    """The statuses of a message, and when it takes them."""
    return [(change.at, change.name) for change in line.messages[position].status_changes]
