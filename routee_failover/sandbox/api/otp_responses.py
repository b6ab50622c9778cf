"""Responses of the OTP service, as documented (https://docs.routee.net/docs/tracking-deliveries).

They mix camel and snake case, write channels in lower case, and numbers without plus.
"""

from collections.abc import Sequence
from typing import Any

from ..simulation.flow_plan import PlannedStep
from ..simulation.flow_store import AcceptedFlow
from ..simulation.number_normalization import step_recipients
from ..simulation.scripted_outcomes import SimulatedChannel
from ..simulation.status_sequences import FailureCode
from ..simulation.timeline import SimulatedFlowState, SimulatedMessage
from .failover_responses import format_timestamp
from .pricing import OPERATOR, country_code, step_price, to_currency_amount, total_price

SERVICE = {"service": "failover-otp", "version": "1.0.0", "status": "ok", "health": "/failover-otp/health"}

_UNSUCCESSFUL = frozenset({"UNDELIVERED", "EXPIRED", "FAILED", "UNSENT"})

# Ids and names are those of https://docs.routee.net/docs/templates-inventory; the templateType of each is inferred.
TEMPLATES = (
    ("0aac888f-2ee2-4112-9659-1755a951966a", "Basic OTP", "basic"),
    ("c2cdc028-a48b-4187-bbaf-3aaa137b6e23", "Basic OTP valid for 5 minutes", "basic_5min"),
    ("c33cccaf-735f-4d62-8383-a76bf4999e2d", "Business/platform name", "with_business_name"),
    ("bed0942f-e07e-4879-834b-29cc4cf3ec35", "Code validity time", "with_validity"),
    ("60d67b38-b9fb-444a-80e6-754447e010c6", "Code type & validity time", "with_type_and_validity"),
    ("6c929cef-29b4-4349-bc9d-2a07bdbb6e43", "Business name & validity time", "with_business_and_validity_hours"),
    ("82ba31a3-db42-4e87-82e8-33fa92b9e5ed", "Type of code", "with_type"),
    ("210ee8a9-1ed5-43cd-96e4-65bba311ab40", "OTP action/platform", "with_action"),
    ("be56d97b-2a33-4c89-ac5f-f555a2c827d9", "Business name & code reason", "with_reason"),
)


# INF: the texts; only the numbers are documented.
_ERRORS = {
    FailureCode.SERVER_ERROR: "Server error",
    FailureCode.INSUFFICIENT_BALANCE: "Insufficient balance",
    FailureCode.NO_NEXT_STEP: "No channel accepted the message",
    FailureCode.NOT_TRIGGERED: "Failover was not triggered",
}


def templates() -> list[dict[str, str]]:
    """Return the OTP templates (INF: the shape; only the ids are public)."""
    return [{"templateId": uuid, "name": name, "templateType": kind} for uuid, name, kind in TEMPLATES]


def send_response(flow: AcceptedFlow, steps: Sequence[PlannedStep]) -> dict[str, Any]:
    """Return the response to a send that the first channel accepted. Succeeded, for a single step, means accepted."""
    return {
        "flowId": flow.id,
        "status": "Succeeded" if len(steps) == 1 else "InProgress",
        "type": steps[0].step.channel,  # Viber, also for a ViberOtp step
        "flow": [
            {**step, "trackingId": flow.message_ids[0] if step is steps[0].body else None} for step in flow.body["flow"]
        ],
        "createdAt": format_timestamp(flow.created_at),
    }


def failed_send_response(body: dict[str, Any], created_at: str, code: FailureCode) -> dict[str, Any]:
    """Return the response, with HTTP status 200, to a send that no channel accepted."""
    return {
        "flowId": None,
        "status": "Failed",
        "type": None,
        "flow": [{**step, "trackingId": None} for step in body["flow"]],
        "createdAt": created_at,
        "error": _ERRORS[code],
        "statusCode": code.value,
    }


def tracking_record(flow: AcceptedFlow, steps: Sequence[PlannedStep], state: SimulatedFlowState) -> dict[str, Any]:
    """Return the tracking record of a flow; it contains the steps that were sent."""
    elapsed = state.updated_at
    return {
        "flowId": flow.id,
        # Routee's example shows Succeeded beside a failover step that is only queued; here the flow waits for it (INF).
        "status": state.status,
        "statusCode": None if state.failure_code is None else state.failure_code.value,
        "total_cost": to_currency_amount(total_price(flow, steps, state)),
        # INF: a step may have several recipients, and the record has one number in each element.
        "steps": [
            _step(flow, steps[message.position], message, number, elapsed)
            for message in state.messages
            for number in step_recipients(steps[message.position].body["to"])
        ],
    }


def _step(
    flow: AcceptedFlow, step: PlannedStep, message: SimulatedMessage, number: str, elapsed: float
) -> dict[str, Any]:
    status = message.status_at(elapsed)
    record: dict[str, Any] = {
        "trackingId": flow.message_ids[message.position],
        "role": "failover" if message.position else "primary",
        "status": status.name if message.channel is SimulatedChannel.VIBER else status.name.lower(),
        "channel": message.channel.lower(),
        "phone_number": number.removeprefix("+"),
        "price": to_currency_amount(step_price(flow, step, message, elapsed)),
        "created_at": format_timestamp(flow.created_at, message.sent_at),
        "detailed_status": status.detailed_status,
    }
    if (country := country_code(number)) is not None:
        record["country"] = country
    if (delivered := message.delivered_at(elapsed)) is not None:
        record["delivered_at"] = format_timestamp(flow.created_at, delivered)
        record["latency_ms"] = round((delivered - message.sent_at) * 1000)
    if message.channel is SimulatedChannel.SMS:
        record["operator"] = OPERATOR
    if status.name.upper() in _UNSUCCESSFUL:
        record["error_message"] = f"The message is {status.name}"
    if message.position:
        record["failover_from_message_token"] = flow.message_ids[message.position - 1]
    return record
