"""What is posted where: the tracking record of a flow at a moment of its life, and what a person writes back."""

import json
from collections.abc import Mapping
from typing import Any

import attrs

from ..api import failover_responses, otp_responses
from ..api.failover_responses import format_timestamp
from ..simulation.flow_store import AcceptedFlow
from ..simulation.lifecycle import ActionConflict
from ..simulation.outcomes import SimulatedChannel
from ..simulation.step_plan import PlannedStep, SendEndpoint
from ..simulation.timeline import SimulatedFlowState, SimulatedFlowStatus, SimulatedMessage
from .records import CallbackKind

# Nothing that is public says that a Viber OTP would report to anybody.
_KINDS: dict[str, CallbackKind] = {
    SendEndpoint.STANDARD: "flow",
    SendEndpoint.TRANSACTIONAL: "flow",
    SendEndpoint.OTP: "otp",
}
_FINAL = frozenset({SimulatedFlowStatus.SUCCEEDED, SimulatedFlowStatus.FAILED})


@attrs.frozen
class CallbackTarget:
    """Where a flow reports what becomes of it, and of what."""

    kind: CallbackKind
    url: str
    final_only: bool
    """Whether the final status is all that is wanted (`OnCompletion`)."""

    def includes(self, state: SimulatedFlowState) -> bool:
        """Whether it is told when a flow stands like this."""
        return not self.final_only or state.status in _FINAL


def callback_target(flow: AcceptedFlow) -> CallbackTarget | None:
    """Where a flow reports; None for one that nobody wants to hear of."""
    kind = _KINDS.get(flow.endpoint)
    callback: Mapping[str, str] | None = flow.body.get("callback")
    if kind is None or callback is None:
        return None
    # The strategy may be absent, and no page says what holds then. INF: every change, so that nothing is missed.
    return CallbackTarget(kind, callback["url"], callback.get("strategy") == "OnCompletion")


def status_payload(flow: AcceptedFlow, state: SimulatedFlowState) -> str:
    """The callback's body (https://docs.routee.net/docs/failover-callbacks).

    It is the record that tracking would show at that moment; the OTP service posts the very same one.
    """
    if flow.endpoint == SendEndpoint.OTP:
        return _json(otp_responses.tracking_record(flow, flow.steps, state))
    # The one documented difference: tracking spells the service in lower case.
    return _json(failover_responses.tracking_record(flow, flow.steps, state) | {"originatingService": "Failover"})


def inbound_payload(
    flow: AcceptedFlow, position: int | None, elapsed: float, text: str, *, media: str | None, filename: str | None
) -> tuple[str, str]:
    """The `inboundUrl` of a step, and what it is posted when the person answers that step's message, or the last one.

    See https://docs.routee.net/docs/viber-inbound-messages. Raises `ActionConflict` for a message that nobody can answer.
    """
    message = _answerable(flow, position, elapsed)
    step = flow.steps[message.position]
    body = {
        "from": "+" + step.recipient.removeprefix("+"),
        "to": step.body["senderInfoTrackingId"],
        "message": text,
        "sentDate": format_timestamp(flow.created_at, elapsed),
        # The page describes campaigns. A flow is none (INF).
        "campaignName": None,
        "campaignTrackingId": None,
        "referenceTrackingId": flow.message_ids[message.position],  # INF: the message's id and not the flow's
        "direction": "Inbound",
        "media": media,
        "filename": filename,
        "label": step.body.get("label"),
    }
    return step.body["inboundUrl"], _json(body)


def _answerable(flow: AcceptedFlow, position: int | None, elapsed: float) -> SimulatedMessage:
    sent = flow.timeline.state_at(elapsed).messages
    message = next((one for one in reversed(sent) if position in {None, one.position}), None)
    if message is None:
        raise ActionConflict("the flow has sent no such message yet")
    why = reply_obstacle(flow.steps[message.position], message, elapsed)
    if why is not None:
        raise ActionConflict(why)
    return message


def reply_obstacle(step: PlannedStep, message: SimulatedMessage, elapsed: float) -> str | None:
    """Why the person cannot answer a step's message; None when they can."""
    if message.channel is not SimulatedChannel.VIBER or "inboundUrl" not in step.body:
        return "only a Viber message whose step has an inboundUrl can be answered"
    if message.delivered_at(elapsed) is None:
        return "nobody can answer a message that was not delivered"
    return None


def _json(body: Mapping[str, Any]) -> str:
    return json.dumps(body)
