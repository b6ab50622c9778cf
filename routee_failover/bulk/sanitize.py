"""Texts from outside as they may be shown: on one line, without control codes, with no number in clear."""

import functools
import re

from ..secret import mask_phone

MAX_LENGTH = 240
"""Letters of a text that are shown."""

# Without a plus a number has ten digits or more, for Routee's error codes have nine.
_number = re.compile(r"(?<![\w-])(?:\+\d(?:[ ().\xa0/-]{0,2}\d){6,14}|\d{10,15})(?![\w-])")


@functools.lru_cache(4096)
def sanitize(text: str, max_length: int = MAX_LENGTH) -> str:
    """A text on one line that turns no terminal, page or reading direction around; what looks like a number is masked.

    It is cut after `longest` letters.
    """
    cut = text[: max_length + 1]
    shown = cut if cut.isprintable() else "".join(letter if letter.isprintable() else " " for letter in cut)
    shown = _number.sub(_masked, " ".join(shown.split()))
    return shown if len(text) <= max_length else shown[:max_length].rstrip() + "…"


def _masked(number: re.Match[str]) -> str:
    return mask_phone(re.sub(r"[^\d+]", "", number[0]))


def to_one_line(text: str) -> str:
    """The same for what has to stay as it is, as an id that is looked up by: whole, and whatever it looks like."""
    return text if text.isprintable() else "".join(letter if letter.isprintable() else " " for letter in text)


def masked_number(recipient: str) -> str:
    """A recipient, masked. A row that is no good may have anything there."""
    return to_one_line(mask_phone(recipient))


def masked_key(key: str, recipient: str) -> str:
    """A key as it may be shown: masked where it is the recipient's number, however that is written."""
    if not key or key == recipient:
        return masked_number(recipient)
    digits = re.sub(r"[\s().+/-]", "", key).lstrip("0")
    if len(digits) >= 6 and digits.isdecimal() and recipient.endswith(digits):
        return masked_number(recipient)
    return to_one_line(key)
