"""JSON views of flows in the admin API: the summary in a list, and the full detail."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..api import failover_responses, otp_responses, viber_responses
from ..api.failover_responses import format_timestamp
from ..api.pricing import to_currency_amount, total_price
from ..callbacks.dispatcher import CallbackDispatcher
from ..callbacks.payloads import reply_obstacle
from ..simulation.flow_plan import PlannedStep, SendEndpoint
from ..simulation.flow_store import AcceptedFlow
from ..simulation.lifecycle import ACTION_OUTCOMES, FlowLifecycle, FlowSnapshot
from ..simulation.number_normalization import step_recipients
from ..simulation.scripted_outcomes import SimulatedChannel
from ..simulation.timeline import SimulatedMessage
from .callbacks_api import callback_view
from .message_preview import find_pin, message_preview, one_line_preview


def flow_summary(snapshot: FlowSnapshot) -> dict[str, Any]:
    """Return the summary of a flow for the list."""
    return _summary(snapshot, [message_preview(snapshot.flow, step) for step in snapshot.steps])


def current_flow_detail(lifecycle: FlowLifecycle, dispatcher: CallbackDispatcher, flow: AcceptedFlow) -> dict[str, Any]:
    """Return the full detail of a flow in its current state, with its callbacks."""
    callbacks = [callback_view(flow, record) for record in dispatcher.log.for_flow(flow.id)]
    return flow_detail(lifecycle.snapshot(flow), callbacks)


def flow_detail(snapshot: FlowSnapshot, callbacks: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """Return the full detail of a flow."""
    flow = snapshot.flow
    previews = [message_preview(flow, step) for step in snapshot.steps]
    sent = {message.position: message for message in snapshot.state.messages}
    return _summary(snapshot, previews) | {
        "request": flow.body,
        "response": send_response(snapshot),
        "record": tracking_record(snapshot),
        "steps": [
            _step(snapshot, position, step, preview, sent.get(position))
            for position, (step, preview) in enumerate(zip(snapshot.steps, previews, strict=True))
        ],
        "callbacks": list(callbacks),
    }


def send_response(snapshot: FlowSnapshot) -> dict[str, Any]:
    """Return the response to the send, which follows from the flow alone."""
    flow = snapshot.flow
    match snapshot.endpoint:
        case SendEndpoint.OTP:
            return otp_responses.send_response(flow, snapshot.steps)
        case SendEndpoint.VIBER_OTP:
            return viber_responses.send_response(flow, snapshot.state)
        case _:
            return failover_responses.send_response(flow)


def tracking_record(snapshot: FlowSnapshot) -> dict[str, Any]:
    """Return the tracking record of the flow."""
    match snapshot.endpoint:
        case SendEndpoint.OTP:
            return otp_responses.tracking_record(snapshot.flow, snapshot.steps, snapshot.state)
        case SendEndpoint.VIBER_OTP:
            return viber_responses.tracking_record(snapshot.flow, snapshot.state)
        case _:
            return failover_responses.tracking_record(snapshot.flow, snapshot.steps, snapshot.state)


def pin_for_recipient(snapshot: FlowSnapshot, to: str) -> tuple[str, SimulatedChannel]:
    """Return the PIN for a number, and its channel, in a flow that contains one for it.

    It is that of the latest message to the number, or, before one is sent, of the first step for it.
    """
    sent = [snapshot.steps[message.position] for message in reversed(snapshot.state.messages)]
    steps = (step for step in (*sent, *snapshot.steps) if to in step_recipients(step.body["to"]))
    pins = ((find_pin(snapshot.endpoint, step.body), step.step.channel) for step in steps)
    return next((pin, channel) for pin, channel in pins if pin is not None)


def _summary(snapshot: FlowSnapshot, previews: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    flow, state = snapshot.flow, snapshot.state
    return {
        "id": flow.id,
        "number": flow.number,
        "endpoint": flow.endpoint,
        "to": list(flow.to),
        "channels": [step.step.channel for step in snapshot.steps],
        "status": state.status,
        "statusCode": None if state.failure_code is None else state.failure_code.value,
        "terminationChannel": state.termination_channel,
        "final": state.termination_channel is not None,
        "pin": next((preview["pin"] for preview in previews if preview["pin"] is not None), None),
        "text": next(filter(None, map(one_line_preview, previews)), ""),
        "price": to_currency_amount(total_price(flow, snapshot.steps, state)),
        "createdAt": format_timestamp(flow.created_at),
        "updatedAt": format_timestamp(flow.created_at, state.updated_at),
        "elapsed": snapshot.elapsed,
    }


def _step(
    snapshot: FlowSnapshot,
    position: int,
    planned: PlannedStep,
    preview: Mapping[str, Any],
    message: SimulatedMessage | None,
) -> dict[str, Any]:
    return {
        "position": position,
        "channel": planned.step.channel,
        "to": ", ".join(step_recipients(planned.body["to"])),
        "ttl": planned.step.ttl,
        "triggers": sorted(planned.step.triggers),
        "preview": preview,
        "message": None if message is None else _message(snapshot, planned, message),
    }


def _message(snapshot: FlowSnapshot, planned: PlannedStep, message: SimulatedMessage) -> dict[str, Any]:
    elapsed = snapshot.elapsed
    status = message.status_at(elapsed)
    return {
        "id": snapshot.message_id(message.position),
        "status": status.name,
        "detail": status.detailed_status,
        "sentAt": message.sent_at,
        "changes": [
            {"at": change.at, "status": change.name, "detail": change.detailed_status}
            for change in message.status_changes
            if change.at <= elapsed
        ],
        "actions": _actions(planned, message, elapsed),
    }


def _actions(planned: PlannedStep, message: SimulatedMessage, elapsed: float) -> list[str]:
    possible = message.possible_outcomes(elapsed, planned.step)
    actions = [name for name, outcome in ACTION_OUTCOMES.items() if outcome in possible]
    return actions if reply_obstacle(planned, message, elapsed) else [*actions, "reply"]
