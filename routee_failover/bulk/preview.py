"""A flow as a person may see it before it is sent: its texts, with numbers masked and codes starred."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, cast, runtime_checkable

from .._wire import dump_flow
from ..flows import AnyFlow, Endpoint, OtpFlow, ViberOtpMessage, ViberOtpStep
from ..secret import MASK, Secret, mask_phone, mask_url_path
from .templates.row import Row

_NUMBERS = frozenset({"to", "phone", "viber", "sip"})
_ADDRESSES = frozenset({"url", "inboundUrl", "eventUrl"})
_IDS = frozenset({"senderInfoTrackingId", "templateId"})
_BETWEEN_DIGITS = r"[\s()./\u00b7\u2010-\u2015\u200b-\u200d\u2060-]{0,3}"
"""What people write between the digits of a number."""
_BETWEEN_LETTERS = _BETWEEN_DIGITS.replace("[", "[,_|")
"""What they write between those of a code."""
_like_a_number = re.compile(
    r"(?P<date>(?<!\d)(?:\d{4}-\d\d-\d\d|\d{1,2}[./]\d{1,2}[./]\d{4})(?![\d./-]))"
    rf"|\+?\(?\d(?:{_BETWEEN_DIGITS}\d){{5,}}"
)
_MIN_DIGITS = 9
"""Of a number without + or 00 in front, unless it is the end of the recipient's: fewer may be an amount."""


@runtime_checkable
class HasSecrets(Protocol):
    """What makes a row's flow and knows what of its values must not be shown."""

    def codes(self) -> tuple[str, ...]:
        """The codes."""
        ...

    def numbers(self) -> tuple[str, ...]:
        """The recipients as they were written."""
        ...


def masked_flow(row: Row, flow: AnyFlow) -> dict[str, Any]:
    """A row's flow in Routee's shape, as it may be shown: every code in stars, every number masked."""
    text = text_masker(row, flow)

    def shown(value: Any, key: str) -> Any:
        if isinstance(value, Mapping):
            return {name: shown(item, name) for name, item in cast("Mapping[str, Any]", value).items()}
        if isinstance(value, list):
            return [shown(item, key) for item in value]
        if key == "pin" or isinstance(value, Secret):
            return MASK
        if not isinstance(value, str) or key in _IDS:
            return value
        if key in _NUMBERS:
            return mask_phone(value)
        return mask_url_path(value) if key in _ADDRESSES else text(value, key)

    return {"endpoint": str(flow.endpoint), **cast("dict[str, Any]", shown(dump_flow(flow), ""))}


def text_masker(row: Row, flow: AnyFlow) -> Callable[[str, str], str]:
    """Return what hides the codes and the numbers in a text of a row; it is told the key of the text, too.

    A code is found also where blanks or dashes stand between its letters, and a number however it is written. An OTP's
    SMS has stars for all digits where nobody says which of them are the code.
    """
    makes = row.build_flow if isinstance(row.build_flow, HasSecrets) else None
    codes = {*(makes.codes() if makes else ()), *_pins(flow)}
    digits_of_recipient = _digits(row.recipient)
    own = {_digits(number) for number in (row.recipient, *(makes.numbers() if makes else ()))}
    hide_numbers = _pattern((rf"\+?{_BETWEEN_DIGITS.join(digits)}" for digits in own if len(digits) > 4), 0)
    hide_codes = _pattern(map(_spaced_pattern, codes), re.IGNORECASE)
    stars = flow.endpoint is Endpoint.OTP and not codes

    def number(found: re.Match[str]) -> str:
        digits = _digits(found[0])
        is_own = digits_of_recipient.endswith(digits.lstrip("0") or "-")
        is_one = found[0].startswith(("+", "00")) or len(digits) >= _MIN_DIGITS or is_own
        return _mask(found) if is_one and found["date"] is None else found[0]

    def text(value: str, key: str) -> str:
        if hide_numbers is not None:
            value = hide_numbers.sub(_mask, value)
        if hide_codes is not None:
            value = hide_codes.sub(lambda found: re.sub(r"[^\s-]", "*", found[0]), value)
        value = _like_a_number.sub(number, value)
        return re.sub(r"\d", "*", value) if stars and key == "body" else value

    return text


def _pins(flow: AnyFlow) -> set[str]:
    """The codes that a flow itself knows to be some."""
    pins: set[str] = set()
    if isinstance(flow, ViberOtpMessage) and isinstance(pin := flow.template_params.get("pin"), str):
        pins.add(pin)
    for part in flow.steps if isinstance(flow, OtpFlow) else ():
        if isinstance(part, ViberOtpStep):
            pins.add(part.pin.reveal())
    return pins


def _mask(found: re.Match[str]) -> str:
    """A number without what is written between its digits: that is no reason to show more of them."""
    return mask_phone(("+" if found[0].startswith("+") else "") + _digits(found[0]))


def _digits(text: str) -> str:
    return "".join(str(int(letter)) for letter in text if letter.isdecimal())


def _spaced_pattern(code: str) -> str:
    """A pattern for a code as it is, and with blanks or dashes between its letters."""
    code = code.strip()
    letters = [re.escape(letter) for letter in code if letter.isalnum()]
    return "|".join(filter(None, (re.escape(code), _BETWEEN_LETTERS.join(letters))))


def _pattern(parts: Iterable[str], flags: int) -> re.Pattern[str] | None:
    found = sorted(filter(None, parts), key=len, reverse=True)
    return re.compile("|".join(found), flags) if found else None
