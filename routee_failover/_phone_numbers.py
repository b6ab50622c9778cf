"""Phone cells: what a text that should be a phone number may hold, and what is in the way where it is none.

A cell is a number or it is refused; nothing in it is skipped or turned into a digit. No numbering plan is known here:
what needs one (a region, national prefixes, valid ranges) is in `bulk.numbers`. No reason quotes a number.
"""

import itertools
import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

EXAMPLE_NUMBER = "+30 6912345678"

is_e164 = re.compile(r"\+[1-9][0-9]{6,14}").fullmatch
"""Whether a text is + and 7 to 15 digits. ITU-T E.164 allows 15; the shortest plans (Niue's +683 4000) have 7."""

MAX_DIGITS = 15
_LONGEST = 100  # letters of a cell, blanks and marks among them
_MOST_WITH_PREFIX = MAX_DIGITS + 5  # an international prefix (00, 011, 0011, 8 10) may stand before them

INVISIBLE_CHARACTERS = frozenset(
    "\u00ad\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u2060\u2061\u2062\u2063\u2064"
    "\u2066\u2067\u2068\u2069\ufeff"
)
"""What no screen shows and no digit depends on. U+202E is none of them: it turns round what follows it."""

_PLAIN = re.compile(r"\+?[0-9]+").fullmatch
_SCHEME = re.compile(r"(?:tel|whatsapp):", re.IGNORECASE).match
_CLEAN = re.compile(r"[0-9+\-./() \t\n]+").fullmatch
_WHOLE_AS_FLOAT = re.compile(r"(\+?[0-9]{5,})\.0").fullmatch
_ROUNDED = re.compile(r"[+-]?[0-9]+([.,][0-9]*)?[eE][+-]?[0-9]{1,3}").fullmatch

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
_ADDRESS_LIKE = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}").fullmatch
_PAIRS = re.compile(r"[0-9]{2}(?:\.[0-9]{2}){3}").fullmatch
_AREA_FIRST = re.compile(r"0[0-9]{1,3}(?:\.[0-9]{1,3}){2}\.[0-9]{2}").fullmatch  # 079.123.45.67, and no address
_SLASHED_PAIRS = re.compile(r"0[0-9](?: ?/ ?[0-9]{2}){4}").fullmatch
_SLASH_BEHIND_PREFIX = re.compile(r"(\(?\+[0-9 ]{1,4}\)?|00[0-9]{1,3}|06) ?/(?=[^/]*/)").match
"""Behind a country code, or Hungary's national prefix, where another slash is behind the area code."""
_TWO_FRACTIONS = re.compile(r"[0-9]{1,3}\.[0-9]{2,}[ \-/]+[0-9]{1,3}\.[0-9]{2,}").fullmatch
_GAPS_BEFORE = frozenset({"", "+", "(", "(+", "+("})
_GAPS_WITHIN = frozenset({"", "-", ".", "/", "(", ")", ")-", ").", ")/", "-(", ".(", "/(", ")("})
_OPTIONAL_ZERO = re.compile(r"\(\s*0\s*\)").search


class InvalidPhoneNumber(ValueError):
    """A text is not a phone number; says what is in the way without quoting it."""


class ParsedNumber(NamedTuple):
    """A phone number as a cell holds it."""

    has_plus: bool
    digits: str
    """All digits, in ASCII, as they were written."""
    optional_zero: int | None = None
    """Which digit is a 0 in parentheses, which is dialled from some places and not from others."""


def parse_number(text: str) -> ParsedNumber:
    """Return the number in a cell; raise `InvalidPhoneNumber` for everything else.

    A number has digits (of one script), one + before them, blanks, dashes, dots, slashes and parentheses between them,
    and may have `tel:` or `whatsapp:` before it. Invisible marks within it are dropped; at its beginning they are
    refused, because there they come from a program that has put more than a number into the cell.
    """
    text = text.strip()
    if len(text) > _LONGEST:
        raise InvalidPhoneNumber("is longer than any phone number; write the number alone")
    if _PLAIN(text):
        written = text
    else:
        written = _cleaned(text)
        _check_shape(written)
    digits = "".join(filter(str.isdigit, written))
    has_plus = "+" in written
    if has_plus and digits.startswith("0"):
        raise InvalidPhoneNumber("has a 0 after its +, where the country code belongs")
    if len(digits) > (MAX_DIGITS if has_plus else _MOST_WITH_PREFIX):
        raise InvalidPhoneNumber(
            f"has {len(digits)} digits, and a phone number at most {MAX_DIGITS}: holds two numbers?"
        )
    zero = _OPTIONAL_ZERO(written)
    return ParsedNumber(has_plus, digits, sum(map(str.isdigit, written[: zero.start()])) if zero else None)


def is_rounded_by_spreadsheet(text: str) -> bool:
    """Return whether a spreadsheet has rounded a long number, such as 4.3665E+11."""
    return _ROUNDED(text) is not None


def _cleaned(text: str) -> str:
    """Return the text with its digits, dashes and blanks in ASCII, once nothing else is in it."""
    if not text:
        raise InvalidPhoneNumber("must not be empty")
    if unicodedata.category(text[0]) == "Cf":
        raise InvalidPhoneNumber("begins with an invisible mark: delete it, or type the number anew")
    scheme = _SCHEME(text)
    written = "".join(_ascii(text[scheme.end() if scheme else 0 :])).strip()
    whole = _WHOLE_AS_FLOAT(written)
    if whole:
        return whole[1]
    if not _CLEAN(written) or not any(map(str.isdigit, written)):
        raise InvalidPhoneNumber(_what_is_in_the_way(written))
    return written


def _ascii(text: str) -> Iterator[str]:
    zeros: set[int] = set()
    for letter in text:
        if letter.isascii() and letter not in "\r\v\f\x1c\x1d\x1e\x1f":
            if letter.isdigit():
                zeros.add(ord("0"))
            yield letter
        elif letter in INVISIBLE_CHARACTERS:
            continue
        elif (digit := unicodedata.decimal(letter, None)) is not None:
            zeros.add(ord(letter) - digit)
            yield str(digit)
        elif letter.isspace():
            yield "\n" if letter in "\r\v\f\x1c\x1d\x1e\x85\u2028\u2029" else " "
        else:
            dash = unicodedata.category(letter) == "Pd" or letter == "\u2212"
            yield "-" if dash else _WIDE.get(letter, letter)
    if len(zeros) > 1:
        raise InvalidPhoneNumber("mixes digits of several scripts; write them all in one")


_WIDE = {"\uff0b": "+", "\ufe62": "+", "\uff0e": ".", "\uff0f": "/", "\uff08": "(", "\uff09": ")"}


def _what_is_in_the_way(text: str) -> str:
    """Return why a text with other signs than those of a number is none."""
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
    tail = re.search(r"[0-9][^0-9]*[0-9]{1,7}$", text)
    if tail and _EXTENSION(tail[0]):
        return "has an extension, and messages go to a number without one"
    letters = {letter for letter in text if letter.isalpha()}
    if _MASK.search(text) and not letters - set("xX") and any(map(str.isdigit, text)):
        return "is masked: some of its digits are hidden"
    if "\n" in text or _TWO_NUMBERS(re.sub(r"[ \-./()]", "", text)):
        return "holds two numbers; write one in each row"
    if letters:
        return "has letters in it"
    if any(not letter.isprintable() for letter in text if letter != "\t"):
        return "has an invisible control letter in it"
    if re.fullmatch(r"[0-9]+,[0-9]+", text):
        return "is a number with a fraction, not a phone number"
    signs = [letter for letter in text if not _CLEAN(letter)]
    return f"has {_named(signs[0])} in it, which is no part of a phone number" if signs else "has no digits"


def _named(sign: str) -> str:
    return unicodedata.name(sign, "a sign without a name") if unicodedata.category(sign)[0] == "M" else sign


def _check_shape(text: str) -> None:
    """Raise `InvalidPhoneNumber` where digits and separators stand as they do in no phone number, or in two of them."""
    parts = re.split(r"([0-9]+)", text)
    runs, gaps = parts[1::2], ["".join(gap.split()) for gap in parts[0::2]]
    first, within, last = gaps[0], gaps[1:-1], gaps[-1]
    if "\n" in text or text.count("+") > 1:
        raise InvalidPhoneNumber("holds two numbers; write one in each row")
    if "\t" in text and sum(map(str.isdigit, text[: text.rindex("\t")])) > 6:
        raise InvalidPhoneNumber("holds two numbers, or a tab that belongs between two cells")
    if "+" in "".join((*within, last)):
        raise InvalidPhoneNumber("has a + in its middle: holds two numbers?")
    if first not in _GAPS_BEFORE:
        raise InvalidPhoneNumber(f"begins with {first[0]}; a phone number begins with + or a digit")
    if any(gap not in _GAPS_WITHIN for gap in within):
        raise InvalidPhoneNumber("has several separators in a row: is masked, or cut?")
    if last not in {"", ")"}:
        raise InvalidPhoneNumber(f"ends in {last[-1]}: is it cut?")
    _check_parentheses(text)
    if "+" not in text:
        _check_is_no_date(text)
    _check_slashes(text)
    _check_is_no_fraction(text, runs)
    if "+" not in text and _is_enumerated(parts):
        raise InvalidPhoneNumber("begins with a number of its own, as an item of a list does")
    if _are_two(runs):
        raise InvalidPhoneNumber("holds two numbers; write one in each row")


def _check_parentheses(text: str) -> None:
    """Parentheses are around a country or area code: in pairs, early, and not the end."""
    depth = digits = 0
    for place, letter in enumerate(text):
        digits += letter.isdigit()
        depth += (letter == "(") - (letter == ")")
        if depth not in {0, 1}:
            raise InvalidPhoneNumber("has parentheses that do not pair")
        if letter == "(" and digits > 6:
            raise InvalidPhoneNumber("has something in parentheses behind it; write the number alone")
        if letter == ")" and not any(map(str.isdigit, text[place:])):
            raise InvalidPhoneNumber("has something in parentheses behind it; write the number alone")
    if depth:
        raise InvalidPhoneNumber("has parentheses that do not pair")


def _check_slashes(text: str) -> None:
    """One slash may stand behind an area code; elsewhere it is a fraction, a date or a second number."""
    if "/" not in text or _SLASHED_PAIRS(text):
        return
    prefix = _SLASH_BEHIND_PREFIX(text)
    before, _, after = (f"{prefix[1]} {text[prefix.end() :]}" if prefix else text).partition("/")
    area, rest = ["".join(filter(str.isdigit, part)) for part in (before, after)]
    if "+" in before or area.startswith("0"):
        fits = len(area) <= (8 if "+" in before or area.startswith("00") else 6) and len(rest) >= 3
    else:
        fits = 2 <= len(area) <= 4 and len(rest) >= 6
    if "/" in after or rest.startswith("0") or not fits:
        what = "holds two numbers" if len(area) >= 5 and len(rest) >= 5 else "has a / in it that is behind no area code"
        raise InvalidPhoneNumber(f"{what}; write one number, without the /")


def _check_is_no_date(text: str) -> None:
    if _MONTH(text) or ((_DATE_LIKE(text) or _SPACED_DATE(text)) and _is_day(re.findall(r"[0-9]+", text)[:3])):
        raise InvalidPhoneNumber("is a date, not a phone number")
    if (
        _ADDRESS_LIKE(text)
        and not (_PAIRS(text) or _AREA_FIRST(text))
        and all(int(part) < 256 for part in text.split("."))
    ):
        raise InvalidPhoneNumber("is an internet address, not a phone number")


def _is_day(parts: list[str]) -> bool:
    year = parts[0] if len(parts[0]) == 4 else parts[2]
    rest = [int(part) for part in parts if part is not year]
    return (len(year) == 2 or 1900 <= int(year) <= 2100) and min(rest) >= 1 and max(rest) <= 31 and min(rest) <= 12


def _check_is_no_fraction(text: str, runs: list[str]) -> None:
    """One dot among digits alone may be a decimal one: it is behind an area or country code, or it is refused."""
    if _TWO_FRACTIONS(text):
        raise InvalidPhoneNumber("holds two numbers with a fraction, as a place on a map does")
    if text.count(".") != 1 or "(" in text:
        return
    before = text[: text.index(".")]
    digits = sum(map(str.isdigit, before))
    behind_code = digits <= 3 if "+" in before else 2 <= digits <= 5
    if len(runs) == 2 and not behind_code:
        raise InvalidPhoneNumber("is a number with a fraction, not a phone number")


def _are_two(runs: list[str]) -> bool:
    """Return whether an area code stands there twice, or two numbers that differ in their last two digits alone.

    Also whether a second one begins with a 0 of its own, where the digits before it are a whole number already.
    """
    if runs[0].startswith("0") and len(runs[0]) > 2 and runs[0] in runs[1:]:
        return True
    if runs[0].startswith("0") and not runs[0].startswith("00"):
        for at, run in enumerate(runs[1:], 1):
            before, rest = sum(map(len, runs[:at])), sum(map(len, runs[at:]))
            if before >= 7 and rest >= 6 and re.match("0[1-9][0-9]", run):
                return True
    return any(len(one) == len(two) >= 5 and one[:-2] == two[:-2] for one, two in itertools.pairwise(runs))


def _is_enumerated(parts: list[str]) -> bool:
    """Return whether one digit and a sign with a blank stand before the rest: `1. 6912345678`, `2 - 6912345678`."""
    gap = parts[2] if len(parts) > 3 else ""
    return len(parts[1]) == 1 and any(map(str.isspace, gap)) and any(map(gap.count, "-./"))
