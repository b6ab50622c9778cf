"""What the sandbox says about things that Routee knows and nobody documents: prices, countries, senders' names."""

from ..life.engine import Message
from ..life.scripts import Channel

APPLICATION_ID = "000000000000000000000001"
APPLICATION_NAME = "Sandbox"
BALANCE = 100.0
CURRENCY = {"code": "EUR", "name": "Euro", "sign": "€"}

# Thousandths, so that sums stay exact.
_PRICES = {Channel.VIBER: 10, Channel.SMS: 30, Channel.VOICE: 50}


def price(message: Message, elapsed: float) -> int:
    """What a message costs, in thousandths: nothing once its channel refused it (INF), else its channel's price."""
    return 0 if message.status(elapsed).name.upper() == "FAILED" else _PRICES[message.channel]


def amount(thousandths: int) -> float:
    """A price as it is written in an answer."""
    return thousandths / 1000


def country(number: str) -> str | None:
    """The country of a number; the sandbox knows the one of Routee's own examples."""
    return "GR" if number.lstrip("+").startswith("30") else None
