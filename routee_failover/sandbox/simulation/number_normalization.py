"""Recipients of a flow, and normalized phone numbers: Routee's pages write them with a plus and without one."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from .flow_plan import SendEndpoint, voice_number


def flow_recipients(endpoint: str, body: Mapping[str, Any]) -> tuple[str, ...]:
    """Return all recipients of an accepted body, each once and with a plus, in the order of the body."""
    if endpoint == SendEndpoint.VIBER_OTP:
        return (body["to"],)
    return tuple(dict.fromkeys(number for step in body["flow"] for number in step_recipients(step["to"])))


def step_recipients(to: str | Sequence[str] | Mapping[str, str | None]) -> list[str]:
    """Return the recipients of a step, with a plus; an OTP step may name several."""
    if isinstance(to, list):
        return [with_plus(number) for number in cast("list[str]", to)]
    return [with_plus(voice_number(cast("str | Mapping[str, str | None]", to)))]


def with_plus(number: str) -> str:
    """Return a number with its plus, as Routee's pages mostly write it; leave anything else, such as a SIP address."""
    return f"+{number}" if number.isdigit() else number


def strip_number(number: str) -> str:
    """Return a number, or a part of one, without plus and blanks: an unescaped plus in a query arrives as a blank."""
    return "".join(number.split()).removeprefix("+")


def normalize_number(number: str) -> str:
    """Return a number in the form in which flows hold it, however it was written."""
    return with_plus(strip_number(number))
