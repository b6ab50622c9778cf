"""Normalization of column names: names that look the same are the same.

A header exported from a spreadsheet has line ends, non-breaking spaces, invisible marks and letters in another Unicode
form than the template, none of which a person can see. All sources, placeholders and template keys use this.
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
"""A name with this many digits that are not part of a date may contain a phone number."""


def normalize_column_name(text: str) -> str:
    """Return the name in NFC, without invisible characters, each run of whitespace collapsed to one space."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", _invisible.sub("", text))
    return " ".join(text.split())


def strip_invisible(text: str) -> str:
    """Return the text without invisible characters."""
    return text if text.isascii() else _invisible.sub("", text)


def masked_column_name(name: str) -> str:
    """Return the name for use in an error, its digits masked if it may be a row of a file without a header."""
    digits = sum(date == "" for date in _date_or_digit.findall(name))
    return name if digits < _MIN_DIGITS else _date_or_digit.sub(lambda match: match[1] or "*", name)


def first_duplicate(names: Iterable[str]) -> str | None:
    """Return the first name that occurs twice, or `None`. Empty names do not count."""
    seen: set[str] = set()
    for name in names:
        if name and name in seen:
            return name
        seen.add(name)
    return None
