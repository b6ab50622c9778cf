"""Payloads of callbacks: the tracking record of a flow at one time, and a reply of the recipient."""

import json
from collections.abc import Mapping
from typing import Any

import attrs

from ..api import failover_responses, otp_responses
from ..api.failover_responses import format_timestamp
from ..simulation.flow_plan import PlannedStep, SendEndpoint
from ..simulation.flow_store import AcceptedFlow
from ..simulation.lifecycle import ActionConflict
from ..simulation.scripted_outcomes import SimulatedChannel
from ..simulation.timeline import SimulatedFlowState, SimulatedFlowStatus, SimulatedMessage
from .records import CallbackKind

# The page on single Viber OTPs mentions callbacks, and no URL for them.
_KIND_BY_ENDPOINT: dict[str, CallbackKind] = {
    SendEndpoint.STANDARD: "flow",
    SendEndpoint.TRANSACTIONAL: "flow",
    SendEndpoint.OTP: "otp",
}
_FINAL = frozenset({SimulatedFlowStatus.SUCCEEDED, SimulatedFlowStatus.FAILED})


@attrs.frozen
class CallbackTarget:
    """Callback URL of a flow, and which status changes are posted there."""

    kind: CallbackKind
    url: str
    final_only: bool
    """Whether only the final status is posted (`OnCompletion`)."""

    def includes(self, state: SimulatedFlowState) -> bool:
        """Return whether a flow in this state is posted."""
        return not self.final_only or state.status in _FINAL


def callback_target(flow: AcceptedFlow) -> CallbackTarget | None:
    """Return the callback target of a flow; None when it has none."""
    kind = _KIND_BY_ENDPOINT.get(flow.endpoint)
    callback: Mapping[str, str] | None = flow.body.get("callback")
    if kind is None or callback is None:
        return None
    # The strategy may be absent, and no page says what applies then. INF: every change, so that none is missed.
    return CallbackTarget(kind, callback["url"], callback.get("strategy") == "OnCompletion")


def status_payload(flow: AcceptedFlow, state: SimulatedFlowState) -> str:
    """Return the payload of a status callback (https://docs.routee.net/docs/failover-callbacks).

    It is the record that tracking would show at that time; the OTP service posts exactly that.
    """
    if flow.endpoint == SendEndpoint.OTP:
        return _json(otp_responses.tracking_record(flow, flow.steps, state))
    # The one documented difference: tracking writes the service in lower case.
    return _json(failover_responses.tracking_record(flow, flow.steps, state) | {"originatingService": "Failover"})


def inbound_payload(
    flow: AcceptedFlow, position: int | None, elapsed: float, text: str, *, media: str | None, filename: str | None
) -> tuple[str, str]:
    """Return the `inboundUrl` of a step and the payload of a reply to that step's message, or to the latest message.

    See https://docs.routee.net/docs/viber-inbound-messages. Raises `ActionConflict` when the message takes no reply.
    """
    message = _message_to_reply_to(flow, position, elapsed)
    step = flow.steps[message.position]
    body = {
        "from": "+" + step.recipient.removeprefix("+"),
        "to": step.body["senderInfoTrackingId"],
        "message": text,
        "sentDate": format_timestamp(flow.created_at, elapsed),
        # The page describes campaigns; a flow is not one (INF).
        "campaignName": None,
        "campaignTrackingId": None,
        "referenceTrackingId": flow.message_ids[message.position],  # INF: the message's id and not the flow's
        "direction": "Inbound",
        "media": media,
        "filename": filename,
        "label": step.body.get("label"),
    }
    return step.body["inboundUrl"], _json(body)


def _message_to_reply_to(flow: AcceptedFlow, position: int | None, elapsed: float) -> SimulatedMessage:
    sent = flow.timeline.state_at(elapsed).messages
    message = next((message for message in reversed(sent) if position in {None, message.position}), None)
    if message is None:
        raise ActionConflict("the flow has sent no such message yet")
    obstacle = reply_obstacle(flow.steps[message.position], message, elapsed)
    if obstacle is not None:
        raise ActionConflict(obstacle)
    return message


def reply_obstacle(step: PlannedStep, message: SimulatedMessage, elapsed: float) -> str | None:
    """Return why the recipient cannot reply to the message of a step; None when a reply is possible."""
    if message.channel is not SimulatedChannel.VIBER or "inboundUrl" not in step.body:
        return "only a Viber message whose step has an inboundUrl takes a reply"
    if message.delivered_at(elapsed) is None:
        return "a message that was not delivered takes no reply"
    return None


def _json(body: Mapping[str, Any]) -> str:
    return json.dumps(body)
