"""A flow on its way: sent once, then asked after until it has ended. How that looks is decided elsewhere."""

import asyncio
from collections.abc import Callable
from enum import Enum

import attrs

from ...client import RouteeClient
from ...errors import InvalidFlow, Rejected, RouteeError
from ..failures import lines_of
from ..legs import DELIVERED, GONE_WRONG, AnyRecord, Leg, in_words, legs_of, status_reason
from ..terminal import clean
from .cast import SMS, VIBER, Scene


class Ending(Enum):
    """How a flow of the demo ends."""

    DELIVERED = "delivered"
    FAILED = "failed"
    REFUSED = "refused by Routee"
    NEVER_SENT = "refused before sending"
    LOST = "lost"
    """Nobody knows how it went on: the sandbox could not be asked."""


@attrs.define
class Journey:
    """One scene as far as it has been played."""

    scene: Scene
    legs: tuple[Leg, ...] = ()
    ending: Ending | None = None
    ended_at: float = 0.0
    reason: list[str] = attrs.field(factory=list)
    """Why the flow was refused, failed or lost, in the words of the library."""

    @property
    def failed_over(self) -> bool:
        """Whether another channel was tried."""
        return len(self.legs) > 1

    def end(self, ending: Ending, *reason: str) -> None:
        """The last word."""
        self.ending = ending
        self.reason = [clean(line) for line in reason]

    def why(self) -> list[str]:
        """Why it went on to another channel, or came to nothing; empty for what was delivered at once."""
        wrong = [f"{_name(leg)} said {_said(leg)}" for leg in self.legs if leg.status in GONE_WRONG]
        if not wrong or self.ending not in {Ending.DELIVERED, Ending.FAILED}:
            return self.reason
        if self.ending is Ending.DELIVERED:
            then = "sent an SMS" if self.legs[-1].channel == SMS else "called"
            return [f"{', '.join(wrong)}; so Routee {then}"]
        return [", ".join(wrong) + (f": {self.reason[0]}" if self.reason else "; it has no other channel")]


Tell = Callable[[Journey, str], None]
"""Takes what has just happened to a journey, in one line."""


async def follow(journey: Journey, client: RouteeClient, tell: Tell, now: Callable[[], float], pause: float) -> None:
    """Send the flow of a journey and ask after it until it has ended. No error of the library leaves here."""
    try:
        flow = journey.scene.write(journey.scene.recipient)
        receipt = await client.send(flow)
    except RouteeError as error:
        journey.end(_refusal(error), *lines_of(error))
        journey.ended_at = now()
        told = journey.reason[0]
        tell(journey, told if isinstance(error, Rejected) else f"not sent: {told}")
        return
    tell(journey, "accepted")
    try:
        while not journey.ending:
            _see(journey, await client.track(receipt), tell)
            journey.ended_at = now()
            if not journey.ending:
                await asyncio.sleep(pause)
    except RouteeError as error:
        journey.end(Ending.LOST, str(error))
        tell(journey, f"lost: {journey.reason[0]}")


def _refusal(error: RouteeError) -> Ending:
    if isinstance(error, InvalidFlow):
        return Ending.NEVER_SENT
    return Ending.REFUSED if isinstance(error, Rejected) else Ending.LOST


def _see(journey: Journey, record: AnyRecord, tell: Tell) -> None:
    before, journey.legs = journey.legs, legs_of(record)
    if journey.legs != before:
        changed = [leg for leg in journey.legs if leg not in before]
        tell(journey, ", then ".join(_tale(leg) for leg in changed))
    if record.final:
        delivered = any(leg.status in DELIVERED for leg in journey.legs)
        reason = status_reason(record)
        journey.end(Ending.DELIVERED if delivered else Ending.FAILED, *([reason] if reason else []))


def _tale(leg: Leg) -> str:
    return f"{_name(leg)} {in_words(leg.status or '')}" + (f" ({_said(leg)})" if leg.status in GONE_WRONG else "")


def _name(leg: Leg) -> str:
    return "Viber" if leg.channel == VIBER else "SMS" if leg.channel == SMS else "Voice"


def _said(leg: Leg) -> str:
    return f'"{clean(leg.detail or leg.status)}"'
