"""Sanitizer of external texts for display: one line, no control characters, phone numbers masked."""

import functools
import re

from ..secret import mask_phone

MAX_LENGTH = 240
"""Maximum number of characters that are shown of a text."""

# Without a plus a number has at least ten digits, because Routee's error codes have nine.
_number = re.compile(r"(?<![\w-])(?:\+\d(?:[ ().\xa0/-]{0,2}\d){6,14}|\d{10,15})(?![\w-])")


@functools.lru_cache(4096)
def sanitize(text: str, max_length: int = MAX_LENGTH) -> str:
    """Return a text on one line, without control or direction characters, phone numbers masked.

    It is cut after `max_length` characters.
    """
    cut = text[: max_length + 1]
    shown = cut if cut.isprintable() else "".join(char if char.isprintable() else " " for char in cut)
    shown = _number.sub(_mask_match, " ".join(shown.split()))
    return shown if len(text) <= max_length else shown[:max_length].rstrip() + "…"


def _mask_match(match: re.Match[str]) -> str:
    return mask_phone(re.sub(r"[^\d+]", "", match[0]))


def to_one_line(text: str) -> str:
    """Return a text on one line but otherwise whole and unmasked, as for an id that is used in a search."""
    return text if text.isprintable() else "".join(char if char.isprintable() else " " for char in text)


def masked_number(recipient: str) -> str:
    """Return a masked recipient. In an invalid row it may be any text."""
    return to_one_line(mask_phone(recipient))


def masked_key(key: str, recipient: str) -> str:
    """Return a key for display: masked if it is the recipient's number in any notation."""
    if not key or key == recipient:
        return masked_number(recipient)
    digits = re.sub(r"[\s().+/-]", "", key).lstrip("0")
    if len(digits) >= 6 and digits.isdecimal() and recipient.endswith(digits):
        return masked_number(recipient)
    return to_one_line(key)
