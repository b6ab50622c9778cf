"""Masking of a row's flow and texts for previews and examples: phone numbers masked, codes starred."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, cast, runtime_checkable

from .._wire import dump_flow
from ..flows import AnyFlow, Endpoint, OtpFlow, RawFlow, ViberOtpMessage, ViberOtpStep
from ..secret import MASK, Secret, mask_phone, mask_url_path
from ..secret import mask_text as hide_text
from .templates.row import Row

_NUMBERS = frozenset({"to", "phone", "viber", "sip"})
_URLS = frozenset({"url", "inboundUrl", "eventUrl"})
_IDS = frozenset({"senderInfoTrackingId", "templateId"})
_BETWEEN_DIGITS = r"[\s()./\u00b7\u2010-\u2015\u200b-\u200d\u2060-]{0,3}"
"""Characters that people write between the digits of a number."""
_BETWEEN_LETTERS = _BETWEEN_DIGITS.replace("[", "[,_|")
"""Characters that people write between the characters of a code."""
_number_like = re.compile(
    r"(?P<date>(?<!\d)(?:\d{4}-\d\d-\d\d|\d{1,2}[./]\d{1,2}[./]\d{4})(?![\d./-]))"
    rf"|\+?\(?\d(?:{_BETWEEN_DIGITS}\d){{5,}}"
)
_MIN_DIGITS = 9
"""Minimum digits of a number without + or 00 in front, unless it is the end of the recipient's number: fewer may be an
amount."""


@runtime_checkable
class HasSecrets(Protocol):
    """Flow factory that knows which of its values must not be shown."""

    def codes(self) -> tuple[str, ...]:
        """Return the codes."""
        ...

    def numbers(self) -> tuple[str, ...]:
        """Return the recipients as they are written in the row."""
        ...


def masked_flow(row: Row, flow: AnyFlow) -> dict[str, Any]:
    """Return a row's flow in Routee's JSON form: every code in stars, every number masked.

    Of a raw flow only the keys and the lengths of its texts are shown: what in it is a code is not known.
    """
    if isinstance(flow, RawFlow):
        hidden = cast("dict[str, Any]", _hide_values(dump_flow(flow)))
        return {**hidden, "endpoint": str(flow.endpoint), "raw": True}
    mask_text = text_masker(row, flow)

    def masked(value: Any, key: str) -> Any:
        if isinstance(value, Mapping):
            return {name: masked(item, name) for name, item in cast("Mapping[str, Any]", value).items()}
        if isinstance(value, list):
            return [masked(item, key) for item in value]
        if key == "pin" or isinstance(value, Secret):
            return MASK
        if not isinstance(value, str) or key in _IDS:
            return value
        if key in _NUMBERS:
            return mask_phone(value)
        return mask_url_path(value) if key in _URLS else mask_text(value, key)

    return {"endpoint": str(flow.endpoint), **cast("dict[str, Any]", masked(dump_flow(flow), ""))}


def text_masker(row: Row, flow: AnyFlow) -> Callable[[str, str], str]:
    """Return a function that masks the codes and numbers in a text of a row; it takes the text and its key.

    A code is found also with blanks or dashes between its characters, and a number in any notation. In the SMS of an
    OTP all digits are starred if it is not known which of them are the code. Of a text of a raw flow only its length is
    shown.
    """
    if isinstance(flow, RawFlow):
        return lambda value, _key: hide_text(value)
    factory = row.build_flow if isinstance(row.build_flow, HasSecrets) else None
    codes = {*(factory.codes() if factory else ()), *_pins(flow)}
    digits_of_recipient = _digits(row.recipient)
    own = {_digits(number) for number in (row.recipient, *(factory.numbers() if factory else ()))}
    hide_numbers = _pattern((rf"\+?{_BETWEEN_DIGITS.join(digits)}" for digits in own if len(digits) > 4), 0)
    hide_codes = _pattern(map(_spaced_pattern, codes), re.IGNORECASE)
    stars_all_digits = flow.endpoint is Endpoint.OTP and not codes

    def mask_number(match: re.Match[str]) -> str:
        digits = _digits(match[0])
        is_own = digits_of_recipient.endswith(digits.lstrip("0") or "-")
        is_one = match[0].startswith(("+", "00")) or len(digits) >= _MIN_DIGITS or is_own
        return _mask(match) if is_one and match["date"] is None else match[0]

    def mask_text(value: str, key: str) -> str:
        if hide_numbers is not None:
            value = hide_numbers.sub(_mask, value)
        if hide_codes is not None:
            value = hide_codes.sub(lambda match: re.sub(r"[^\s-]", "*", match[0]), value)
        value = _number_like.sub(mask_number, value)
        return re.sub(r"\d", "*", value) if stars_all_digits and key == "body" else value

    return mask_text


def _hide_values(value: Any) -> Any:
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return {MASK if any(map(str.isdigit, key)) else key: _hide_values(item) for key, item in items}
    if isinstance(value, list):
        return [_hide_values(item) for item in value]
    return value if value is None or isinstance(value, bool) else hide_text(value)


def _pins(flow: AnyFlow) -> set[str]:
    """Return the codes that the flow itself declares."""
    pins: set[str] = set()
    if isinstance(flow, ViberOtpMessage) and isinstance(pin := flow.template_params.get("pin"), str):
        pins.add(pin)
    for part in flow.steps if isinstance(flow, OtpFlow) else ():
        if isinstance(part, ViberOtpStep):
            pins.add(part.pin.reveal())
    return pins


def _mask(match: re.Match[str]) -> str:
    """Mask a number without its separators: these are no reason to show more of its digits."""
    return mask_phone(("+" if match[0].startswith("+") else "") + _digits(match[0]))


def _digits(text: str) -> str:
    return "".join(str(int(letter)) for letter in text if letter.isdecimal())


def _spaced_pattern(code: str) -> str:
    """Return a pattern for a code as it is, and with blanks or dashes between its characters."""
    code = code.strip()
    letters = [re.escape(letter) for letter in code if letter.isalnum()]
    return "|".join(filter(None, (re.escape(code), _BETWEEN_LETTERS.join(letters))))


def _pattern(parts: Iterable[str], flags: int) -> re.Pattern[str] | None:
    alternatives = sorted(filter(None, parts), key=len, reverse=True)
    return re.compile("|".join(alternatives), flags) if alternatives else None
