"""What the sandbox says about things that Routee knows and nobody documents: prices, countries, senders' names.

That each part of a long SMS is priced is documented; what one costs is not.
"""

from collections.abc import Sequence

from ...sms_parts import split_sms
from ..simulation.flow_store import AcceptedFlow
from ..simulation.outcomes import SimulatedChannel
from ..simulation.step_plan import PlannedStep, SendEndpoint
from ..simulation.timeline import SimulatedFlowState, SimulatedMessage

APPLICATION_ID = "000000000000000000000001"
APPLICATION_NAME = "Sandbox"
OPERATOR = "Sandbox"
BALANCE = 100.0
CURRENCY = {"code": "EUR", "name": "Euro", "sign": "€"}

# Thousandths, so that sums stay exact.
_UNPAID = frozenset({"FAILED", "UNSENT"})  # INF: a channel that refuses a message, or never gets it, takes no money
_PRICES = {SimulatedChannel.VIBER: 10, SimulatedChannel.SMS: 30, SimulatedChannel.VOICE: 50}


def sms_parts(flow: AcceptedFlow, step: PlannedStep) -> tuple[str, ...]:
    """The texts of the parts that an SMS step goes out in.

    `transcode` is documented for standard and transactional flows only. Where it is absent the application's setting
    holds, and the sandbox's application does not transcode.
    """
    message = step.body["message"]
    return split_sms(message["body"], transcode=flow.endpoint != SendEndpoint.OTP and message.get("transcode") is True)


def part_price(message: SimulatedMessage, elapsed: float) -> int:
    """What one part of a message costs, in thousandths."""
    return 0 if message.status_at(elapsed).name.upper() in _UNPAID else _PRICES[message.channel]


def step_price(flow: AcceptedFlow, step: PlannedStep, message: SimulatedMessage, elapsed: float) -> int:
    """What the message of a step costs, in thousandths: an SMS as many times as it has parts."""
    each = part_price(message, elapsed)
    return each * len(sms_parts(flow, step)) if message.channel is SimulatedChannel.SMS else each


def total_price(flow: AcceptedFlow, steps: Sequence[PlannedStep], state: SimulatedFlowState) -> int:
    """What all messages of a flow cost by now, in thousandths.

    One generation of Routee's pages sums the prices, the other shows the last one only; a total is a sum.
    """
    return sum(step_price(flow, steps[message.position], message, state.updated_at) for message in state.messages)


def to_currency_amount(thousandths: int) -> float:
    """A price as it is written in an answer."""
    return thousandths / 1000


def country_code(number: str) -> str | None:
    """The country of a number; the sandbox knows the one of Routee's own examples."""
    return "GR" if number.lstrip("+").startswith("30") else None
