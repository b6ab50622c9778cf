"""What the sandbox says about things that Routee knows and nobody documents: prices, countries, senders' names.

That each part of a long SMS is priced is documented; what one costs is not.
"""

from collections.abc import Sequence

from ...sms_parts import split_sms
from ..life.book import AcceptedFlow
from ..life.engine import FlowState, Message
from ..life.plan import Endpoint, PlannedStep
from ..life.scripts import Channel

APPLICATION_ID = "000000000000000000000001"
APPLICATION_NAME = "Sandbox"
OPERATOR = "Sandbox"
BALANCE = 100.0
CURRENCY = {"code": "EUR", "name": "Euro", "sign": "€"}

# Thousandths, so that sums stay exact.
_UNPAID = frozenset({"FAILED", "UNSENT"})  # INF: a channel that refuses a message, or never gets it, takes no money
_PRICES = {Channel.VIBER: 10, Channel.SMS: 30, Channel.VOICE: 50}


def sms_parts(flow: AcceptedFlow, step: PlannedStep) -> tuple[str, ...]:
    """The texts of the parts that an SMS step goes out in.

    `transcode` is documented for standard and transactional flows only. Where it is absent the application's setting
    holds, and the sandbox's application does not transcode.
    """
    message = step.body["message"]
    return split_sms(message["body"], transcode=flow.endpoint != Endpoint.OTP and message.get("transcode") is True)


def part_price(message: Message, elapsed: float) -> int:
    """What one part of a message costs, in thousandths."""
    return 0 if message.status(elapsed).name.upper() in _UNPAID else _PRICES[message.channel]


def price(flow: AcceptedFlow, step: PlannedStep, message: Message, elapsed: float) -> int:
    """What the message of a step costs, in thousandths: an SMS as many times as it has parts."""
    each = part_price(message, elapsed)
    return each * len(sms_parts(flow, step)) if message.channel is Channel.SMS else each


def total(flow: AcceptedFlow, steps: Sequence[PlannedStep], state: FlowState) -> int:
    """What all messages of a flow cost by now, in thousandths.

    One generation of Routee's pages sums the prices, the other shows the last one only; a total is a sum.
    """
    return sum(price(flow, steps[message.position], message, state.updated_at) for message in state.messages)


def amount(thousandths: int) -> float:
    """A price as it is written in an answer."""
    return thousandths / 1000


def country(number: str) -> str | None:
    """The country of a number; the sandbox knows the one of Routee's own examples."""
    return "GR" if number.lstrip("+").startswith("30") else None
