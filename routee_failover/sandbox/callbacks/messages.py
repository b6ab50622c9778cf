"""What is posted where: the tracking record of a flow at a moment of its life, and what a person writes back."""

import json
from collections.abc import Mapping
from typing import Any

import attrs

from ..life.book import AcceptedFlow
from ..life.engine import FlowState, FlowStatus, Message
from ..life.journeys import CannotAct
from ..life.plan import Endpoint, PlannedStep
from ..life.scripts import Channel
from ..routee import failover_answers, otp_answers
from ..routee.failover_answers import moment
from .records import Kind

# Nothing that is public says that a Viber OTP would report to anybody.
_KINDS: dict[str, Kind] = {Endpoint.STANDARD: "flow", Endpoint.TRANSACTIONAL: "flow", Endpoint.OTP: "otp"}
_FINAL = frozenset({FlowStatus.SUCCEEDED, FlowStatus.FAILED})


@attrs.frozen
class Report:
    """Where a flow reports what becomes of it, and of what."""

    kind: Kind
    url: str
    only_final: bool
    """Whether the final status is all that is wanted (`OnCompletion`)."""

    def wants(self, state: FlowState) -> bool:
        """Whether it is told when a flow stands like this."""
        return not self.only_final or state.status in _FINAL


def report_of(flow: AcceptedFlow) -> Report | None:
    """Where a flow reports; None for one that nobody wants to hear of."""
    kind = _KINDS.get(flow.endpoint)
    callback: Mapping[str, str] | None = flow.body.get("callback")
    if kind is None or callback is None:
        return None
    # The strategy may be absent, and no page says what holds then. INF: every change, so that nothing is missed.
    return Report(kind, callback["url"], callback.get("strategy") == "OnCompletion")


def tracking(flow: AcceptedFlow, state: FlowState) -> str:
    """The callback's body (https://docs.routee.net/docs/failover-callbacks).

    It is the record that tracking would show at that moment; the OTP service posts the very same one.
    """
    if flow.endpoint == Endpoint.OTP:
        return _json(otp_answers.tracking(flow, flow.steps, state))
    # The one documented difference: tracking spells the service in lower case.
    return _json(failover_answers.tracking(flow, flow.steps, state) | {"originatingService": "Failover"})


def inbound(
    flow: AcceptedFlow, position: int | None, elapsed: float, text: str, *, media: str | None, filename: str | None
) -> tuple[str, str]:
    """The `inboundUrl` of a step, and what it is posted when the person answers that step's message, or the last one.

    See https://docs.routee.net/docs/viber-inbound-messages. Raises `CannotAct` for a message that nobody can answer.
    """
    message = _answerable(flow, position, elapsed)
    step = flow.steps[message.position]
    body = {
        "from": "+" + step.recipient.removeprefix("+"),
        "to": step.body["senderInfoTrackingId"],
        "message": text,
        "sentDate": moment(flow.at, elapsed),
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


def _answerable(flow: AcceptedFlow, position: int | None, elapsed: float) -> Message:
    sent = flow.line.state(elapsed).messages
    message = next((one for one in reversed(sent) if position in {None, one.position}), None)
    if message is None:
        raise CannotAct("the flow has sent no such message yet")
    why = unanswerable(flow.steps[message.position], message, elapsed)
    if why is not None:
        raise CannotAct(why)
    return message


def unanswerable(step: PlannedStep, message: Message, elapsed: float) -> str | None:
    """Why the person cannot answer a step's message; None when they can."""
    if message.channel is not Channel.VIBER or "inboundUrl" not in step.body:
        return "only a Viber message whose step has an inboundUrl can be answered"
    if message.delivered_at(elapsed) is None:
        return "nobody can answer a message that was not delivered"
    return None


def _json(body: Mapping[str, Any]) -> str:
    return json.dumps(body)
