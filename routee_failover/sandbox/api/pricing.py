"""Prices, countries and account data of the sandbox: values that Routee knows and does not document.

That each part of a long SMS is charged is documented; the price is not.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ...sms_parts import split_sms
from ..simulation.flow_plan import PlannedStep, SendEndpoint
from ..simulation.flow_store import AcceptedFlow
from ..simulation.scripted_outcomes import SimulatedChannel
from ..simulation.timeline import SimulatedFlowState, SimulatedMessage

APPLICATION_ID = "000000000000000000000001"
APPLICATION_NAME = "Sandbox"
OPERATOR = "Sandbox"
BALANCE = 100.0
CURRENCY = {"code": "EUR", "name": "Euro", "sign": "€"}

# Thousandths, so that sums stay exact.
_FREE_STATUSES = frozenset({"FAILED", "UNSENT"})  # INF: a message that a channel rejects, or never gets, costs nothing
_PRICES = {SimulatedChannel.VIBER: 10, SimulatedChannel.SMS: 30, SimulatedChannel.VOICE: 50}


def sms_parts(flow: AcceptedFlow, step: PlannedStep) -> tuple[str, ...]:
    """Return the texts of the parts in which an SMS step is sent.

    `transcode` is documented for standard and transactional flows only. Where it is absent the setting of the
    application applies, and the sandbox's application does not transcode.
    """
    message = step.body["message"]
    return split_sms(message["body"], transcode=flow.endpoint != SendEndpoint.OTP and message.get("transcode") is True)


def part_price(message: SimulatedMessage, elapsed: float) -> int:
    """Return the price of one part of a message, in thousandths."""
    return 0 if message.status_at(elapsed).name.upper() in _FREE_STATUSES else _PRICES[message.channel]


def step_price(flow: AcceptedFlow, step: PlannedStep, message: SimulatedMessage, elapsed: float) -> int:
    """Return the price of the message of a step for one recipient, in thousandths: for an SMS, of all its parts."""
    price = part_price(message, elapsed)
    return price * len(sms_parts(flow, step)) if message.channel is SimulatedChannel.SMS else price


def total_price(flow: AcceptedFlow, steps: Sequence[PlannedStep], state: SimulatedFlowState) -> int:
    """Return the price of all messages of a flow so far, in thousandths.

    One generation of Routee's pages sums the prices, the other shows only the last one; a total is a sum.
    """
    return sum(
        step_price(flow, step, message, state.updated_at) * _recipient_count(step.body)
        for message in state.messages
        for step in (steps[message.position],)
    )


def _recipient_count(step: Mapping[str, Any]) -> int:
    return len(step["to"]) if isinstance(step["to"], list) else 1


def to_currency_amount(thousandths: int) -> float:
    """Return a price in thousandths as an amount of the currency, as responses show it."""
    return thousandths / 1000


def country_code(number: str) -> str | None:
    """Return the country of a number, or None; the sandbox knows only the one of Routee's own examples."""
    return "GR" if number.lstrip("+").startswith("30") else None
