"""Column names as they are compared: what looks the same to a reader of two files is the same name.

A header out of a spreadsheet holds line ends, non-breaking blanks, invisible marks and letters in another Unicode form
than the template, none of which a person can see. Every source, the placeholders of a template and its key go by this.
"""

import re
import unicodedata
from collections.abc import Iterable

_invisible = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)

_date_or_digit = re.compile(r"((?<!\d)(?:19|20)\d\d(?:[-/.]\d\d?){0,2}(?!\d))|\d")
_MIN_DIGITS = 6
"""Of a name that are no date, from which on it may be a phone number with something beside it."""


def normalize_column_name(text: str) -> str:
    """The name in NFC, without signs that nobody sees, its blanks and line ends each folded into one blank."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", _invisible.sub("", text))
    return " ".join(text.split())


def strip_invisible(text: str) -> str:
    """A text without the signs that no name is told apart by."""
    return text if text.isascii() else _invisible.sub("", text)


def masked_column_name(name: str) -> str:
    """A name as an error may show it: what holds a number is perhaps no name but a row of a file without a header."""
    digits = sum(date == "" for date in _date_or_digit.findall(name))
    return name if digits < _MIN_DIGITS else _date_or_digit.sub(lambda found: found[1] or "*", name)


def first_duplicate(names: Iterable[str]) -> str | None:
    """The first name that is there a second time; columns without a name do not count."""
    seen: set[str] = set()
    for name in names:
        if name and name in seen:
            return name
        seen.add(name)
    return None
