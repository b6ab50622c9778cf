"""Who gets a flow, and how numbers are compared: Routee's pages write them with their plus and without it."""

from collections.abc import Iterator
from typing import Any

from .book import AcceptedFlow
from .plan import Endpoint, voice_number


def recipients(flow: AcceptedFlow) -> list[str]:
    """Everybody whom a flow names, each once and with a plus, in the order of its body."""
    if flow.endpoint == Endpoint.VIBER_OTP:
        return [flow.body["to"]]
    return list(dict.fromkeys(with_plus(number) for step in flow.body["flow"] for number in _named(step["to"])))


def with_plus(number: str) -> str:
    """A number as Routee's pages mostly write it; what is no number, as a SIP address of a call, is left as it is."""
    return f"+{number}" if number.isdigit() else number


def bare(number: str) -> str:
    """A number without its plus and without blanks around it: an unescaped plus arrives as a blank."""
    return number.strip().removeprefix("+")


def sent_to(flow: AcceptedFlow, number: str) -> bool:
    """Whether a flow names this number, with or without its plus."""
    wanted = bare(number)
    return any(bare(one) == wanted for one in recipients(flow))


def _named(to: Any) -> Iterator[str]:
    if isinstance(to, list):  # an OTP step may name several people
        yield from to
    else:
        yield voice_number(to)
