"""Plan of a flow: the steps of an accepted body in the order in which they are attempted, in seconds, with scripts."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import attrs

from .scripted_outcomes import ScriptedMessage, ScriptedOutcome, SimulatedChannel, scripted_outcome
from .status_sequences import FailureCode
from .timeline import FlowTimeline, ForcedOutcome, SimulatedStep, compute_timeline


class SendEndpoint(StrEnum):
    """Endpoint that a flow is sent to."""

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
MAX_TTL = 10**8  # OTP seconds have no documented upper bound; this is more than three years
QUEUE_DELAY_SECONDS = 1.0  # INF: how long a standard or transactional flow is Queued before its first message is sent


@attrs.frozen
class PlannedStep:
    """A step of a body as it will be attempted. `order` is the one in the body, or its position where there is none."""

    order: int
    body: Mapping[str, Any]
    recipient: str
    step: SimulatedStep


def plan_steps(
    endpoint: SendEndpoint, body: Mapping[str, Any], scripts: Sequence[ScriptedMessage | None] = ()
) -> tuple[PlannedStep, ...]:
    """Return the steps of an accepted body in the order in which they are attempted; the sort by `order` is stable.

    `scripts`, in the same order, take precedence over the digits of the recipients.
    """
    planned = _planned_steps(endpoint, body)
    if not scripts:
        return planned
    return tuple(
        planned_step
        if script is None
        else attrs.evolve(planned_step, step=attrs.evolve(planned_step.step, script=script))
        for planned_step, script in zip(planned, scripts, strict=True)
    )


def _planned_steps(endpoint: SendEndpoint, body: Mapping[str, Any]) -> tuple[PlannedStep, ...]:
    if endpoint is SendEndpoint.VIBER_OTP:
        return (_plan_viber_otp(body),)
    plan_step = _plan_otp_step if endpoint is SendEndpoint.OTP else _plan_failover_step
    steps: Sequence[Mapping[str, Any]] = body["flow"]
    planned = [plan_step(int(step.get("order", position)), step) for position, step in enumerate(steps, start=1)]
    return tuple(sorted(planned, key=lambda planned_step: planned_step.order))


def plan_timeline(
    endpoint: SendEndpoint, steps: Sequence[PlannedStep], forced: Sequence[ForcedOutcome] = ()
) -> FlowTimeline:
    """Return the timeline of these steps."""
    queue_delay = QUEUE_DELAY_SECONDS if endpoint in {SendEndpoint.STANDARD, SendEndpoint.TRANSACTIONAL} else 0.0
    return compute_timeline([planned.step for planned in steps], dispatched_at=queue_delay, forced=forced)


def rejection_reason(endpoint: SendEndpoint, steps: Sequence[PlannedStep]) -> FailureCode | None:
    """Return why every channel that is attempted rejects the flow at once, by its scripts; None when one accepts it."""
    if not _is_rejected(steps[0]):
        return None
    timeline = plan_timeline(endpoint, steps)
    return (
        timeline.failure_code if all(_is_rejected(steps[message.position]) for message in timeline.messages) else None
    )


def _is_rejected(planned: PlannedStep) -> bool:
    return planned.step.script.outcome in _REJECTIONS and planned.step.script.after is None


_REJECTIONS = frozenset(
    {ScriptedOutcome.FAILED, ScriptedOutcome.UNSENT, ScriptedOutcome.TERMINATED, ScriptedOutcome.ERROR}
)


def _plan_failover_step(order: int, body: Mapping[str, Any]) -> PlannedStep:
    channel = SimulatedChannel(body["type"])
    recipient = voice_number(body["to"]) if channel is SimulatedChannel.VOICE else body["to"]
    ttl = None if channel is SimulatedChannel.VOICE else body.get("ttl", DEFAULT_TTL[channel]) * 60.0
    step = SimulatedStep(
        channel=channel,
        script=ScriptedMessage(scripted_outcome(channel, recipient)),
        triggers=frozenset(status.lower() for status in body.get("failoverOnStatuses", DEFAULT_TRIGGERS[channel])),
        ttl=ttl,
        expire_on_delivery=body.get("expireOnDelivery") is True and channel is SimulatedChannel.VIBER,
    )
    return PlannedStep(order, body, recipient, step)


def _plan_otp_step(order: int, body: Mapping[str, Any]) -> PlannedStep:
    channel = SimulatedChannel.VIBER if body["type"] == "ViberOtp" else SimulatedChannel.SMS
    recipient = body["to"] if isinstance(body["to"], str) else body["to"][0]
    script = ScriptedMessage(scripted_outcome(channel, recipient))
    step = SimulatedStep(
        channel=channel,
        script=script,
        triggers=OTP_TRIGGERS,
        ttl=float(min(body["ttl"], MAX_TTL)),
        failover_after_delivery=channel is SimulatedChannel.VIBER and _has_switch_on(body),
    )
    return PlannedStep(order, body, recipient, step)


def _has_switch_on(body: Mapping[str, Any]) -> bool:
    """Return whether a ViberOtp step asks for the next one after a delivery.

    INF: the page documents one true or false for this step without its name, so any member with true is taken for it.
    """
    return any(value is True for value in body.values())


def _plan_viber_otp(body: Mapping[str, Any]) -> PlannedStep:
    script = ScriptedMessage(scripted_outcome(SimulatedChannel.VIBER, body["to"]))
    ttl = float(min(body.get("ttl", VIBER_OTP_TTL), MAX_TTL))
    return PlannedStep(
        1, body, body["to"], SimulatedStep(channel=SimulatedChannel.VIBER, script=script, triggers=frozenset(), ttl=ttl)
    )


def voice_number(to: str | Mapping[str, str | None]) -> str:
    """Return the number that a call goes to, or the first of its addresses."""
    if isinstance(to, str):
        return to
    addresses = (to.get(kind) or "" for kind in ("phone", "viber", "sip"))
    return next(address for address in addresses if address.strip())
