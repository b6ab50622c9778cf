"""Who gets a flow, and how numbers are compared: Routee's pages write them with their plus and without it."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from .step_plan import SendEndpoint, voice_number


def flow_recipients(endpoint: str, body: Mapping[str, Any]) -> tuple[str, ...]:
    """Everybody whom an accepted body names, each once and with a plus, in its own order."""
    if endpoint == SendEndpoint.VIBER_OTP:
        return (body["to"],)
    return tuple(dict.fromkeys(number for step in body["flow"] for number in step_recipients(step["to"])))


def step_recipients(to: str | Sequence[str] | Mapping[str, str | None]) -> list[str]:
    """Whom a step names, with a plus; an OTP step may name several people."""
    if isinstance(to, list):
        return [with_plus(number) for number in cast("list[str]", to)]
    return [with_plus(voice_number(cast("str | Mapping[str, str | None]", to)))]


def with_plus(number: str) -> str:
    """A number as Routee's pages mostly write it; what is no number, as a SIP address of a call, is left as it is."""
    return f"+{number}" if number.isdigit() else number


def strip_number(number: str) -> str:
    """A number, or a part of one, without its plus and without blanks: an unescaped plus arrives as a blank."""
    return "".join(number.split()).removeprefix("+")


def normalize_number(number: str) -> str:
    """A number as flows name it, however somebody wrote it."""
    return with_plus(strip_number(number))
