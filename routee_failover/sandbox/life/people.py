"""Who gets a flow, and how numbers are compared: Routee's pages write them with their plus and without it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from .plan import Endpoint, voice_number


def recipients(endpoint: str, body: Mapping[str, Any]) -> tuple[str, ...]:
    """Everybody whom an accepted body names, each once and with a plus, in its own order."""
    if endpoint == Endpoint.VIBER_OTP:
        return (body["to"],)
    return tuple(dict.fromkeys(with_plus(number) for step in body["flow"] for number in _named(step["to"])))


def with_plus(number: str) -> str:
    """A number as Routee's pages mostly write it; what is no number, as a SIP address of a call, is left as it is."""
    return f"+{number}" if number.isdigit() else number


def bare(number: str) -> str:
    """A number without its plus and without blanks around it: an unescaped plus arrives as a blank."""
    return number.strip().removeprefix("+")


def _named(to: str | Sequence[str] | Mapping[str, str | None]) -> Iterator[str]:
    if isinstance(to, list):  # an OTP step may name several people
        yield from cast("list[str]", to)
    else:
        yield voice_number(cast("str | Mapping[str, str | None]", to))
