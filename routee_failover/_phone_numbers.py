"""Syntax of phone numbers in table cells: parse a number, or say why the text is not one.

A cell is a number or it is invalid; nothing in it is skipped or turned into a digit. This module knows no numbering
plan: what needs one (a region, national prefixes, valid ranges) is in `bulk.phone_numbers`. No reason quotes a number.
"""

import itertools
import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

EXAMPLE_NUMBER = "+30 6912345678"

is_e164 = re.compile(r"\+[1-9][0-9]{6,14}").fullmatch
"""Match + and 7 to 15 digits. ITU-T E.164 allows 15; the shortest plans (Niue's +683 4000) have 7."""

MAX_DIGITS = 15
_MAX_CELL_LENGTH = 100  # including blanks and invisible characters
_MAX_DIGITS_WITH_PREFIX = MAX_DIGITS + 5  # an international prefix (00, 011, 0011, 8 10) may precede them

INVISIBLE_CHARACTERS = frozenset(
    "\u00ad\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u2060\u2061\u2062\u2063\u2064"
    "\u2066\u2067\u2068\u2069\ufeff"
)
"""Characters without a glyph that change no digit. U+202E is not one of them: it reverses the text after it."""

_DIGITS_ONLY = re.compile(r"\+?[0-9]+").fullmatch
_SCHEME = re.compile(r"(?:tel|whatsapp):", re.IGNORECASE).match
_NUMBER_CHARACTERS = re.compile(r"[0-9+\-./() \t\n]+").fullmatch
_INTEGER_AS_FLOAT = re.compile(r"(\+?[0-9]{5,})\.0").fullmatch
_SCIENTIFIC = re.compile(r"[+-]?[0-9]+([.,][0-9]*)?[eE][+-]?[0-9]{1,3}").fullmatch

_EXTENSION = re.compile(
    r"[0-9][ )]*(?:[;,]? ?(?:ext(?:n|ension)?|int|poste|durchwahl|доб|x)|#)[ .:=]*[0-9]{1,7}", re.IGNORECASE
).fullmatch
_MASK = re.compile(r"[*\u2217\uff0a\u2022\u25cf\u25aa\u25a0\u2588\u2026_?\ufffd]|[xX\u00d7#]{2,}")
_TWO_NUMBERS = re.compile(r"[0-9]{5,}(?:[^0-9]+?)\+?[0-9]{5,}").search

_DATE = re.compile(r"(?:[0-9]{4}([-./])[0-9]{1,2}\1[0-9]{1,2}|[0-9]{1,2}([-./])[0-9]{1,2}\2(?:[0-9]{4}|[0-9]{2}))")
_DATE_LIKE = re.compile(_DATE.pattern + r"(?:\s+[0-9.]+)?").fullmatch
_GAP = r"\s*[-./\s]\s*"
_SPACED_DATE = re.compile(
    rf"[0-9]{{4}}{_GAP}[0-9]{{1,2}}{_GAP}[0-9]{{1,2}}|[0-9]{{1,2}}{_GAP}[0-9]{{1,2}}{_GAP}[0-9]{{4}}"
    r"|[0-9]{1,2}\.\s+[0-9]{1,2}\.\s+[0-9]{2}"
).fullmatch
_MONTH = re.compile(r"(?:19|20)[0-9]{2}[-./][0-9]{1,2}|[0-9]{1,2}[-./](?:19|20)[0-9]{2}").fullmatch
_IP_ADDRESS_LIKE = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}").fullmatch
_DOTTED_PAIRS = re.compile(r"[0-9]{2}(?:\.[0-9]{2}){3}").fullmatch
_AREA_FIRST = re.compile(r"0[0-9]{1,3}(?:\.[0-9]{1,3}){2}\.[0-9]{2}").fullmatch  # 079.123.45.67, not an IP address
_SLASHED_PAIRS = re.compile(r"0[0-9](?: ?/ ?[0-9]{2}){4}").fullmatch
_SLASH_AFTER_PREFIX = re.compile(r"(\(?\+[0-9 ]{1,4}\)?|00[0-9]{1,3}|06) ?/(?=[^/]*/)").match
"""A slash after a country code, or after Hungary's national prefix, if another slash follows the area code."""
_TWO_FRACTIONS = re.compile(r"[0-9]{1,3}\.[0-9]{2,}[ \-/]+[0-9]{1,3}\.[0-9]{2,}").fullmatch
_LEADING_SEPARATORS = frozenset({"", "+", "(", "(+", "+("})
_INNER_SEPARATORS = frozenset({"", "-", ".", "/", "(", ")", ")-", ").", ")/", "-(", ".(", "/(", ")("})
_OPTIONAL_ZERO = re.compile(r"\(\s*0\s*\)").search


class InvalidPhoneNumber(ValueError):
    """A text is not a phone number; the message says why without quoting it."""


class ParsedNumber(NamedTuple):
    """Phone number as written in a cell."""

    has_plus: bool
    digits: str
    """All digits as written, converted to ASCII."""
    optional_zero: int | None = None
    """Index of the digit that is a 0 in parentheses, which is dialled within the country but not from abroad."""


def parse_number(text: str) -> ParsedNumber:
    """Return the phone number in a cell; raise `InvalidPhoneNumber` for any other text.

    A number has digits of one script, at most one + before them, and blanks, dashes, dots, slashes and parentheses
    between them; `tel:` or `whatsapp:` may precede it. Invisible characters within it are dropped. At its beginning
    they are invalid, because there they come from a program that has put more than a number into the cell.
    """
    text = text.strip()
    if len(text) > _MAX_CELL_LENGTH:
        raise InvalidPhoneNumber("is longer than any phone number; write the number alone")
    if _DIGITS_ONLY(text):
        written = text
    else:
        written = _normalize(text)
        _check_shape(written)
    digits = "".join(filter(str.isdigit, written))
    has_plus = "+" in written
    if has_plus and digits.startswith("0"):
        raise InvalidPhoneNumber("has a 0 after its +, where the country code belongs")
    if len(digits) > (MAX_DIGITS if has_plus else _MAX_DIGITS_WITH_PREFIX):
        raise InvalidPhoneNumber(
            f"has {len(digits)} digits, and a phone number at most {MAX_DIGITS}: holds two numbers?"
        )
    zero = _OPTIONAL_ZERO(written)
    return ParsedNumber(has_plus, digits, sum(map(str.isdigit, written[: zero.start()])) if zero else None)


def is_rounded_by_spreadsheet(text: str) -> bool:
    """Return whether a spreadsheet has rounded a long number, such as 4.3665E+11."""
    return _SCIENTIFIC(text) is not None


def _normalize(text: str) -> str:
    """Return the text with ASCII digits, dashes and blanks; raise `InvalidPhoneNumber` if it holds anything else."""
    if not text:
        raise InvalidPhoneNumber("must not be empty")
    if unicodedata.category(text[0]) == "Cf":
        raise InvalidPhoneNumber("begins with an invisible character: delete it, or type the number again")
    scheme = _SCHEME(text)
    written = "".join(_to_ascii(text[scheme.end() if scheme else 0 :])).strip()
    integer = _INTEGER_AS_FLOAT(written)
    if integer:
        return integer[1]
    if not _NUMBER_CHARACTERS(written) or not any(map(str.isdigit, written)):
        raise InvalidPhoneNumber(_invalid_reason(written))
    return written


def _to_ascii(text: str) -> Iterator[str]:
    zeros: set[int] = set()
    for character in text:
        if character.isascii() and character not in "\r\v\f\x1c\x1d\x1e\x1f":
            if character.isdigit():
                zeros.add(ord("0"))
            yield character
        elif character in INVISIBLE_CHARACTERS:
            continue
        elif (digit := unicodedata.decimal(character, None)) is not None:
            zeros.add(ord(character) - digit)
            yield str(digit)
        elif character.isspace():
            yield "\n" if character in "\r\v\f\x1c\x1d\x1e\x85\u2028\u2029" else " "
        else:
            dash = unicodedata.category(character) == "Pd" or character == "\u2212"
            yield "-" if dash else _ASCII_SYMBOLS.get(character, character)
    if len(zeros) > 1:
        raise InvalidPhoneNumber("mixes digits of several scripts; write them all in one")


_ASCII_SYMBOLS = {"\uff0b": "+", "\ufe62": "+", "\uff0e": ".", "\uff0f": "/", "\uff08": "(", "\uff09": ")"}


def _invalid_reason(text: str) -> str:
    """Return why a text with characters that no phone number has is invalid."""
    if not text:
        return "must not be empty"
    if text[0] == "=":
        return "is a spreadsheet formula; write the number alone"
    if text[0] in "'\u2019\u2018`\u00b4":
        return "begins with an apostrophe; write the number alone"
    if text[0] in '"\u201c\u201d\u201e\u00ab\u00bb':
        return "has quotes around it; write the number alone"
    if is_rounded_by_spreadsheet(text):
        return "is a number that a spreadsheet has rounded; write the column as text"
    last_digits = re.search(r"[0-9][^0-9]*[0-9]{1,7}$", text)
    if last_digits and _EXTENSION(last_digits[0]):
        return "has an extension, and messages go to a number without one"
    letters = {letter for letter in text if letter.isalpha()}
    if _MASK.search(text) and not letters - set("xX") and any(map(str.isdigit, text)):
        return "is masked: some of its digits are hidden"
    if "\n" in text or _TWO_NUMBERS(re.sub(r"[ \-./()]", "", text)):
        return "holds two numbers; write one in each row"
    if letters:
        return "has letters in it"
    if any(not character.isprintable() for character in text if character != "\t"):
        return "has an invisible control character in it"
    if re.fullmatch(r"[0-9]+,[0-9]+", text):
        return "is a number with a fraction, not a phone number"
    others = [character for character in text if not _NUMBER_CHARACTERS(character)]
    return f"has {_display(others[0])} in it, which is no part of a phone number" if others else "has no digits"


def _display(character: str) -> str:
    """Return the character, or its Unicode name if it combines with its neighbour and cannot be shown alone."""
    return unicodedata.name(character, "an unnamed mark") if unicodedata.category(character)[0] == "M" else character


def _check_shape(text: str) -> None:
    """Raise `InvalidPhoneNumber` if the order of digits and separators fits no phone number, or two of them."""
    parts = re.split(r"([0-9]+)", text)
    runs, separators = parts[1::2], ["".join(separator.split()) for separator in parts[0::2]]
    first, inner, last = separators[0], separators[1:-1], separators[-1]
    # 1. Separators: line breaks, plus signs, and those before, between and after the digits.
    if "\n" in text or text.count("+") > 1:
        raise InvalidPhoneNumber("holds two numbers; write one in each row")
    if "\t" in text and sum(map(str.isdigit, text[: text.rindex("\t")])) > 6:
        raise InvalidPhoneNumber("holds two numbers, or a tab that belongs between two cells")
    if "+" in "".join((*inner, last)):
        raise InvalidPhoneNumber("has a + in its middle: holds two numbers?")
    if first not in _LEADING_SEPARATORS:
        raise InvalidPhoneNumber(f"begins with {first[0]}; a phone number begins with + or a digit")
    if any(separator not in _INNER_SEPARATORS for separator in inner):
        raise InvalidPhoneNumber("has several separators in a row: is masked, or cut?")
    if last not in {"", ")"}:
        raise InvalidPhoneNumber(f"ends in {last[-1]}: is it cut?")
    # 2. Other values that look like a number: dates, IP addresses, fractions, items of a list.
    _check_parentheses(text)
    if "+" not in text:
        _check_not_date(text)
    _check_slashes(text)
    _check_not_fraction(text, runs)
    if "+" not in text and _is_enumerated(parts):
        raise InvalidPhoneNumber("begins with a number of its own, like an item of a list")
    # 3. Two numbers in one cell.
    if _are_two_numbers(runs):
        raise InvalidPhoneNumber("holds two numbers; write one in each row")


def _check_parentheses(text: str) -> None:
    """Parentheses may enclose a country or area code: in pairs, early in the text, and not at its end."""
    depth = digits = 0
    for position, character in enumerate(text):
        digits += character.isdigit()
        depth += (character == "(") - (character == ")")
        if depth not in {0, 1}:
            raise InvalidPhoneNumber("has parentheses that do not pair")
        if character == "(" and digits > 6:
            raise InvalidPhoneNumber("has something in parentheses after it; write the number alone")
        if character == ")" and not any(map(str.isdigit, text[position:])):
            raise InvalidPhoneNumber("has something in parentheses after it; write the number alone")
    if depth:
        raise InvalidPhoneNumber("has parentheses that do not pair")


def _check_slashes(text: str) -> None:
    """One slash may follow an area code; elsewhere it belongs to a fraction, a date or a second number."""
    if "/" not in text or _SLASHED_PAIRS(text):
        return
    prefix = _SLASH_AFTER_PREFIX(text)
    before, _, after = (f"{prefix[1]} {text[prefix.end() :]}" if prefix else text).partition("/")
    area, rest = ["".join(filter(str.isdigit, part)) for part in (before, after)]
    if "+" in before or area.startswith("0"):
        fits = len(area) <= (8 if "+" in before or area.startswith("00") else 6) and len(rest) >= 3
    else:
        fits = 2 <= len(area) <= 4 and len(rest) >= 6
    if "/" in after or rest.startswith("0") or not fits:
        reason = "holds two numbers" if len(area) >= 5 and len(rest) >= 5 else "has a / in it that follows no area code"
        raise InvalidPhoneNumber(f"{reason}; write one number, without the /")


def _check_not_date(text: str) -> None:
    if _MONTH(text) or ((_DATE_LIKE(text) or _SPACED_DATE(text)) and _is_day(re.findall(r"[0-9]+", text)[:3])):
        raise InvalidPhoneNumber("is a date, not a phone number")
    if (
        _IP_ADDRESS_LIKE(text)
        and not (_DOTTED_PAIRS(text) or _AREA_FIRST(text))
        and all(int(part) < 256 for part in text.split("."))
    ):
        raise InvalidPhoneNumber("is an IP address, not a phone number")


def _is_day(parts: list[str]) -> bool:
    year = parts[0] if len(parts[0]) == 4 else parts[2]
    rest = [int(part) for part in parts if part is not year]
    return (len(year) == 2 or 1900 <= int(year) <= 2100) and min(rest) >= 1 and max(rest) <= 31 and min(rest) <= 12


def _check_not_fraction(text: str, runs: list[str]) -> None:
    """A single dot among digits may be a decimal point: it must follow an area or country code."""
    if _TWO_FRACTIONS(text):
        raise InvalidPhoneNumber("holds two numbers with a fraction, like coordinates on a map")
    if text.count(".") != 1 or "(" in text:
        return
    before = text[: text.index(".")]
    digits = sum(map(str.isdigit, before))
    after_code = digits <= 3 if "+" in before else 2 <= digits <= 5
    if len(runs) == 2 and not after_code:
        raise InvalidPhoneNumber("is a number with a fraction, not a phone number")


def _are_two_numbers(runs: list[str]) -> bool:
    """Return whether an area code occurs twice, or two numbers differ in their last two digits only.

    Also whether a second number begins with its own 0, if the digits before it are a complete number already.
    """
    if runs[0].startswith("0") and len(runs[0]) > 2 and runs[0] in runs[1:]:
        return True
    if runs[0].startswith("0") and not runs[0].startswith("00"):
        for index, run in enumerate(runs[1:], 1):
            before, rest = sum(map(len, runs[:index])), sum(map(len, runs[index:]))
            if before >= 7 and rest >= 6 and re.match("0[1-9][0-9]", run):
                return True
    return any(len(one) == len(two) >= 5 and one[:-2] == two[:-2] for one, two in itertools.pairwise(runs))


def _is_enumerated(parts: list[str]) -> bool:
    """Return whether one digit, a separator and a blank precede the number: `1. 6912345678`, `2 - 6912345678`."""
    separator = parts[2] if len(parts) > 3 else ""
    return len(parts[1]) == 1 and any(map(str.isspace, separator)) and any(map(separator.count, "-./"))
