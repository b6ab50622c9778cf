"""What an accepted body asks the engine to play: its steps in the order of trying, in seconds, with their scripts."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import attrs

from .channel_statuses import FailureCode
from .outcomes import ScriptedMessage, ScriptedOutcome, SimulatedChannel, scripted_outcome
from .timeline import FlowTimeline, ForcedOutcome, SimulatedStep, compute_timeline


class SendEndpoint(StrEnum):
    """Where a flow was sent."""

    STANDARD = "standard"
    TRANSACTIONAL = "transactional"
    OTP = "otp"
    VIBER_OTP = "viber-otp"


DEFAULT_TTL = {SimulatedChannel.SMS: 1200, SimulatedChannel.VIBER: 10}
"""Minutes, for the steps of standard and transactional flows."""

DEFAULT_TRIGGERS: dict[SimulatedChannel, tuple[str, ...]] = {
    SimulatedChannel.SMS: ("Undelivered", "Failed"),
    SimulatedChannel.VIBER: ("Expired", "Failed", "Undelivered"),
    SimulatedChannel.VOICE: ("Busy", "NoAnswer"),
}

OTP_TRIGGERS = frozenset({"expired", "failed", "undelivered"})
VIBER_OTP_TTL = 14 * 24 * 3600.0  # INF: Viber's own default as other vendors document it; Routee names none
MAX_TTL = 10**8  # OTP seconds have no documented upper bound; past three years nobody watches
QUEUE_DELAY_SECONDS = 1.0  # INF: how long a standard or transactional flow is Queued before its first message leaves


@attrs.frozen
class PlannedStep:
    """A step of a body, as it will be tried. `order` is the body's, or its position where it gives none."""

    order: int
    body: Mapping[str, Any]
    recipient: str
    step: SimulatedStep


def plan_steps(
    endpoint: SendEndpoint, body: Mapping[str, Any], scripts: Sequence[ScriptedMessage | None] = ()
) -> tuple[PlannedStep, ...]:
    """The steps of an accepted body in the order of trying; steps of one order keep their places.

    `scripts`, in the same order, go before what the recipients' digits say.
    """
    planned = _planned(endpoint, body)
    if not scripts:
        return planned
    return tuple(
        one if script is None else attrs.evolve(one, step=attrs.evolve(one.step, script=script))
        for one, script in zip(planned, scripts, strict=True)
    )


def _planned(endpoint: SendEndpoint, body: Mapping[str, Any]) -> tuple[PlannedStep, ...]:
    if endpoint is SendEndpoint.VIBER_OTP:
        return (_viber_otp(body),)
    read = _otp_step if endpoint is SendEndpoint.OTP else _failover_step
    steps: Sequence[Mapping[str, Any]] = body["flow"]
    planned = [read(int(step.get("order", position)), step) for position, step in enumerate(steps, start=1)]
    return tuple(sorted(planned, key=lambda one: one.order))


def plan_timeline(
    endpoint: SendEndpoint, steps: Sequence[PlannedStep], forced: Sequence[ForcedOutcome] = ()
) -> FlowTimeline:
    """Everything that will become of these steps."""
    queued = QUEUE_DELAY_SECONDS if endpoint in {SendEndpoint.STANDARD, SendEndpoint.TRANSACTIONAL} else 0.0
    return compute_timeline([one.step for one in steps], dispatched_at=queued, forced=forced)


def rejection_reason(endpoint: SendEndpoint, steps: Sequence[PlannedStep]) -> FailureCode | None:
    """Why no channel takes the flow, when its scripts say that each one tried refuses it; None when one takes it."""
    if not _refuses(steps[0]):
        return None
    line = plan_timeline(endpoint, steps)
    return line.failure_code if all(_refuses(steps[message.position]) for message in line.messages) else None


def _refuses(one: PlannedStep) -> bool:
    return one.step.script.outcome in _REFUSALS and one.step.script.after is None


_REFUSALS = frozenset(
    {ScriptedOutcome.FAILED, ScriptedOutcome.UNSENT, ScriptedOutcome.TERMINATED, ScriptedOutcome.ERROR}
)


def _failover_step(order: int, body: Mapping[str, Any]) -> PlannedStep:
    channel = SimulatedChannel(body["type"])
    recipient = voice_number(body["to"]) if channel is SimulatedChannel.VOICE else body["to"]
    ttl = None if channel is SimulatedChannel.VOICE else body.get("ttl", DEFAULT_TTL[channel]) * 60.0
    step = SimulatedStep(
        channel=channel,
        script=ScriptedMessage(scripted_outcome(channel, recipient)),
        triggers=frozenset(word.lower() for word in body.get("failoverOnStatuses", DEFAULT_TRIGGERS[channel])),
        ttl=ttl,
        expire_on_delivery=body.get("expireOnDelivery") is True and channel is SimulatedChannel.VIBER,
    )
    return PlannedStep(order, body, recipient, step)


def _otp_step(order: int, body: Mapping[str, Any]) -> PlannedStep:
    channel = SimulatedChannel.VIBER if body["type"] == "ViberOtp" else SimulatedChannel.SMS
    recipient = body["to"] if isinstance(body["to"], str) else body["to"][0]
    script = ScriptedMessage(scripted_outcome(channel, recipient))
    ttl = float(min(body["ttl"], MAX_TTL))
    return PlannedStep(
        order, body, recipient, SimulatedStep(channel=channel, script=script, triggers=OTP_TRIGGERS, ttl=ttl)
    )


def _viber_otp(body: Mapping[str, Any]) -> PlannedStep:
    script = ScriptedMessage(scripted_outcome(SimulatedChannel.VIBER, body["to"]))
    ttl = float(min(body.get("ttl", VIBER_OTP_TTL), MAX_TTL))
    return PlannedStep(
        1, body, body["to"], SimulatedStep(channel=SimulatedChannel.VIBER, script=script, triggers=frozenset(), ttl=ttl)
    )


def voice_number(to: str | Mapping[str, str | None]) -> str:
    """The number, or the first of the addresses, that a call goes to."""
    if isinstance(to, str):
        return to
    named = (to.get(kind) or "" for kind in ("phone", "viber", "sip"))
    return next(number for number in named if number.strip())
