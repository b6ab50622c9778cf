"""Steps to play, in few words."""

from typing import Any

from routee_failover.sandbox.life.engine import Step, TimeLine
from routee_failover.sandbox.life.scripts import Channel, Ending, Script

VIBER_TRIGGERS = frozenset({"expired", "failed", "undelivered"})
SMS_TRIGGERS = frozenset({"undelivered", "failed"})
VOICE_TRIGGERS = frozenset({"busy", "noanswer"})
ANY_VOICE = frozenset({"completed", "busy", "noanswer", "failed", "unsent", "terminated"})


def viber(ending: Ending, triggers: frozenset[str] = VIBER_TRIGGERS, **more: Any) -> Step:
    """A Viber step that ends so."""
    return step(Channel.VIBER, ending, triggers, **{"ttl": 600.0, **more})


def sms(ending: Ending, triggers: frozenset[str] = SMS_TRIGGERS, **more: Any) -> Step:
    """An SMS step that ends so."""
    return step(Channel.SMS, ending, triggers, **{"ttl": 72_000.0, **more})


def voice(ending: Ending, triggers: frozenset[str] = VOICE_TRIGGERS, **more: Any) -> Step:
    """A call that ends so."""
    return step(Channel.VOICE, ending, triggers, **more)


def step(
    channel: Channel,
    ending: Ending,
    triggers: frozenset[str],
    *,
    after: float | None = None,
    detail: str | None = None,
    **more: Any,
) -> Step:
    """A step that ends so, then, with that detail."""
    return Step(channel=channel, script=Script(ending, after, detail), triggers=triggers, **more)


def names(line: TimeLine, position: int = 0) -> list[tuple[float, str]]:
    """The statuses of a message, and when it takes them."""
    return [(change.at, change.name) for change in line.messages[position].changes]
