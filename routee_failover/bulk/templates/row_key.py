"""Keys of rows as texts of one form: what a person reads as one key is one key."""

import re
import unicodedata

from ..._phone_numbers import INVISIBLE_CHARACTERS
from ..sources.cells import strip_zero_fraction
from .code_cells import is_blank

# 1E5 may be an order's key, and no spreadsheet writes it: it puts a sign before the exponent, or a fraction.
_is_rounded = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]*[eE][+-]?|[eE][+-])[0-9]{1,3}").fullmatch

# Joiners are letters of a kind in Persian and in Indian scripts; everything else that is invisible says nothing.
_DROPPED = dict.fromkeys(map(ord, INVISIBLE_CHARACTERS - {"\u200c", "\u200d"}))


def normalize_key(text: str) -> str:
    """Return a row's key in NFC, without blanks around it, invisible marks and the `.0` of a whole number.

    It is empty for a cell that says that it is, as `nan` and `#N/A` do, since many rows have that. Raises `ValueError`
    with the reason where a spreadsheet has rounded it, because several rows then have the same.
    """
    key = text.strip()
    if not key.isascii():
        key = re.sub(r"\s", " ", unicodedata.normalize("NFC", key.translate(_DROPPED))).strip()
    elif _is_rounded(key):
        raise ValueError("has a key that a spreadsheet has rounded; write the column as text")
    if not key[-1:].isdigit():
        return "" if is_blank(key) else key  # no word for an empty cell ends in a digit
    return strip_zero_fraction(key) if ".0" in key else key
