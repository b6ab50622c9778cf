"""Recipients of a raw flow, as far as they can be known: what is under `to`, and every value that reads as a number.

Nothing about a raw flow is modelled, and Routee calls a recipient `to` wherever it documents one. What is not certain
here is decided against sending: see `suppression_problem`.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from ..._phone_number_parser import InvalidPhoneNumber
from ..._wire import dump_flow
from ...errors import Problem
from ...flows import AnyFlow, RawFlow
from ..phone_numbers import to_e164
from .row import Row

RECIPIENT_KEY = "to"
_SEPARATORS = re.compile(r"[\s().\u00b7\u2010-\u2015\u200b-\u200d\u2060/-]")
_is_international = re.compile(r"(?:\+|00)?([0-9]{7,15})").fullmatch

NO_SINGLE_RECIPIENT = "it is a raw flow, in which not all values of `to` are one phone number"
NOT_SUPPRESSIBLE = f"{NO_SINGLE_RECIPIENT}: the suppression list cannot be applied to it, so it is not sent"


def to_raw_e164(text: str, region: str | None = None) -> str:
    """Return the number in E.164. One without + may be written with its country code, as a raw flow often has it.

    Raises `InvalidPhoneNumber`.
    """
    try:
        return to_e164(text, region)
    except InvalidPhoneNumber as error:
        reason = error
    if region is None and text.isascii() and text.isdigit() and not text.startswith("0"):
        return to_e164(f"+{text}")
    raise reason


def single_number(texts: Iterable[str], region: str | None = None) -> str:
    """Return the number in E.164 that all texts are; empty if there is none, or one of them is another or no number."""
    try:
        numbers = {to_raw_e164(text, region) for text in texts}
    except InvalidPhoneNumber:
        return ""
    return numbers.pop() if len(numbers) == 1 else ""


def single_recipient(flow: RawFlow) -> str:
    """Return the number in E.164 that all values of `to` are; empty if that is not so."""
    return single_number(recipients_in(dump_flow(flow)))


def numbers_in(flow: RawFlow) -> tuple[str, ...]:
    """Return every value of a raw flow that reads as an international number, with its +."""
    texts = (text.strip().removeprefix("sip:").partition("@")[0] for text in _texts(dump_flow(flow)))
    matches = (_is_international(_SEPARATORS.sub("", text)) for text in texts)
    return tuple(f"+{match[1]}" for match in matches if match is not None)


def suppression_problem(row: Row, flow: AnyFlow) -> Problem | None:
    """Return a problem if it is not known to whom a flow goes, so that no suppression list can be applied to it."""
    return Problem((), NOT_SUPPRESSIBLE) if isinstance(flow, RawFlow) and not row.recipient else None


def recipients_in(value: Any, *, is_recipient: bool = False) -> Iterator[str]:
    """Yield every value under `to`, at any depth, as text; blank ones count as absent."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from recipients_in(item, is_recipient=is_recipient or key == RECIPIENT_KEY)
    elif isinstance(value, list):
        for item in value:
            yield from recipients_in(item, is_recipient=is_recipient)
    elif is_recipient and value is not None and (text := str(value).strip()):
        yield text


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = [*value.values()]
    if isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif value is not None and not isinstance(value, bool):
        yield str(value)
