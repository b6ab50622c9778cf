"""Normalization of row keys: what reads as one key is one key."""

import re
import unicodedata

from ..._phone_number_parser import INVISIBLE_CHARACTERS
from ..sources.cells import strip_zero_fraction
from .otp_code_validators import is_blank

# 1E5 may be an order number: a spreadsheet would write a sign before the exponent, or a fraction.
_is_rounded = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]*[eE][+-]?|[eE][+-])[0-9]{1,3}").fullmatch

# Joiners carry meaning in Persian and in Indic scripts; all other invisible characters are dropped.
_DROPPED = dict.fromkeys(map(ord, INVISIBLE_CHARACTERS - {"\u200c", "\u200d"}))


def normalize_key(text: str) -> str:
    """Return a row's key in NFC, without surrounding blanks, invisible marks and the `.0` of a whole number.

    The result is empty for a cell that means empty, such as `nan` and `#N/A`, since many rows have these. Raises
    `ValueError` with the reason if a spreadsheet has rounded the key, because several rows then have the same one.
    """
    key = text.strip()
    if not key.isascii():
        key = re.sub(r"\s", " ", unicodedata.normalize("NFC", key.translate(_DROPPED))).strip()
    elif _is_rounded(key):
        raise ValueError("has a key that a spreadsheet has rounded; write the column as text")
    if not key[-1:].isdigit():
        return "" if is_blank(key) else key  # no word for an empty cell ends in a digit
    return strip_zero_fraction(key) if ".0" in key else key
