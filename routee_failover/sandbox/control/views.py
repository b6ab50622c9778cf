"""Flows as the sandbox's own API shows them: a line of the list, and everything about one. Nothing here decides."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..callbacks.messages import unanswerable
from ..callbacks.sender import Callbacks
from ..life.book import AcceptedFlow
from ..life.engine import Message
from ..life.journeys import ACTIONS, Journeys, Standing
from ..life.people import named, with_plus
from ..life.plan import Endpoint, PlannedStep
from ..life.scripts import Channel
from ..routee import failover_answers, otp_answers, viber_answers
from ..routee.failover_answers import moment
from ..routee.prices import amount, total
from .bubbles import bubble, in_one_line, pin
from .callbacks_api import callback_view


def summary(standing: Standing) -> dict[str, Any]:
    """A flow as a line of the list."""
    return _summary(standing, [bubble(standing.flow, step) for step in standing.steps])


def full(journeys: Journeys, callbacks: Callbacks, flow: AcceptedFlow) -> dict[str, Any]:
    """Everything about a flow as it stands now, with what was posted about it."""
    posted = [callback_view(flow, record) for record in callbacks.log.of(flow.id)]
    return detail(journeys.standing(flow), posted)


def detail(standing: Standing, callbacks: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """Everything about a flow."""
    flow = standing.flow
    bubbles = [bubble(flow, step) for step in standing.steps]
    sent = {message.position: message for message in standing.state.messages}
    return _summary(standing, bubbles) | {
        "request": flow.body,
        "answer": answered(standing),
        "record": record(standing),
        "steps": [
            _step(standing, position, step, shows, sent.get(position))
            for position, (step, shows) in enumerate(zip(standing.steps, bubbles, strict=True))
        ],
        "callbacks": list(callbacks),
    }


def answered(standing: Standing) -> dict[str, Any]:
    """What the send was answered: it follows from the flow alone."""
    flow = standing.flow
    match standing.endpoint:
        case Endpoint.OTP:
            return otp_answers.accepted(flow, standing.steps)
        case Endpoint.VIBER_OTP:
            return viber_answers.accepted(flow, standing.state)
        case _:
            return failover_answers.accepted(flow)


def record(standing: Standing) -> dict[str, Any]:
    """The record that tracking gives of the flow."""
    match standing.endpoint:
        case Endpoint.OTP:
            return otp_answers.tracking(standing.flow, standing.steps, standing.state)
        case Endpoint.VIBER_OTP:
            return viber_answers.tracking(standing.flow, standing.state)
        case _:
            return failover_answers.tracking(standing.flow, standing.steps, standing.state)


def pin_of(standing: Standing, to: str) -> tuple[str, Channel]:
    """The PIN for a number in a flow that holds one, and its channel: that of the latest message to it, or of the first
    to be.
    """  # noqa: D205
    sent = [standing.steps[message.position] for message in reversed(standing.state.messages)]
    theirs = (step for step in (*sent, *standing.steps) if to in named(step.body["to"]))
    pins = ((pin(standing.endpoint, step.body), step.step.channel) for step in theirs)
    return next((code, channel) for code, channel in pins if code is not None)


def _summary(standing: Standing, bubbles: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    flow, state = standing.flow, standing.state
    return {
        "id": flow.id,
        "number": flow.number,
        "endpoint": flow.endpoint,
        "to": list(flow.to),
        "channels": [step.step.channel for step in standing.steps],
        "status": state.status,
        "statusCode": None if state.code is None else state.code.value,
        "terminationChannel": state.termination,
        "final": state.termination is not None,
        "pin": next((shows["pin"] for shows in bubbles if shows["pin"] is not None), None),
        "text": next(filter(None, map(in_one_line, bubbles)), ""),
        "price": amount(total(flow, standing.steps, state)),
        "createdAt": moment(flow.at),
        "updatedAt": moment(flow.at, state.updated_at),
        "elapsed": standing.elapsed,
    }


def _step(
    standing: Standing, position: int, planned: PlannedStep, shows: Mapping[str, Any], message: Message | None
) -> dict[str, Any]:
    return {
        "position": position,
        "channel": planned.step.channel,
        "to": with_plus(planned.recipient),
        "ttl": planned.step.ttl,
        "triggers": sorted(planned.step.triggers),
        "shows": shows,
        "message": None if message is None else _message(standing, planned, message),
    }


def _message(standing: Standing, planned: PlannedStep, message: Message) -> dict[str, Any]:
    elapsed = standing.elapsed
    status = message.status(elapsed)
    return {
        "id": standing.message_id(message.position),
        "status": status.name,
        "detail": status.detail,
        "sentAt": message.sent_at,
        "changes": [
            {"at": change.at, "status": change.name, "detail": change.detail}
            for change in message.changes
            if change.at <= elapsed
        ],
        "actions": _actions(planned, message, elapsed),
    }


def _actions(planned: PlannedStep, message: Message, elapsed: float) -> list[str]:
    endings = message.open_endings(elapsed, planned.step)
    open_now = [name for name, ending in ACTIONS.items() if ending in endings]
    return open_now if unanswerable(planned, message, elapsed) else [*open_now, "reply"]
